# vm: --append iomem=relaxed
# kernels: 6.12
# Every number of the metrics is that of status and the lists: with mappings of all kinds, a conflict, and after a loss.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh

cat >/tmp/metrics.vfio <<'EOS'
comm metrics
open other group 0000:00:02.0
mmap-raw computed other 2048G+2M 1p
open dev group 0000:00:01.0
mmap populated dev 2 0 4p
touch populated
mmap half dev 2 64K 8p
touch half 0 3p
mmap untouched dev 2 1M 1M
info other 2
open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc
mmap-raw demoted wc 0 2p
touch demoted
open mem path /dev/mem
bar 0000:00:04.0 2 BAR
mmap-raw devmem mem $BAR 1p
fork kid
@kid munmap half 0 1p
touch-file /tmp/mapped
barrier /tmp/lose
storm 2000 dev 2 64K 4
touch-file /tmp/storm-over
barrier /tmp/count
storm 100 dev 2 64K
touch-file /tmp/counted
barrier /tmp/end
EOS
# What status and the lists say, as samples.
expected() {
	vfiowatch devices >/dev/null # the status counts those that were looked for
	vfiowatch status --json=short | jq -r '
		(.kernel_types[] | "events_total{type=\"\(.type)\"} \(.delivered)", "events_lost_total{type=\"\(.type)\"} \(.lost)"),
		"build_info{version=\"\(.version)\"} 1",
		"degraded_reasons \(.degraded | length)",
		"ring_size_bytes \(.ring_size)",
		"ring_used_bytes \(.ring_used)",
		"audits_total \(.audits)",
		"missed_total{cause=\"skipped-run\"} \(.skipped)",
		"missed_total{cause=\"malformed-record\"} 0",
		"missed_total{cause=\"refused-event\"} \(.refused)",
		"missed_total{cause=\"untracked-mapping\"} \(.untracked.mappings)",
		"missed_total{cause=\"untracked-file\"} \(.untracked.files)",
		"missed_total{cause=\"untracked-cookie\"} \(.untracked.cookies)",
		"journal_records_total{outcome=\"held-back\"} \(.journal_suppressed)",
		"journal_records_total{outcome=\"unwritten\"} \(.journal_unwritten)",
		"policy_info{mode=\"\(.mode)\",digest=\"\(.policy_digest)\",enforcing=\"no\"} 1",
		"policy_rules \(.policy_rules)",
		"requests_denied_total \(.denied)",
		"would_deny_total \(.would_denied)",
		"processes_killed_total \(.killed)",
		"findings_refused \(.conflicts_refused)",
		"entries{kind=\"device\"} \(.devices)",
		"entries{kind=\"open-file\"} \(.open_files)",
		"entries{kind=\"cookie\"} \(.cookies)",
		"entries{kind=\"mapping\"} \(.mappings)",
		(("on", "waiting", "failed") as $state | "recording{state=\"\($state)\"} \(if .recording == $state then 1 else 0 end)"),
		(("attached", "waiting", "missing", "unneeded") as $state |
			"attach_points{state=\"\($state)\"} \([.points[] | select(.state == $state)] | length)")'
	vfiowatch mappings --json=short | jq -r '
		def number: ltrimstr("0x") | explode | reduce .[] as $digit (0; . * 16 + $digit - (if $digit > 96 then 87 else 48 end));
		def size: (.end | number) - (.start | number);
		(group_by([.source, .requested, .effective])[] | (.[0] |
			"{source=\"\(.source)\",requested=\"\(.requested)\",effective=\"\(.effective // "unknown")\"}") as $labels |
			"mappings\($labels) \(length)", "mapped_bytes\($labels) \(map(size) | add)"),
		([.[] | select(.populated > 0)] | group_by([.source, .effective])[] |
			"populated_bytes{source=\"\(.[0].source)\",type=\"\(.[0].effective)\"} \(map(.populated) | add)"),
		(group_by(.unit)[] | "{unit=\"\(.[0].unit // "unknown")\"}" as $labels |
			"unit_mappings\($labels) \(length)", "unit_mapped_bytes\($labels) \(map(size) | add)")'
	vfiowatch cookies --json=short | jq -r 'group_by([.dialect, .type])[] |
		"cookies{dialect=\"\(.[0].dialect)\",type=\"\(.[0].type)\"} \(length)"'
	vfiowatch conflicts --json=short | jq -r '. as $rows | ("alias", "promotion", "demotion") as $kind |
		("low", "high", "critical") as $severity |
		"findings{kind=\"\($kind)\",severity=\"\($severity)\"} \([$rows[] |
			select(.active and .kind == $kind and .severity == $severity)] | length)"'
	vfiowatch conflicts --json=short | jq -r --argjson mappings "$(status .mappings)" '
		if $mappings > 0 then "unit_findings{unit=\"unknown\"} \(length)" else empty end'
	vfiowatch conflicts --all --json=short | jq -r '. as $rows | ("alias", "promotion", "demotion") as $kind |
		("low", "high", "critical") as $severity | "findings_opened_total{kind=\"\($kind)\",severity=\"\($severity)\"} \(
			[$rows[] | select(.kind == $kind and .severity == $severity)] | length)"'
	vfiowatch lint --json=short | jq -r '. as $rows | ("unissued-offset", "unstable-cookie", "mutable-cookie") as $kind |
		"lint_total{kind=\"\($kind)\"} \([$rows[] | select(.kind == $kind) | .count] | add // 0)"'
	vfiowatch devices --json=short | jq -r '.[] | "{device=\"\(.device)\"}" as $labels |
		"device_open_files\($labels) \(.open_files)", "device_cookies\($labels) \(.cookies)",
		"device_mappings\($labels) \(.mappings)", "device_findings\($labels) \(.conflicts)"'
	printf 'left_out{kind="device"} 0\nleft_out{kind="unit-mapping"} 0\n'
}

# What changes by itself, and what is not in the status.
by_time='collected_timestamp|start_time|daemon_|bus_clients|readings|bpf_|outcome="sent"'

# WHAT: all samples but these are as expected.
expect_numbers() {
	vfiowatch metrics >/tmp/metrics || fail "$1: vfiowatch metrics"
	expected | sort >/tmp/expected
	grep -v '^#' /tmp/metrics | sed 's/^vfiowatch_//' | grep -Ev "$by_time" | sort >/tmp/told
	[ "$(wc -l </tmp/expected)" -gt 80 ] || fail "$1: only $(wc -l </tmp/expected) numbers to compare with"
	diff /tmp/expected /tmp/told || fail "$1: the numbers differ"
	expect_equal "$1: the text ends" "$(tail -n 1 /tmp/metrics)" "# EOF"
}

# SAMPLE, without vfiowatch_
value() {
	awk -v sample="vfiowatch_$1" '{ number = $NF; sub(/ [^ ]*$/, "") } $0 == sample { print number }' /tmp/metrics
}

start_daemon
expect_equal "there is nothing yet" "$(vfiowatch metrics | grep -c '^vfiowatch_mappings{')" 0
vfio-client /tmp/metrics.vfio &
client=$!
eventually "the client has mapped" 60 test -e /tmp/mapped
expect_numbers "with mappings"
cat /tmp/told
[ "$(value 'findings{kind="demotion",severity="low"}')" -gt 0 ] || fail "there is no conflict"
[ "$(value 'lint_total{kind="unissued-offset"}')" -gt 0 ] || fail "no program computed an offset"
[ -n "$(value 'mappings{source="devmem",requested="uc-",effective="uc-"}')" ] || fail "/dev/mem is not counted"

kill -STOP "$daemon"
touch /tmp/lose
eventually "the storm is over" 300 test -e /tmp/storm-over
kill -CONT "$daemon"
expect_numbers "after a loss"
[ "$(grep '^vfiowatch_events_lost_total' /tmp/metrics | awk '{ lost += $2 } END { print lost }')" -gt 0 ] ||
	fail "nothing was lost: the ring is larger than the storm"

# Nobody knows how long programs run until the kernel is told to measure it.
expect_equal "times are not known" "$(grep -c '^vfiowatch_bpf_' /tmp/metrics)" 0
echo 1 >/proc/sys/kernel/bpf_stats_enabled
touch /tmp/count
eventually "the mappings were made" 60 test -e /tmp/counted
echo 0 >/proc/sys/kernel/bpf_stats_enabled
vfiowatch metrics >/tmp/metrics
expect_equal "runs are counted" "$(value 'bpf_runs_total{program="fexit/vfio_device_fops_mmap"}')" 100
[ "$(value 'bpf_run_seconds_total{program="fexit/vfio_device_fops_mmap"}' | tr -d 0.)" ] || fail "they take no time"

expect "a file for node_exporter" vfiowatch metrics --textfile=/tmp/vfiowatch.prom
grep -v '^#' /tmp/vfiowatch.prom | sed 's/^vfiowatch_//' | grep -Ev "$by_time" | sort >/tmp/told
expected | sort | diff - /tmp/told || fail "the file has other numbers"
touch /tmp/end
wait "$client" || fail "the client failed"
client=
expect_numbers "with nothing mapped"
cp /tmp/vfiowatch.prom /tmp/before
end_recording
expect_status "without a daemon" 4 vfiowatch metrics --textfile=/tmp/vfiowatch.prom
expect "the old file stays" cmp /tmp/before /tmp/vfiowatch.prom
expect_equal "and nothing beside it" "$(echo /tmp/vfiowatch.prom*)" /tmp/vfiowatch.prom
expect_equal "a private daemon tells too" "$(vfiowatch --spawn metrics | grep -c -e '^vfiowatch_recording{state="on"} 1' -e '^# EOF')" 2
