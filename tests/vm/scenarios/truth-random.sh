# vm: --daemon --append iomem=relaxed
# long
# Random mappings of one BAR from every source and by every dialect, while the driver, the device and the clients change
# under them: after each step all memory types and findings are what the page tables say.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh

# other sequences on each kernel
case $(uname -r) in
6.1.*) first=1001 ;;
6.12.*) first=2001 ;;
*) first=3001 ;;
esac
# 200 on the three kernels, which take long: VFIOWATCH_TEST_SET=TRUTH_SEQUENCES=67 tests/vm/test truth-random.sh
sequences=${TRUTH_SEQUENCES:-20} steps=10

# How often the answers to a sequence say $1
count() {
	grep -c -- "$1" /tmp/out
}

expect "the modules load" test-modules load
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0
commands=0 failed=0 findings=0
for seed in $(seq $first $((first + sequences - 1))); do
	awk -v seed="$seed" -v steps=$steps -f /tests/clients/truth-random.awk >/out/truth-random.vfio
	vfio-client -v /out/truth-random.vfio >/tmp/out 2>/tmp/error ||
		fail "seed $seed: $(tail -n 20 /tmp/error) (truth-random.vfio has the sequence)"
	[ "$(count 'mappings and')" -ge "$steps" ] || fail "seed $seed: only $(count 'mappings and') checks"
	commands=$((commands + $(grep -c . /tmp/out))) failed=$((failed + $(count 'failed, which it may')))
	findings=$((findings + $(sed -n 's/.* mappings and \([0-9]*\) findings equal/\1/p' /tmp/out | awk '{ n += $1 } END { print n + 0 }')))
done
rm /out/truth-random.vfio
expect "nothing is left" check-findings --expect none >/dev/null
# so that the sequences do not test ever less without anybody noticing
[ $((failed * 20)) -lt $commands ] || fail "$failed of $commands commands failed"
[ $findings -ge $((sequences * steps)) ] || fail "only $findings findings in all checks"
echo "$sequences sequences: $commands commands, $failed of them failed, $findings findings compared"
expect_balance
expect "the modules go" test-modules unload
# 6.1 warns when a mapping of remap_pfn_range() goes whose first page was taken away or moved before
expect_equal "kernel warnings" "$(dmesg | grep -E 'WARNING|BUG|Oops|Bad page' | grep -v ' untrack_pfn+')" ""
