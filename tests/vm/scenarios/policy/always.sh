# shellcheck shell=sh source=../lib.sh
. /tests/lib.sh
# shellcheck source=lib.sh
. /tests/policy/lib.sh
# shellcheck source=builds.sh
. /tests/policy/builds.sh

resource=/sys/bus/pci/devices/0000:00:01.0/resource2_wc

# One process has BAR 2 mapped; another tries all the time to map it write-combining, until it is told to stop.
begin_attempts() {
	rm -f /tmp/stop
	vfio-client -c "open wc path $resource; expect-denied /tmp/stop wc 64K 4p" >/tmp/attempts 2>&1 &
	attempts=$!
}

# WHILE: all of them were denied
end_attempts() {
	kill -0 "$attempts" 2>/dev/null || fail "$1 a conflicting mapping was not denied: $(cat /tmp/attempts)"
	touch /tmp/stop
	wait "$attempts" || fail "$1 a conflicting mapping was not denied: $(cat /tmp/attempts)"
	tries=$(sed -n 's/^denied \([0-9]*\) times/\1/p' /tmp/attempts)
	[ "$tries" -gt 0 ] || fail "$1 there was no attempt"
	echo "$1 $tries attempts were denied"
}

# WHILE: one more attempt, from now on
still_denied() {
	vfio-client -c "open wc path $resource; !EPERM mmap-raw w wc 64K 4p; mmap-raw other wc 8M 4p" ||
		fail "$1 it is not denied any more, or something else is"
}

# WHEN: the kernel lets go of programs in the background after their pins went
allowed() {
	eventually "$1 it is allowed" 30 vfio-client -c "open wc path $resource; mmap-raw w wc 64K 4p"
}

deciding_links() {
	find $pins -name 'link_decide_*' 2>/dev/null | wc -l
}

alias_policy enforce deny
start_daemon
expect_enforcing
make_other_build /tmp/vfiowatchd-other build layout
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; hold /tmp/held' &
client=$!
eventually "the device is mapped" 60 test -e /tmp/held
still_denied "at first"

begin_attempts
for round in 1 2; do
	kill -9 "$daemon"
	wait "$daemon"
	still_denied "after kill -9, round $round,"
	start_daemon
	expect_equal "the programs are adopted" "$(status .adopted)" true
	expect_enforcing
done
end_attempts "over kill -9"

begin_attempts
stop_daemon
[ "$(deciding_links)" -gt 0 ] || fail "SIGTERM took enforcement off"
still_denied "after SIGTERM"
start_daemon
expect_equal "the programs are adopted" "$(status .adopted)" true
end_attempts "over SIGTERM"

begin_attempts
kill -STOP "$daemon"
still_denied "while the daemon hangs"
# more requests than the ring can hold
vfio-client -c 'open second group 0000:00:02.0; storm 20000 second 2 64K'
still_denied "while the daemon hangs and the ring is full"
kill -CONT "$daemon"
eventually "it goes on" 60 vfiowatch status
end_attempts "over a hung daemon"
expect_balance

# An upgrade and back: stopped as a package does it, killed, and refused in between.
begin_attempts
stop_daemon
start_build /tmp/vfiowatchd-other
expect_equal "a build with another layout adopts nothing" "$(status .adopted)" false
expect_enforcing
still_denied "after an upgrade"
kill -9 "$daemon"
wait "$daemon"
start_build /usr/sbin/vfiowatchd
expect_equal "a build with another layout adopts nothing" "$(status .adopted)" false
expect_enforcing
kill -9 "$daemon"
wait "$daemon"
echo 'Nonsense=1' | write_policy 99-wrong.conf
expect_status "a daemon with a wrong policy" 78 /tmp/vfiowatchd-other --foreground
grep -q '99-wrong.conf:1: ' /tmp/expect.err || fail "no place in: $(cat /tmp/expect.err)"
expect_status "the same of the first build" 78 vfiowatchd --foreground
still_denied "after a start that failed"
rm $policies/99-wrong.conf
for round in 1 2; do
	/tmp/vfiowatchd-other --foreground 2>>/out/vfiowatchd.log &
	daemon=$!
	sleep "0.$((round * 2))"
	kill -9 "$daemon"
	wait "$daemon"
	still_denied "after an upgrade that was killed, round $round,"
done
start_build /usr/sbin/vfiowatchd
expect_enforcing
end_attempts "over upgrades"
expect "the ledger is exact" check-ledger --require-some 1
expect_equal "what is pinned of other builds" "$(find $pins -mindepth 1 -type d | wc -l)" 0

# What takes it off: a policy that only audits, and --detach.
still_denied "before"
alias_policy audit deny
reload
expect_equal "the mode" "$(status .mode)" audit
expect_equal "the way" "$(status .enforcing)" null
expect_equal "deciding programs" "$(deciding_links)" 0
allowed "in audit mode"
alias_policy enforce deny
reload
expect_enforcing
still_denied "when it is switched on again"
stop_daemon
still_denied "without a daemon"
expect "detach" vfiowatchd --detach
[ ! -e $pins ] || fail "--detach leaves pins: $(ls $pins)"
allowed "when it was taken off"

# An audit daemon takes over from an enforcing one, and the other way round.
start_daemon
still_denied "by a new daemon, which found the mapping by itself"
stop_daemon
alias_policy audit deny
start_daemon
expect_equal "deciding programs" "$(deciding_links)" 0
allowed "by a daemon that audits"
stop_daemon
[ ! -e $pins ] || fail "a daemon that audits leaves pins: $(ls $pins)"
kill "$client"
wait "$client" || fail "the client failed"
expect_healthy_kernel
