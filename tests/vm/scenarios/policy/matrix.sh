# shellcheck shell=sh source=../lib.sh
. /tests/lib.sh
# shellcheck source=lib.sh
. /tests/policy/lib.sh

# FILE OFFSET of byte 0, by what is asked for
uncached="dev:\$PLAIN dev:\$D2_UC dev:\$D3_UC buf_uc:0 sysfs_uc:0"
combining="dev:\$D2_WC dev:\$D3_WC buf_wc:0 sysfs_wc:0"

# A B: every overlap of B with A is denied, in both orders; what only touches it, or is of the same type, is not
pair() {
	a_file=${1%%:*} a_base=${1#*:} b_file=${2%%:*} b_base=${2#*:}
	cat <<-END
		print $1 against $2
		mmap-raw a $a_file $a_base+64K 16p
		@peer !EPERM mmap-raw b $b_file $b_base+64K 16p
		@peer !EPERM mmap-raw b $b_file $b_base+64K 1p
		@peer !EPERM mmap-raw b $b_file $b_base+124K 1p
		@peer !EPERM mmap-raw b $b_file $b_base+60K 2p
		@peer !EPERM mmap-raw b $b_file $b_base+124K 2p
		@peer !EPERM mmap-raw b $b_file $b_base 64p
		!EPERM mmap-raw own $b_file $b_base+72K 1p
		touch a
		@peer mmap-raw before $b_file $b_base+56K 2p
		@peer mmap-raw behind $b_file $b_base+128K 2p
		!EPERM mmap-raw back $a_file $a_base+60K 1p
		!EPERM mmap-raw back $a_file $a_base+64K 17p
		mmap-raw same $a_file $a_base+64K 16p
		@peer mmap-raw same $a_file $a_base+64K 16p
		@bystander touch far
		@bystander touch other
		@peer touch before
		munmap same
		@peer munmap same
		munmap a 4p 4p
		@peer mmap-raw middle $b_file $b_base+80K 4p
		@peer !EPERM mmap-raw more $b_file $b_base+80K 5p
		@peer !EPERM mmap-raw more $b_file $b_base+76K 5p
		!EPERM mmap-raw back $a_file $a_base+80K 1p
		touch a
		@peer munmap middle
		mmap-raw back $a_file $a_base+80K 4p
		munmap back
		munmap a
		@peer mmap-raw all $b_file $b_base+64K 16p
		!EPERM mmap-raw a $a_file $a_base+64K 16p
		@peer touch all
		@peer munmap all
		@peer munmap before
		@peer munmap behind
	END
}

matrix() {
	cat /tests/clients/policy-open.vfio
	cat <<-'END'
		open sysfs_uc path /sys/bus/pci/devices/0000:00:01.0/resource2
		open sysfs_wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc
		open second group 0000:00:02.0
		info second 2 issued SECOND
		open second_uc path /sys/bus/pci/devices/0000:00:02.0/resource2
		open second_wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc
		fork bystander
		@bystander mmap-raw far dev $PLAIN+8M 4p
		@bystander mmap-raw other second $SECOND+12M 4p
		fork peer
	END
	for uc in $uncached; do
		for wc in $combining; do
			pair "$uc" "$wc"
			pair "$wc" "$uc"
		done
	done
	# vfio-pci itself, whose cookies are all uncached
	for uc in "second:\$SECOND" second_uc:0; do
		pair "$uc" second_wc:0
		pair second_wc:0 "$uc"
	done
	cat <<-'END'
		print the same bytes of another device, or of another BAR
		mmap-raw a dev $PLAIN+64K 16p
		@peer mmap-raw b second_wc 64K 16p
		@peer mmap small dev 0
		@peer munmap b
		munmap a
		@peer munmap small
		@bystander touch far
		@bystander touch other
	END
}

# D1: the offset is the same, what it means is set. $PLAIN is as good as `dev 2` then.
mutable() {
	cat /tests/clients/policy-open.vfio
	cat <<-'END'
		fork peer
		mmap-raw a dev $PLAIN+64K 4p
		attrs dev 2 wc
		@peer !EPERM mmap-raw b dev $PLAIN+64K 4p
		@peer !EPERM mmap-raw b dev $PLAIN+76K 4p
		@peer mmap-raw b dev $PLAIN+80K 4p
		attrs dev 2 none
		!EPERM mmap-raw c dev $PLAIN+80K 1p
		mmap-raw c dev $PLAIN+64K 4p
		munmap c
		attrs dev 2 wc
		munmap a
		@peer mmap-raw d dev $PLAIN+64K 4p
		attrs dev 2 none
		!EPERM mmap-raw a dev $PLAIN+64K 1p
		touch-file /tmp/done
	END
}

bind_test_driver
alias_policy enforce deny
start_daemon
expect_enforcing
matrix >/out/policy-matrix.vfio
vfio-client -v /out/policy-matrix.vfio >/tmp/matrix.out 2>/tmp/error || {
	tail -n 30 /tmp/matrix.out >&2
	fail "$(cat /tmp/error) (policy-matrix.vfio has the commands)"
}
denied=$(grep -c 'failed as expected' /tmp/matrix.out)
expect_equal "pairs" "$(grep -c ' against ' /tmp/matrix.out)" 44
expect_equal "denied" "$(status .denied)" "$denied"
expect_all_decided
mutable >/tmp/mutable.vfio
expect "D1" vfio-client /tmp/mutable.vfio
expect_all_decided
expect "lives of a mapping" vfio-client /tests/clients/policy-lives.vfio
expect_all_decided
expect "other system calls" vfio-client /tests/clients/policy-calls.vfio
expect_all_decided
expect_no_alias
expect_nothing_held
expect "the ledger is exact" check-ledger
expect "and the findings" check-findings --expect none
expect_balance
echo "denied: $(status .denied) of $(status .enforcer.decided)"

# Cookies with attributes
write_policy <<-END
	[Policy]
	Mode=enforce

	[Rule no-combining]
	Kind=request
	Types=wc
	Action=deny
END
reload
expect "WC cookies" vfio-client /tests/clients/policy-cookies.vfio
expect_all_decided
expect_balance
stop_daemon
expect "enforcement goes" vfiowatchd --detach
[ ! -e $pins ] || fail "pins are left: $(ls $pins)"
expect "the modules go" test-modules unload
expect_healthy_kernel
