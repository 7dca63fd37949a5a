# vm: --systemd --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# long
# package
# kernels: 6.1 7.2
# The Debian package: installed, upgraded while BARs are mapped and forbidden mappings are tried, removed and purged. What
# was there before is there afterwards, and nothing else.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

unit=vfiowatchd.service
wc=/sys/bus/pci/devices/0000:00:01.0/resource2_wc
old=$(find /packages -name '*.deb' | sort -V | head -n 1)
new=$(find /packages -name '*.deb' | sort -V | tail -n 1)
catalog=/usr/lib/systemd/catalog/vfiowatch.catalog

# FILE: its version
version_of() {
	dpkg-deb -f "$1" Version | sed 's/-1$//'
}

# What is on the disk: kind, mode, owner and name; and who is in which group.
files() {
	find / -xdev \( -path /out -o -path /var/log -o -path /var/lib/dpkg \) -prune -o -printf '%y %m %U:%G %p %l\n' | sort
	cat /etc/group /etc/gshadow
}

# Programs, tables and links in the kernel, without those that systemd makes for the cgroups of its units.
kernel_objects() {
	find /sys/fs/bpf | sort
	for kind in prog map link; do
		bpftool -j $kind list | jq -r ".[] | \"$kind \(.type) \(.name) \(.prog_id)\"" | grep -v cgroup | sort
	done
	grep -H . /sys/module/vfio*/refcnt
}

units() {
	systemctl list-units --all --plain --no-legend 'vfiowatch*'
	systemctl list-unit-files --no-legend 'vfiowatch*'
	journalctl --list-catalog --quiet | grep -i vfiowatch
}

kernel_is_as_before() {
	kernel_objects >/tmp/kernel-after
	cmp -s /tmp/kernel-before /tmp/kernel-after
}

# COMMAND...: what dpkg does with the package
package() {
	dpkg "$@" >/tmp/dpkg.log 2>&1 || fail "dpkg $*: $(cat /tmp/dpkg.log)"
}

# TYPE: how many such events the kernel generated
generated() {
	status "[.kernel_types[] | select(.type == \"$1\") | .generated] | add // 0"
}

still_denied() {
	vfio-client -c "open wc path $wc; !EPERM mmap-raw w wc 64K 4p" || fail "$1 it is not denied"
	denied=$((denied + 1))
}

# One conflicting mapping after the other until /tmp/stop is there; leaves their number in /tmp/attempts.
begin_attempts() {
	rm -f /tmp/stop
	{
		echo "open wc path $wc"
		number=0
		until [ -e /tmp/stop ]; do
			echo '!EPERM mmap-raw w wc 64K 4p'
			number=$((number + 1))
			sleep 0.02
		done
		echo $number >/tmp/attempts
	} | vfio-client >/tmp/attempts.log 2>&1 &
	attempts=$!
}

end_attempts() {
	touch /tmp/stop
	wait "$attempts" || fail "over an upgrade a forbidden mapping was not denied: $(tail -n 3 /tmp/attempts.log)"
	denied=$((denied + $(cat /tmp/attempts)))
	echo "$(cat /tmp/attempts) attempts were denied"
}

# SIZE...: a client that keeps one mapping, and makes as many others as each SIZE says when it is told to. While there is no
# daemon the ring takes about 1900 mappings with their verdicts.
start_client() {
	rm -f /tmp/ready /tmp/end /tmp/go-* /tmp/made-*
	script="open dev group 0000:00:01.0; mmap stays dev 2 0 1M; touch stays; touch-file /tmp/ready"
	step=0 steps=$# mapped=0
	for size; do
		step=$((step + 1)) mapped=$((mapped + size))
		script="$script; barrier /tmp/go-$step; storm $size dev 2 64K; touch-file /tmp/made-$step"
	done
	step=0
	vfio-client -c "$script; barrier /tmp/end" &
	client=$!
	eventually "a device is mapped" 60 test -e /tmp/ready
	before=$(generated map)
}

# WHEN: the next mappings
make_some() {
	step=$((step + 1))
	touch /tmp/go-$step
	eventually "the client has mapped $1" 300 test -e /tmp/made-$step
}

# PACKAGE BESIDE: replaces what is installed while the client maps, as often as BESIDE beside the old daemon if there is time
# for it, and then without one: the start of the next daemon waits for that.
upgrade() {
	pid=$(systemctl show -P MainPID $unit)
	rm -f /run/away /run/back
	touch /run/pause
	dpkg -i "$1" >/tmp/dpkg.log 2>&1 &
	dpkg=$!
	while [ ! -e /run/away ] && [ $step -lt "$2" ]; do
		make_some "beside the old daemon"
		vfiowatch status >/dev/null 2>&1
	done
	eventually "the daemon is away" 300 test -e /run/away
	[ ! -e "/proc/$pid" ] || fail "the old daemon is still there"
	make_some "without a daemon"
	[ "$denied" = - ] || still_denied "while there is no daemon"
	touch /run/back
	make_some "while the new daemon started"
	wait $dpkg || fail "dpkg -i $1: $(cat /tmp/dpkg.log)"
	rm /run/pause
	while [ $step -lt $steps ]; do
		expect "it runs" vfiowatch status --wait=200 >/dev/null
		make_some "beside the new daemon"
	done
	expect_equal "the version" "$(vfiowatch --version) $("/proc/$(systemctl show -P MainPID $unit)/exe" --version)" \
		"vfiowatch $(version_of "$1") vfiowatchd $(version_of "$1")"
	expect_equal "the programs are adopted" "$(status .adopted)" true
	expect_equal "events lost" "$(status .lost)" 0
	expect_balance
	# What the kernel's recursion guard skipped has no event; the ledger was made right by an audit.
	recorded=$(($(generated map) - before)) skipped=$(status .skipped)
	if [ $recorded -gt $mapped ] || [ $((recorded + skipped)) -lt $mapped ]; then
		fail "of $mapped mappings $recorded were recorded and $skipped runs skipped"
	fi
	echo "upgraded to $(version_of "$1"): $recorded of $mapped mappings recorded, $skipped runs skipped"
	expect "the ledger is exact" check-ledger --require-some 1
	expect "dpkg is content" dpkg --verify vfiowatch
}

end_client() {
	touch /tmp/end
	wait "$client" || fail "the client failed"
	client=
}

[ "$old" != "$new" ] || fail "there are not two packages: $(ls /packages)"
touch /tmp/dpkg.log
files >/tmp/before
kernel_objects >/tmp/kernel-before
units >/tmp/units-before

# Installed
package -i "$old"
expect "it is enabled" systemctl is-enabled --quiet $unit
expect "it is active" systemctl is-active --quiet $unit
expect "it is ready" vfiowatch status --wait=200 >/dev/null
expect_equal "recording" "$(status '"\(.recording) \(.mode) \(.degraded | join("; "))"')" "on audit "
expect "the group is there" getent group vfiowatch >/dev/null
vfio-client -c "open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; open wc path $wc; mmap-raw w wc 64K 4p; touch w; hold /tmp/held" &
client=$!
eventually "a device is mapped" 60 test -e /tmp/held
expect_status "the conflict is shown" 3 vfiowatch conflicts --check
cat /tmp/expect.out
conflict_recorded() {
	journalctl --sync
	journalctl -q -x -b | grep -q 'demotion: the program asked for write-combining'
}
eventually "the conflict is in the journal, with its explanation" 60 conflict_recorded
kill "$client"
wait "$client" || fail "the client failed"
client=

# Upgraded, while a policy denies
mkdir -p /etc/systemd/system/$unit.d
cat >/etc/systemd/system/$unit.d/pause.conf <<'END'
[Service]
TimeoutStartSec=10min
ExecStartPre=+/bin/sh -c '[ ! -e /run/pause ] || { touch /run/away; until [ -e /run/back ]; do sleep 0.1; done; }'
END
alias_policy enforce deny
expect "the policy is taken" systemctl reload $unit
expect_enforcing
denied=0
start_client 300 300 300 300 300 300 300 300 300 300 1000 1000 1000 1000 1000 1000 1000
begin_attempts
upgrade "$new" 7
end_attempts
still_denied "after an upgrade"
expect_enforcing
expect_all_decided
expect_equal "denied, as the status says" "$(status .denied)" "$denied"
denials() {
	journalctl --sync
	[ "$(journalctl -q -o cat "MESSAGE_ID=$(sed -n '/^-- /{s/^-- //;h}; /^Subject: .*denied/{g;p;q}' $catalog)" | wc -l)" -eq "$denied" ]
}
eventually "the journal has each of them" 120 denials
end_client

# And back, while a policy only audits: recording alone goes on without a daemon.
alias_policy audit deny
expect "the policy is taken" systemctl reload $unit
denied=-
start_client 300 300 300 300
upgrade "$old" 1

# Removed, while a policy denies and something is mapped
alias_policy enforce deny
expect "the policy is taken" systemctl reload $unit
denied=0
still_denied "before"
package -r vfiowatch
[ -z "$(pidof vfiowatchd)" ] || fail "a daemon is left"
[ -e $policies/50-test.conf ] || fail "the administrator's policy was removed"
eventually "nothing is denied any more" 60 vfio-client -c "open wc path $wc; mmap-raw w wc 64K 4p"
end_client
eventually "nothing is left in the kernel" 60 kernel_is_as_before
! systemctl list-units --plain --no-legend 'vfiowatch*' | grep -v vfiowatch-vm || fail "a unit is active"

# Purged
rm -r /etc/systemd/system/$unit.d
package -P vfiowatch
! dpkg-query -s vfiowatch 2>/dev/null || fail "dpkg knows it still"
[ ! -e /run/vfiowatch ] || fail "/run/vfiowatch is left"
units >/tmp/units-after
expect "no unit and no catalog is left" diff /tmp/units-before /tmp/units-after
files >/tmp/after
diff /tmp/before /tmp/after || fail "files are left, or gone"
kernel_is_as_before || fail "something is left in the kernel: $(diff /tmp/kernel-before /tmp/kernel-after)"
expect_healthy_kernel
