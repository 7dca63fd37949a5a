# vm: --daemon
# kernels: 6.1 7.2
# What is recorded into a file and replayed is what was live; a bad file gets one error with the offset.
. /tests/lib.sh

vfio-client -c 'open dev group 0000:00:04.0; mmap old dev 2 0 4p; touch-file /tmp/old; barrier /tmp/end' &
client=$!
eventually "there is something before the capture" 60 test -e /tmp/old
vfiowatch record /out/steps.capture &
record=$!
eventually "recording to a file has begun" 30 test -s /out/steps.capture
CHECK_LEDGER=true CHECK_COOKIE=true vfio-client /tests/clients/older.vfio &
second=$!
eventually "the client has mapped" 60 test -e /tmp/older
touch /tmp/go
eventually "the client went on" 60 test -e /tmp/went
# a capture holds no policy: there are no verdicts in it
vfiowatch mappings --json | jq -S 'map(del(.unit, .machine) | .rule = null | .verdict = null)' >/tmp/live.mappings
vfiowatch cookies --json | jq -S . >/tmp/live.cookies
kill -INT $record
wait $record || fail "record failed"

vfiowatch --replay /out/steps.capture mappings --json | jq -S 'map(del(.unit, .machine))' >/tmp/replayed.mappings
diff /tmp/live.mappings /tmp/replayed.mappings || fail "replayed mappings differ"
vfiowatch --replay /out/steps.capture cookies --json | jq -S . >/tmp/replayed.cookies
diff /tmp/live.cookies /tmp/replayed.cookies || fail "replayed cookies differ"
[ "$(vfiowatch --replay /out/steps.capture events --json | jq -s length)" -gt 10 ] || fail "few events"

size=$(stat -c %s /out/steps.capture)
head -c $((size - 1)) /out/steps.capture >/tmp/cut
expect_status "a truncated capture" 1 vfiowatch --replay /tmp/cut mappings
expect_equal "gets one line" "$(wc -l </tmp/expect.err)" 1
grep -q 'offset [0-9]' /tmp/expect.err || fail "no offset in: $(cat /tmp/expect.err)"
expect_equal "and shows nothing" "$(wc -c </tmp/expect.out)" 0
head -c 500 /out/steps.capture >/tmp/corrupt
printf 'XXXX' >>/tmp/corrupt
tail -c +505 /out/steps.capture >>/tmp/corrupt
expect_status "a corrupted capture" 1 vfiowatch --replay /tmp/corrupt mappings
grep -q 'offset [0-9]' /tmp/expect.err || fail "no offset in: $(cat /tmp/expect.err)"
expect_status "a foreign file" 1 vfiowatch --replay /bin/busybox mappings
grep -q 'offset 0' /tmp/expect.err || fail "no offset in: $(cat /tmp/expect.err)"
touch /tmp/end
wait $client $second || fail "a client failed"
expect_balance
