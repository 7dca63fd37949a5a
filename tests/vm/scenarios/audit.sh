# vm: --copy /usr/sbin/bpftool:/usr/bin/bpftool
# Tables that are wrong, as after the kernel skipped recording programs, are put right.
. /tests/lib.sh
table=/sys/fs/bpf/vfiowatch/vmas

entries() {
	bpftool -j map dump pinned $table | jq length
}

# N FIELD: the bytes of entry N's key or value, in hex
bytes() {
	bpftool -j map dump pinned $table | jq -r ".[$1].$2 | map(.[2:]) | join(\" \")"
}

scanned() {
	vfiowatch mappings --json | jq '[.[] | select(.origin == "scan")] | length'
}

start_daemon
vfio-client /tests/clients/older.vfio &
client=$!
eventually "the client has mapped" 60 test -e /tmp/older
expect "the ledger is right" check-ledger --require-some 7 --expect-origin event
audits=$(status .audits)

# An entry whose end was not seen: no VMA of VFIO is there any more.
# shellcheck disable=SC2046
bpftool map update pinned $table key hex 00 10 00 00 80 88 ff ff value hex $(bytes 0 value) any ||
	fail "bpftool cannot add an entry"
expect_equal "the dead entry is there" "$(entries)" 8
expect "the ledger is not fooled by it" check-ledger --require-some 7
eventually "the dead entry is removed" 30 sh -c "vfiowatch mappings >/dev/null; [ \$(bpftool -j map dump pinned $table | jq length) -eq 7 ]"
[ "$(status .audits)" -gt "$audits" ] || fail "without an audit"
expect "and no other" check-ledger --require-some 7 --expect-origin event

# A mapping that was not seen, and an entry that took over another's place: what a daemon finds that starts anew.
kill -9 "$daemon"
wait "$daemon"
# shellcheck disable=SC2046
bpftool map delete pinned $table key hex $(bytes 0 key) || fail "bpftool cannot delete an entry"
value=$(bytes 0 value)
# the second field is file_id
# shellcheck disable=SC2046,SC2086
bpftool map update pinned $table key hex $(bytes 0 key) \
	value hex ${value%"${value#???????????????????????}"} ff ff 00 00 00 00 00 00 ${value#????????????????????????????????????????????????} any ||
	fail "bpftool cannot change an entry"
start_daemon
expect_equal "the recording is adopted" "$(status .adopted)" true
expect "all mappings are known again" check-ledger --require-some 7
expect_equal "two of them by scan" "$(scanned)" 2
touch /tmp/go /tmp/end
wait $client || fail "the client failed"
client=
expect "nothing is left" check-ledger
expect_equal "nor in the table" "$(entries)" 0
