# vm: --append preempt=full
# A fully preemptible kernel skips recording programs while a preempted task is in one: the ledger is exact all the same.
. /tests/lib.sh

start_daemon
for round in 1 2 3; do
	vfio-client /tests/storm.vfio || fail "the ledger was wrong in round $round"
	expect_balance
done
expect "nothing is left" check-ledger
expect_equal "no open file is left" "$(vfiowatch devices --json | jq '[.[].open_files] | add')" 0
expect_equal "it is not degraded" "$(status '.degraded | length')" 0
echo "runs skipped: $(status .skipped), audits: $(status .audits)"
stop_daemon
