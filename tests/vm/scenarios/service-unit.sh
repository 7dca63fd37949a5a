# vm: --systemd --append iomem=relaxed
# long
# kernels: 6.1 7.2
# The unit: sandboxed, and everything works; its state and its records where an operator looks; reloads that succeed and
# that fail; and a daemon that does not do its work is ended and started again, with enforcement in force all along.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

unit=vfiowatchd.service
wc=/sys/bus/pci/devices/0000:00:01.0/resource2_wc

property() {
	systemctl show -P "$1" $unit
}

# NAME: a MESSAGE_ID, by the subject of its entry in the catalog
message_id() {
	sed -n "/^-- /{s/^-- //;h}; /^Subject: $1/{g;p}" /usr/lib/systemd/catalog/vfiowatch.catalog
}

# COMMAND...: the journal has something of that
journal_has() {
	journalctl --sync
	[ -n "$(journalctl -q -o cat "$@")" ]
}

# Maps write-combining what another one has uncached, all the time.
begin_attempts() {
	rm -f /tmp/stop
	vfio-client -c "open wc path $wc; expect-denied /tmp/stop wc 64K 4p" >/tmp/attempts 2>&1 &
	attempts=$!
}

end_attempts() {
	kill -0 "$attempts" 2>/dev/null || fail "$1 a forbidden mapping was not denied: $(cat /tmp/attempts)"
	touch /tmp/stop
	wait "$attempts" || fail "$1 a forbidden mapping was not denied: $(cat /tmp/attempts)"
	echo "$1 $(cat /tmp/attempts)"
}

still_denied() {
	vfio-client -c "open wc path $wc; !EPERM mmap-raw w wc 64K 4p" || fail "$1 it is not denied"
}

# RESTARTS: the service manager started it anew since there were so many, and it is ready
restarted() {
	[ "$(property NRestarts)" -gt "$1" ] && [ "$(property ActiveState)" = active ] && vfiowatch status --wait=1
}

expect "it is active" systemctl is-active --quiet $unit
expect_equal "by its preset it is" "$(property UnitFilePreset)" enabled
expect_equal "what systemd does not understand" "$(journalctl -q -b -o cat _PID=1 | grep -E 'Unknown key|Failed to parse' | grep vfiowatch)" ""
# which is what a package does
expect "sysusers.d" systemd-sysusers vfiowatch.conf
getent group vfiowatch >/dev/null || fail "there is no group vfiowatch"
expect_equal "directories for policy files" "$(stat -c '%U %a' $policies /run/vfiowatch/policy.d | uniq)" "root 755"

# The sandbox
systemd-analyze security --no-pager $unit >/tmp/security 2>&1
tail -n 1 /tmp/security
expect "exposure is at most 2.5" systemd-analyze security --no-pager --threshold=25 $unit >/dev/null
pid=$(property MainPID)
expect_equal "seccomp, no new privileges, capabilities" \
	"$(sed -n 's/^\(Seccomp\|NoNewPrivs\|CapEff\):\t//p' "/proc/$pid/status" | tr '\n' ' ')" "0000000400280020 1 2 "
expect_status "nothing is missing" 0 vfiowatch doctor
expect_equal "it is not degraded" "$(status '.degraded | join("; ")')" ""

# What systemctl status shows; a preemptible kernel may have skipped runs of programs
digest=$(status .policy_digest | cut -c 1-16)
shown() {
	systemctl status --no-pager -n 0 $unit |
		grep -Eq "Status: \"recording; mode $1, policy $(status .policy_digest | cut -c 1-16);.*; 0 events lost(, [0-9]+ program runs skipped)?\""
}
eventually "its state is shown" 30 shown audit
systemctl status --no-pager $unit

# Another user's program, by a unit of its own
chmod 666 $wc /dev/vfio/[0-9]* || fail "chmod"
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; hold /tmp/held' &
client=$!
eventually "a device is mapped" 60 test -e /tmp/held
systemd-run --quiet --unit=client.service --uid=nobody vfio-client -c "open wc path $wc; mmap-raw w wc 64K 4p; touch w
	open other group 0000:00:02.0; mmap-raw m other 2048G 4p; hold" || fail "the client does not start"
eventually "its request is in the journal" 60 journal_has -u client.service "MESSAGE_ID=$(message_id Write-combining)"
eventually "its conflict is in the journal" 60 journal_has -u client.service "MESSAGE_ID=$(message_id 'Memory type conflict on .*, severity')"
journalctl -q -x -u client.service >/tmp/journal
for text in 'asked for write-combining: the CPU may merge' 'demotion: the program asked for write-combining'; do
	grep -q "$text" /tmp/journal || fail "the catalog does not say '$text': $(cat /tmp/journal)"
done
expect_equal "whose program it is" "$(vfiowatch mappings --json | jq -r '.[] | select(.source == "sysfs") | "\(.uid) \(.unit) \(.effective)"')" \
	"$(id -u nobody) client.service uc-"
expect_equal "the program of another user" "$(vfiowatch lint --json | jq -r '.[] | "\(.kind) \(.exe)"')" "unissued-offset /usr/local/bin/vfio-client"
systemctl stop client.service

# Reloads
write_policy <<-END
	[Policy]
	Mode=enforce
	OnUnknown=deny

	[Rule never-both]
	Device=0000:00:01.0
	Kind=alias
	Types=wc/uc
	Action=deny

	[Rule never-slow]
	Device=0000:00:02.0
	Kind=demotion
	Types=wc/uc
	Action=kill
END
expect "a good policy" systemctl reload $unit
expect_enforcing
[ "$(status .policy_digest | cut -c 1-16)" != "$digest" ] || fail "the digest is the same"
eventually "its state is shown" 30 shown enforce
digest=$(status .policy_digest)
printf '[Rule wrong]\nActoin=deny\n' | write_policy 99-wrong.conf
expect_status "a policy that is wrong" 1 systemctl reload $unit
expect_equal "and the unit stays" "$(property ActiveState) $(property SubState) $(property MainPID)" "active running $pid"
expect_equal "as does the policy" "$(status .policy_digest)" "$digest"
eventually "why is in the unit's journal" 30 journal_has -u $unit --grep '99-wrong.conf:2: '
journal_has -u $unit "MESSAGE_ID=$(message_id 'vfiowatch refused')" || fail "no record of the refusal"
expect_equal "what SIGHUP does" "$(kill -HUP "$pid"; vfiowatch status >/dev/null; property MainPID)" "$pid"
expect_equal "to the policy" "$(status .policy_digest)" "$digest"
still_denied "after policies that were refused"

# Action=kill of another user's process
chmod 666 /sys/bus/pci/devices/0000:00:02.0/resource2_wc
vfio-client -c 'open dev group 0000:00:02.0; mmap a dev 2 0 4p; touch a; hold /tmp/second' &
second=$!
eventually "the other device is mapped" 60 test -e /tmp/second
expect_status "another user's process is killed" 255 systemd-run --quiet --wait --collect --uid=nobody vfio-client -c \
	'open wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc; mmap-raw w wc 64K 4p; touch w; hold'
expect_equal "and counted" "$(status .killed)" 1
kill "$second"
wait "$second" || fail "the second client failed"

# A start that is refused is not tried again, and enforcement stays.
begin_attempts
expect_status "a start with a wrong policy" 1 systemctl restart $unit
expect_equal "how it ended" "$(property ActiveState) $(property Result) $(property ExecMainStatus) $(property NRestarts)" "failed exit-code 78 0"
rm $policies/99-wrong.conf
mkdir -p /run/systemd/system/$unit.d
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=10\n' >/run/systemd/system/$unit.d/watchdog.conf
systemctl daemon-reload
expect "it starts" systemctl start $unit
expect_equal "the programs are adopted" "$(status .adopted)" true

# A daemon that hangs
before=$(property NRestarts) pid=$(property MainPID)
kill -STOP "$pid"
eventually "the watchdog ends it, and it starts again" 300 restarted "$before"
[ "$(property MainPID)" != "$pid" ] || fail "it is the same process"
journal_has _PID=1 UNIT=$unit --grep 'Watchdog timeout' || fail "it was not the watchdog"
expect_equal "the programs are adopted" "$(status .adopted)" true
expect_enforcing
end_attempts "over a refused start and a hung daemon"
expect_balance
kill "$client"
wait "$client" || fail "the client failed"
client=

# One whose programs were taken off
before=$(property NRestarts)
expect "detach" vfiowatchd --detach
eventually "the watchdog ends it, and it starts again" 300 restarted "$before"
expect_enforcing

# One that never hears of an event, though its loop turns. It has seen no mapping yet, so it does not walk page tables either.
before=$(property NRestarts)
expect "the daemon is deafened" vfio-client -c "deafen $(property MainPID)"
expect "something happens" vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; munmap a'
eventually "the watchdog ends it, and it starts again" 300 restarted "$before"
eventually "why is in the journal" 30 journal_has -u $unit "MESSAGE_ID=$(message_id 'vfiowatch does not')" --grep 'events wait in the ring'
eventually "it goes on" 60 recording_is on
expect_balance
expect_equal "nothing was lost" "$(status .lost)" 0
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; hold /tmp/again' &
client=$!
eventually "a device is mapped" 60 test -e /tmp/again
still_denied "by programs that were attached anew"
kill "$client"
wait "$client" || fail "the client failed"
client=
expect_balance
expect "it stops" systemctl stop $unit
expect_equal "how it ended" "$(property Result)" success
expect "detach" vfiowatchd --detach
expect_healthy_kernel
