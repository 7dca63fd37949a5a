# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
# For the scenarios, in the guest. The first thing that does not hold ends a scenario.

client=

# What the service said is kept where there is a journal.
fail() {
	echo "FAILED: $*" >&2
	if [ -d /run/systemd/system ]; then
		journalctl -q -b -o short -u vfiowatchd.service | uniq -c -f 3 >/out/journal 2>&1
	fi
	exit 1
}

# what COMMAND...: COMMAND must succeed.
expect() {
	what=$1
	shift
	"$@" || fail "$what: $*"
}

# WHAT TEXT WANTED
expect_equal() {
	[ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"
}

# WHAT STATUS COMMAND...
expect_status() {
	what=$1 wanted=$2 got=0
	shift 2
	"$@" >/tmp/expect.out 2>/tmp/expect.err || got=$?
	[ "$got" -eq "$wanted" ] || fail "$what: $* exited with $got, not $wanted: $(cat /tmp/expect.out /tmp/expect.err)"
}

# WHAT SECONDS COMMAND...: until COMMAND succeeds; the limit is only for what never happens. A client that was started
# as $client must not end meanwhile.
eventually() {
	what=$1 tries=$(($2 * 10))
	shift 2
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ -z "$client" ] || kill -0 "$client" 2>/dev/null || fail "$what: the client ended before"
		[ $tries -gt 0 ] || fail "$what: never: $*"
		sleep 0.1
	done
}

start_daemon() {
	vfiowatchd --foreground "$@" 2>>/out/vfiowatchd.log &
	daemon=$!
	expect "the daemon is ready" vfiowatch status --wait=200 >/dev/null
	kill -0 "$daemon" 2>/dev/null || fail "the daemon ended: $(tail -n 3 /out/vfiowatchd.log)"
}

stop_daemon() {
	kill "$daemon"
	wait "$daemon" || fail "the daemon ended with $?: $(tail -n 3 /out/vfiowatchd.log)"
}

# MODE: of the policy of a daemon that was stopped. One that enforces leaves its programs; then they are taken off.
expect_nothing_pinned() {
	if [ "$1" = enforce ]; then
		find /sys/fs/bpf/vfiowatch -name 'link_decide_*' | grep -q . || fail "SIGTERM took enforcement off"
		expect "detach" vfiowatchd --detach
	fi
	[ ! -e /sys/fs/bpf/vfiowatch ] || fail "pins are left: $(ls /sys/fs/bpf/vfiowatch)"
}

# Also under a policy that enforces, which outlives the daemon.
end_recording() {
	ended_mode=$(status .mode)
	stop_daemon
	expect_nothing_pinned "$ended_mode"
}

# .status EXPRESSION: of the status object
status() {
	vfiowatch status --json=short | jq -r "$1"
}

# Every event that was generated was delivered or counted as lost, for each type; no answer is no balance.
is_balanced() {
	[ "$(status 'all(.kernel_types[]; .generated == .delivered + .lost)')" = true ]
}

# While more events come one may be on its way.
expect_balance() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		if is_balanced; then
			expect_equal "nothing is left untracked" "$(status '[.untracked[]] | add')" 0
			return
		fi
	done
	fail "generated is not delivered + lost: $(status '.kernel_types[] | select(.generated != .delivered + .lost) | tostring')"
}

recording_is() {
	[ "$(status .recording)" = "$1" ]
}
