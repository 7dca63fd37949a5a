# Mappings and files older than the daemon.
. /tests/lib.sh

vfio-client /tests/clients/older.vfio &
client=$!
eventually "the client has mapped" 60 test -e /tmp/older

start_daemon
expect "older mappings are found" check-ledger --require-some 7 --expect-origin scan
expect_equal "times issued before recording are unknown" \
	"$(vfiowatch cookies --all --json | jq '[.[] | select(.issued != null)] | length')" 0
expect_equal "the older file is held by two processes" \
	"$(vfiowatch devices --json | jq '[.[] | .files[] | select(.from_scan)] | map(.holders | length) | add')" 2

touch /tmp/go
eventually "the client went on" 60 test -e /tmp/went
expect "older and newer mappings are told together" check-ledger --require-some 9
expect_equal "the newer ones are known as such" \
	"$(vfiowatch mappings --json | jq '[.[] | select(.origin == "event")] | length')" 2
expect_balance
end_recording

# A daemon that starts anew finds all of them, none twice.
start_daemon
expect "a new daemon finds all" check-ledger --require-some 9 --expect-origin scan
touch /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
expect_equal "no open file is left" "$(vfiowatch devices --json | jq '[.[].open_files] | add')" 0
expect_balance
