# The test driver and the reader of page tables survive random use: two clients at a time, killed or not, while the
# ways change under them and their page tables are read; without the product.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
first=0000:00:01.0 second=0000:00:02.0
# where populated mappings reserve their type, one that "split" allowed can keep the driver from mapping the BAR again
case $(uname -r) in
6.1.*) nosplit=1 split=iomap ;;
*) nosplit='' split="split 2 1M 64K" ;;
esac

# Until the file /tmp/stop is there. What it writes and reads must not matter.
disturb() {
	while [ ! -e /tmp/stop ]; do
		for mode in iomap prot "$split" pte remap iomap; do
			echo "$mode" >/sys/bus/pci/devices/$first/wc_mode
			for process in $(pidof vfio-client); do
				test-pages "$process" 1000 7fffffffe000 >/dev/null 2>&1
			done
		done
		dd if=/sys/bus/pci/devices/$second/wc_mode of=/dev/null 2>/dev/null
	done
}

# BDF SEED: one sequence; a client may only end by itself or by the kill that the sequence asked for.
sequence() {
	awk -v seed="$2" -v steps=30 -v bdf="$1" -v nosplit=$nosplit -f /tests/clients/kmod-random.awk >"/out/kmod-random-$2.vfio"
	status=0
	vfio-client "/out/kmod-random-$2.vfio" 2>"/tmp/error-$2" || status=$?
	[ $status -eq 0 ] || { [ $status -eq 137 ] && grep -q 'kill -9' "/out/kmod-random-$2.vfio"; } ||
		echo "seed $2: status $status: $(cat "/tmp/error-$2")" >>/tmp/failures
	[ -e /tmp/failures ] || rm "/out/kmod-random-$2.vfio"
}

expect "the modules load" test-modules load
expect "binding" vfio-bind --driver vfiowatch-test $first $second
disturb 2>/dev/null &
for seed in $(seq 1 2 199); do
	sequence $first "$seed" &
	one=$!
	sequence $second $((seed + 1))
	wait $one
	[ ! -e /tmp/failures ] || fail "$(cat /tmp/failures)"
done
: >/tmp/stop
wait
expect "the modules go" test-modules unload
expect_equal "kernel warnings" "$(dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|Bad page')" ""
