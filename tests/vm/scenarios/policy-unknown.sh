# vm: --append iomem=relaxed
# kernels: 6.1
# What the enforcer cannot decide is decided by OnUnknown, and told with the reason: bytes that are not known, and a table
# that is full.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

# REASON: how often OnUnknown decided because of it
unknown() {
	status ".enforcer.unknown.$1"
}

last_unknown() {
	vfiowatch events --json | jq -rs '[.[] | select(.unknown)] | last | [.unknown, .verdict] | join(" ")'
}

# COUNT: so many mappings of one page each, with a gap after each, in one process
many() {
	echo 'open dev group 0000:00:02.0'
	i=0
	while [ $i -lt "$1" ]; do
		echo "mmap m$i dev 2 $((i * 2))p 1p"
		i=$((i + 1))
	done
}

bind_test_driver
alias_policy enforce deny
start_daemon
expect_enforcing

# A DMABUF of two ranges.
ranges='open dev group 0000:00:01.0; dmabuf parts dev 2 1M 2p 4M 2p; dmabuf one dev 2 1M 2p'
expect "a DMABUF of several ranges is not decidable" vfio-client -c "$ranges; !EPERM mmap-raw a parts 0 4p; mmap-raw b one 0 2p"
expect_equal "the reason is counted" "$(unknown range)" 1
expect_equal "and told" "$(last_unknown)" "range deny"
alias_policy enforce allow
reload
expect "OnUnknown=allow" vfio-client -c "$ranges; mmap-raw a parts 0 4p; mmap-raw b one 0 2p"
expect_equal "the reason is counted" "$(unknown range)" 2
expect_equal "and told" "$(last_unknown)" "range allow"

# Each mapping of which the bytes are not known is counted once, with its copies as long as they are there.
# WHAT NUMBER: the client goes on to STEP, and then there are so many of them
step=0
expect_unplaced() {
	eventually "$1" 60 test -e "/tmp/step-$step"
	expect_equal "$1: without known bytes" "$(status .enforcer.unplaced_now)" "$2"
	if [ "$2" -gt 0 ]; then
		status '.degraded | join(" ")' | grep -q "^$2 mappings are compared with nothing" || fail "$1: it is not degraded"
	fi
	touch "/tmp/go-$step"
	step=$((step + 1))
}
so_far=$(status .enforcer.unplaced)
vfio-client -c "$ranges; mmap-raw a parts 0 4p; touch-file /tmp/step-0; barrier /tmp/go-0;
	munmap a 1p 1p; touch-file /tmp/step-1; barrier /tmp/go-1; fork child; touch-file /tmp/step-2; barrier /tmp/go-2;
	munmap a; touch-file /tmp/step-3; barrier /tmp/go-3; @child munmap a 0 1p; touch-file /tmp/step-4; barrier /tmp/go-4" &
client=$!
expect_unplaced "one mapping" 1
expect_unplaced "split" 2
expect_unplaced "forked" 4
expect_unplaced "unmapped by the parent" 2
expect_unplaced "unmapped by the child in part" 1
wait "$client" || fail "the client failed"
client=
expect_equal "so far" "$(status .enforcer.unplaced)" $((so_far + 1))
expect_equal "exited: without known bytes" "$(status .enforcer.unplaced_now)" 0
expect_equal "it is not degraded" "$(status '.degraded | join("; ")')" ""

# A rule that denies it anyway needs not know the bytes.
write_policy <<-END
	[Policy]
	Mode=enforce
	OnUnknown=allow

	[Rule no-dmabuf]
	Source=dmabuf
	Kind=request
	Action=deny
END
reload
expect "a rule that needs no bytes" vfio-client -c "$ranges; !EPERM mmap-raw a parts 0 4p"
expect_equal "nothing more was unknown" "$(unknown range)" 3

# More than 256 mappings of one BAR.
alias_policy enforce deny
reload
{ many 256; echo '!EPERM mmap more dev 2 8M 1p; munmap m7; mmap more dev 2 8M 1p; !EPERM mmap most dev 2 9M 1p; mmap small dev 0'; } >/tmp/full.vfio
expect "a full table denies" vfio-client /tmp/full.vfio
expect_equal "the reason is counted" "$(unknown full)" 2
alias_policy enforce allow
reload
{
	many 300
	cat <<-'END'
		open wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc
		!EPERM mmap-raw known wc 0 1p
		mmap-raw unknown wc 8M 1p
		munmap unknown
		touch-file /tmp/full
		barrier /tmp/end
	END
} >/tmp/full.vfio
vfio-client /tmp/full.vfio &
client=$!
eventually "a full table allows" 120 test -e /tmp/full
[ "$(unknown full)" -ge 46 ] || fail "only $(unknown full) were let through because the table is full"
[ "$(status '.enforcer.untracked')" -ge 44 ] || fail "only $(status '.enforcer.untracked') are said to be untracked"
status '.degraded | join(" ")' | grep -q . || fail "it is not degraded"
touch /tmp/end
wait "$client" || fail "the client failed"
client=
not_degraded() {
	[ "$(status '.degraded | length')" -eq 0 ]
}
eventually "it is not degraded when there is room again" 60 not_degraded
expect "and decides again" vfio-client -c 'open dev group 0000:00:02.0; mmap a dev 2 0 4p;
	open wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc; !EPERM mmap-raw w wc 0 1p; mmap-raw w wc 8M 1p'
expect_balance
stop_daemon
expect "detach" vfiowatchd --detach
