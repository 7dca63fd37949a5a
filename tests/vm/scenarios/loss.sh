# kernels: 6.1 7.2
# The ring overflows while the daemon is stopped: every lost event is counted, and the ledger is right again.
. /tests/lib.sh

start_daemon
kill -STOP "$daemon"
vfio-client /tests/clients/storm-held.vfio &
client=$!
eventually "the storm is over" 300 test -e /tmp/storm-over
kill -CONT "$daemon"
expect "the ledger is exact afterwards" check-ledger --require-some 2
expect_balance
lost=$(status .lost)
[ "$lost" -gt 0 ] || fail "nothing was lost: the ring is larger than the storm"
expect_equal "the event stream tells of every loss" \
	"$(vfiowatch events --json | jq -s '[.[] | select(.event == "lost") | .count] | add')" "$lost"
touch /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
expect_balance
expect_equal "it is not degraded any more" "$(status '.degraded | length')" 0
