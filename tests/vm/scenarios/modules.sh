# vm: --append vfiowatch.novfio
# The vfio modules come after the daemon, go, and come again.
. /tests/lib.sh

start_daemon
recording_is waiting || fail "without modules it is $(status .recording)"
expect_equal "and not degraded" "$(status '.degraded | length')" 0
expect_equal "the reason is told" "$(status .recording_reason)" "waiting for kernel module vfio"
expect_status "which is no failure" 0 vfiowatch status --check

for round in 1 2 3; do
	expect "modules load" vfio-modules load
	eventually "recording starts in round $round" 30 recording_is on
	rm -f /tmp/older /tmp/go /tmp/went /tmp/end
	vfio-client /tests/clients/older.vfio &
	client=$!
	eventually "the client has mapped" 60 test -e /tmp/older
	expect "mappings are seen in round $round" check-ledger --require-some 7 --expect-origin event
	! rmmod vfio_pci 2>/dev/null || fail "vfio_pci was unloaded while in use"
	recording_is on || fail "recording stopped though the modules are in use"
	touch /tmp/go /tmp/end
	wait $client || fail "the client failed"
	client=
	expect "nothing is left" check-ledger
	# The daemon lets go of the lower modules when the last VFIO driver is gone.
	eventually "modules unload in round $round" 30 vfio-modules unload
	eventually "recording stops in round $round" 30 recording_is waiting
	[ ! -e /sys/module/vfio ] || fail "module vfio is still there"
done
expect_balance
stop_daemon
