# $attempts of them.
# shellcheck shell=sh source=race.sh
. /tests/policy/race.sh

bind_test_driver
prove_observer
alias_policy enforce deny
start_daemon
expect_enforcing
fair_race "${attempts:?}" "$(date +%s)"
expect_all_decided
expect_empty_tables
[ "$(status .denied)" -ge "$(counted denied)" ] || fail "status tells of fewer denials: $(status .denied)"
expect_balance
expect "nothing is left in the ledger" check-ledger
prove_reasons
expect_empty_tables
stop_daemon
expect "enforcement goes" vfiowatchd --detach
expect_healthy_kernel
