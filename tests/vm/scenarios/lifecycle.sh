# How the daemon starts and ends, and what it leaves behind.
. /tests/lib.sh

links() {
	find /sys/fs/bpf -name 'link_*' 2>/dev/null | wc -l
}

expect_status "without a daemon" 4 vfiowatch status
expect_status "without a daemon" 4 vfiowatch mappings
expect_status "doctor works without one" 4 vfiowatch doctor

start_daemon
[ "$(links)" -gt 0 ] || fail "nothing is pinned"
expect_status "a second daemon" 1 vfiowatchd --foreground
grep -q 'another vfiowatchd is running' /tmp/expect.err || fail "unclear: $(cat /tmp/expect.err)"
end_recording
[ ! -e /run/vfiowatch/bus ] || fail "SIGTERM leaves the socket"
expect "no program is left" rmmod vfio_pci

vfio-modules load || fail "modules do not load again"
start_daemon --keep-recording
vfio-client /tests/clients/older.vfio &
client=$!
eventually "the client has mapped" 60 test -e /tmp/older
stop_daemon
[ "$(links)" -gt 0 ] || fail "--keep-recording left nothing"
touch /tmp/go
eventually "the client went on without a daemon" 60 test -e /tmp/went
start_daemon
expect_equal "the recording is adopted" "$(status .adopted)" true
expect "everything is known, also what was mapped in between" check-ledger --require-some 9 --expect-origin event
expect_balance
touch /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
kill -9 "$daemon"
wait "$daemon"
[ "$(links)" -gt 0 ] || fail "kill -9 ended the recording"
expect "detach" vfiowatchd --detach
[ ! -e /sys/fs/bpf/vfiowatch ] || fail "--detach leaves pins"

# Without anything installed or running.
expect_status "--spawn" 0 vfiowatch --spawn status --json
expect_equal "a private daemon records" "$(jq -r .recording /tmp/expect.out)" on
expect_equal "and enforces nothing" "$(jq -r .mode /tmp/expect.out)" audit
[ -z "$(pidof vfiowatchd)" ] || fail "--spawn leaves a daemon"
[ "$(links)" -eq 0 ] || fail "--spawn leaves pins"

umount /sys/fs/bpf
expect_status "no BPF file system" 1 vfiowatchd --foreground
grep -q 'mount -t bpf' /tmp/expect.err || fail "no remedy: $(cat /tmp/expect.err)"
