# vm: --daemon
# kernels: 6.1 7.2
# More mappings than one answer of the bus carries: one BAR of each of two devices, split at every page.
. /tests/lib.sh

{
	for device in one two; do
		echo "mmap $device $device 2"
		page=1
		while [ $page -lt 4096 ]; do
			echo "mprotect $device ${page}p 1p ro"
			page=$((page + 2))
		done
	done
} >/tmp/split
{
	printf 'open one group 0000:00:01.0\nopen two group 0000:00:02.0\n'
	cat /tmp/split
	printf 'touch-file /tmp/split-done\nbarrier /tmp/end\n'
} >/tmp/many.vfio
vfio-client /tmp/many.vfio &
client=$!
eventually "the client has split" 300 test -e /tmp/split-done
expect "all are known" check-ledger --require-some 8192
expect_equal "and listed once" "$(vfiowatch mappings --json | jq '[.[].id] | unique | length')" 8192
expect_equal "by device" "$(vfiowatch mappings --device 0000:00:02.0 --json | jq length)" 4096
touch /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
expect_balance
