# shellcheck shell=sh source=race.sh
. /tests/policy/race.sh

# kill -9 and start anew, whatever the daemon is doing just then
killer() {
	kills=0
	echo 0 >/tmp/kills
	while [ ! -e /tmp/race-over ]; do
		sleep 0.2
		kill -9 "$daemon"
		wait "$daemon"
		kills=$((kills + 1))
		echo $kills >/tmp/kills
		vfiowatchd --foreground 2>>/out/vfiowatchd.log &
		daemon=$!
	done
	kill -9 "$daemon"
	wait "$daemon"
}

bind_test_driver
alias_policy enforce deny
start_daemon
expect_enforcing
kill -9 "$daemon"
wait "$daemon"
(
	vfiowatchd --foreground 2>>/out/vfiowatchd.log &
	daemon=$!
	killer
) &
killing=$!
vfio-client -c 'open second group 0000:00:02.0; storm 1000000000 second 2 64K' &
storm=$!
rounds=0
while [ "$(cat /tmp/kills)" -lt 25 ] || [ $rounds -eq 0 ]; do
	fair_race 100000 "$(($(date +%s) + rounds))"
	rounds=$((rounds + 1))
	[ $rounds -lt 100 ] || fail "the daemon is hardly ever killed"
done
touch /tmp/race-over
wait $killing
kill $storm
wait $storm
kills=$(cat /tmp/kills)
start_daemon
expect_equal "enforcement was there all the time" "$(status .adopted)" true
expect_enforcing
echo "killed $kills times; events lost: $(status .lost)"
[ "$(status .lost)" -gt 0 ] || fail "no flood: no event was lost"
expect_all_decided
expect_empty_tables
expect_balance
expect "nothing is left in the ledger" check-ledger
fair_race 2000 7
expect_empty_tables
stop_daemon
expect "enforcement goes" vfiowatchd --detach
expect_healthy_kernel
