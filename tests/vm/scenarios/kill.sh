# kill -9 in the middle of a storm: recording goes on, and the next daemon knows everything.
. /tests/lib.sh

start_daemon
vfio-client /tests/clients/storm-held.vfio &
client=$!
eventually "the storm has begun" 60 test -e /tmp/storm
generated=0
for round in 1 2 3; do
	sleep 0.3
	kill -9 "$daemon"
	wait "$daemon"
	sleep 0.2
	start_daemon
	expect_equal "the programs are adopted" "$(status .adopted)" true
	before=$generated
	generated=$(status '[.kernel_types[].generated] | add')
	[ "$generated" -ge "$before" ] || fail "the count of events went back in round $round: $before, $generated"
done
eventually "the storm is over" 300 test -e /tmp/storm-over
expect_balance
expect "the ledger is exact afterwards" check-ledger --require-some 2 --expect-origin event
# A preemptible kernel may skip a program; that is counted, and its run can be missing from what was generated.
seen=$(status '.kernel_types[] | select(.type == "map") | .generated') skipped=$(status .skipped)
if [ "$seen" -gt 20002 ] || [ $((seen + skipped)) -lt 20002 ]; then
	fail "of 20,002 mmaps $seen were seen and $skipped skipped"
fi
expect_equal "the cookie is known, with all times it was issued" \
	"$(vfiowatch cookies --device 0000:00:01.0 --json | jq -c '[.[] | [.region, .offset, .size, .issued]]')" \
	'[[2,"0x20000000000",16777216,3]]'
touch /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
expect_balance
