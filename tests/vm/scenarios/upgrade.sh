# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# by hand: two minutes long
# An upgrade in place, and back, between two builds with different BPF programs, while four processes map and unmap and
# another one attempts a mapping that is forbidden: every mapping is recorded exactly once, and no attempt succeeds.
# shellcheck shell=sh
. /tests/lib.sh
. /tests/policy/lib.sh
. /tests/policy/builds.sh

resource=/sys/bus/pci/devices/0000:00:01.0/resource2_wc

generated() {
	status ".kernel_types[] | select(.type == \"$1\") | .generated"
}

# Rounds of 41 pairs of mmap and munmap, with pauses so that the ring has room for what comes while there is no daemon,
# until it is told to stop; their number is in /tmp/rounds. The first mmap of a BAR claims it for the driver, which only
# one of several at once can.
storm() {
	rounds=0
	until [ -e /tmp/stop-storm ]; do
		vfio-client -c 'open second group 0000:00:02.0; mmap b second 2 0 64K; storm 10 second 2 64K 4' || exit 1
		sleep 0.2
		rounds=$((rounds + 1))
		echo $rounds >/tmp/rounds
	done
}

# Of the device that stays open: how often each was issued is known only to who recorded it.
live_cookies() {
	vfiowatch cookies --device 0000:00:01.0 --json | jq -c 'map(select(.live) | [.id, .offset, .issued])'
}

# The forbidden mapping, again and again until it is told to stop; with pauses for the same reason.
attempt() {
	tries=0
	until [ -e /tmp/stop ]; do
		vfio-client -c "open wc path $resource; !EPERM mmap-raw w wc 64K 4p" || exit 1
		tries=$((tries + 1))
		echo $tries >/tmp/tries
		sleep 0.2
	done
}

# WHAT: a few more rounds
next_rounds() {
	was=$(cat /tmp/rounds)
	kill -0 "$storm" || fail "the storm ended"
	eventually "$1: the storm goes on" 120 sh -c "[ \$(cat /tmp/rounds) -gt $((was + 3)) ]"
}

# PROGRAM HOW: that build is started after the one before was stopped by signal HOW
upgrade() {
	kill "-$2" "$daemon"
	wait "$daemon"
	start_build "$1"
}

alias_policy enforce deny
start_daemon
expect_enforcing
make_other_build /tmp/vfiowatchd-next build
make_other_build /tmp/vfiowatchd-other build layout
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; hold /tmp/held' &
client=$!
eventually "the device is mapped" 60 test -e /tmp/held
vfiowatch mappings --json | jq -c 'map([.id, .cookie, .since != null, .origin])' >/tmp/mappings
live_cookies >/tmp/cookies
maps=$(generated map) copies=$(generated copy) unmaps=$(generated unmap)

echo 0 >/tmp/rounds
storm &
storm=$!
attempt &
attempts=$!
next_rounds "at first"
for step in "/tmp/vfiowatchd-next KILL" "/usr/sbin/vfiowatchd TERM" "/tmp/vfiowatchd-next TERM"; do
	old=$(bpftool -j link show pinned $pins/link_vma_free)
	slot=$(bpftool -j map dump pinned $pins/slot_vma_free)
	began=$(cut -d . -f 1 /proc/uptime)
	# shellcheck disable=SC2086
	upgrade $step
	echo "$step: $(($(cut -d . -f 1 /proc/uptime) - began)) s, round $(cat /tmp/rounds)"
	expect_equal "what was attached stays attached ($step)" \
		"$(bpftool -j link show pinned $pins/link_vma_free)" "$old"
	[ "$(bpftool -j map dump pinned $pins/slot_vma_free)" != "$slot" ] || fail "$step did not replace the programs"
	expect_equal "recording was taken over ($step)" "$(status .adopted)" true
	expect_enforcing
	next_rounds "$step"
done
kill -0 "$attempts" 2>/dev/null || fail "a forbidden mapping was let through"
touch /tmp/stop-storm
wait "$storm" || fail "the storm failed"
pairs=$(($(cat /tmp/rounds) * 41))
# Attempts go on, so that of requests there may be one on its way.
expect_equal "mappings that are neither delivered nor lost" "$(status '[.kernel_types[] | select(.type != "request") |
	.generated - .delivered - .lost] | add')" 0
# Of the mapping that every round begins with each of the four processes has a copy.
maps=$(($(generated map) - maps)) copies=$(($(generated copy) - copies)) unmaps=$(($(generated unmap) - unmaps))
ends=$((pairs + pairs / 41 * 4)) skipped=$(status .skipped)
echo "$pairs mmaps, $ends munmaps with those of copies; recorded: $maps mmaps, $copies copies, $unmaps munmaps;" \
	"skipped by the kernel: $skipped; no room in the ring: $(status .lost)"
# A preemptible kernel may skip a program; that is counted, and its run can be missing from what was generated.
if [ "$maps" -gt "$pairs" ] || [ $((maps + skipped)) -lt "$pairs" ] || [ "$unmaps" -gt "$ends" ] ||
	[ $((unmaps + skipped)) -lt "$ends" ]; then
	fail "not every mmap and munmap was recorded once"
fi
expect "the ledger is exact" check-ledger --require-some 1
expect_equal "mappings, since when and how known" \
	"$(vfiowatch mappings --json | jq -c 'map([.id, .cookie, .since != null, .origin])')" "$(cat /tmp/mappings)"
expect_equal "live cookies" "$(live_cookies)" "$(cat /tmp/cookies)"

# A build with other tables cannot read what the one before left: that is told, and nothing is let through.
upgrade /tmp/vfiowatchd-other KILL
expect_equal "a build with another layout adopts nothing" "$(status .adopted)" false
kill -9 "$daemon"
wait "$daemon"
vfio-client -c 'open second group 0000:00:02.0; storm 100 second 2 64K' || fail "the storm without a daemon"
start_build /usr/sbin/vfiowatchd
expect_equal "a build with another layout adopts nothing" "$(status .adopted)" false
expect_enforcing
left=$(vfiowatch events --json | jq -s '[.[] | select(.event == "lost")][0].count')
[ "$left" -ge 200 ] || fail "of 100 pairs that nobody read $left events are told lost"
echo "$left events left unread are told of"
kill -0 "$attempts" 2>/dev/null || fail "a forbidden mapping was let through"
touch /tmp/stop
wait "$attempts" || fail "a forbidden mapping was let through"
echo "$(cat /tmp/tries) attempts were denied"
expect_equal "what is pinned of other builds" "$(find $pins -mindepth 1 -type d | wc -l)" 0
kill "$client"
wait "$client" || fail "the client failed"
expect_healthy_kernel
