# vm: --systemd
# kernels: 6.1 7.2
# Audit records in journald, under the unit of the process concerned.
. /tests/lib.sh

systemctl is-active --quiet vfiowatchd.service || fail "the service is not active"
expect "the daemon is ready" vfiowatch status --wait=60 >/dev/null
# It stays until its records were read: journald looks up a process that is still there.
systemd-run --quiet --unit=driver.service vfio-client -c 'open d group 0000:00:01.0; info d 2; info d 2; mmap a d 2;
	comm \x1b[31mred; info d 0; touch-file /tmp/driver-done; barrier /tmp/driver-end' || fail "the client does not start"
eventually "the client has mapped" 60 test -e /tmp/driver-done
recorded() {
	journalctl --sync
	[ "$(journalctl -u driver.service "MESSAGE_ID=$cookie_issued" -o cat | wc -l)" -ge 2 ]
}
cookie_issued=$(sed -n 's/^-- \(.*\)/\1/p' /usr/lib/systemd/catalog/vfiowatch.catalog | sed -n 1p)
events_lost=$(sed -n 's/^-- \(.*\)/\1/p' /usr/lib/systemd/catalog/vfiowatch.catalog | sed -n 2p)

eventually "the records are under the client's unit" 60 recorded
touch /tmp/driver-end
journalctl "MESSAGE_ID=$cookie_issued" -o json >/tmp/records
expect_equal "one record per cookie, not per call" "$(wc -l </tmp/records)" 2
expect_equal "with the contract's fields" "$(head -n 1 /tmp/records |
	jq -r '[.VFIOWATCH_DEVICE, .VFIOWATCH_REGION, .VFIOWATCH_SOURCE, .VFIOWATCH_DIALECT, .VFIOWATCH_OFFSET,
		.VFIOWATCH_SIZE, .VFIOWATCH_REQUESTED, .OBJECT_SYSTEMD_UNIT] | join(" ")')" \
	"0000:00:01.0 2 vfio region-info 0x20000000000 16777216 uc- driver.service"
# What an audit told of before its event was read has none.
[ "$(status .audits)" -gt 0 ] || expect_equal "the sequence is there" "$(jq -r 'select(.VFIOWATCH_SEQ == null) | .MESSAGE' /tmp/records)" ""
expect_equal "the records are under the client's unit" \
	"$(journalctl -u driver.service "MESSAGE_ID=$cookie_issued" -o cat | wc -l)" 2
expect_equal "hostile names are escaped" "$(tail -n 1 /tmp/records | jq -r .MESSAGE | LC_ALL=C tr -d ' -~\n' | wc -c)" 0
journalctl -x "MESSAGE_ID=$cookie_issued" | grep -q 'This is an audit record' || fail "no catalog text"

# A loss is recorded too.
kill -STOP "$(systemctl show -P MainPID vfiowatchd.service)"
touch /tmp/end
expect "a storm runs" vfio-client /tests/clients/storm-held.vfio
kill -CONT "$(systemctl show -P MainPID vfiowatchd.service)"
expect "nothing is left" check-ledger
expect_balance
told() {
	journalctl --sync
	journalctl "MESSAGE_ID=$events_lost" -o json | jq -s '[.[].VFIOWATCH_LOST | tonumber] | add'
}
expect_equal "the journal has every loss" "$(told)" "$(status '.lost + .skipped')"
[ "$(status .lost)" -gt 0 ] || fail "nothing was lost"

# As is what a preemptible kernel skipped while no daemon was there, and what an earlier one wrote is not written again.
for worker in 1 2 3; do
	while [ ! -e /tmp/enough ]; do /bin/true; done &
done
started_again() {
	[ "$(systemctl show -P NRestarts vfiowatchd.service)" -gt 0 ]
}
all_told() {
	[ "$(told)" = "$(status '.lost + .skipped')" ]
}
before=$(status .skipped)
systemctl kill -s KILL vfiowatchd.service
eventually "another daemon is there" 300 started_again
expect "the daemon is ready" vfiowatch status --wait=200 >/dev/null
touch /tmp/enough
eventually "the journal has every skipped run" 10 all_told
expect_equal "the programs are adopted" "$(status .adopted)" true
echo "runs skipped: $before by one daemon, $(($(status .skipped) - before)) by the next"

# The system bus serves the same.
on_system_bus() {
	[ "$(VFIOWATCH_ADDRESS=unix:path=/run/dbus/system_bus_socket vfiowatch status --json | jq -r .recording)" = on ]
}
eventually "over the system bus" 90 on_system_bus
mode=$(status .mode)
systemctl stop vfiowatchd.service || fail "the service does not stop"
expect_nothing_pinned "$mode"
[ ! -e /run/vfiowatch/bus ] || fail "the socket is left after the service was stopped"
