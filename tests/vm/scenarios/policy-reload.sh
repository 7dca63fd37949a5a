# vm: --append iomem=relaxed
# kernels: 6.1
# A policy that is wrong is refused by file and line, hundreds of times, and the running one stays in force, its digest
# unchanged; a right one is taken, by the command and by SIGHUP.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

resource=/sys/bus/pci/devices/0000:00:01.0/resource2_wc

denied() {
	vfio-client -c "open wc path $resource; !EPERM mmap-raw w wc 64K 4p"
}

# POLICY LINE: where the last reload said that its mistake is
expect_place() {
	expect_equal "one line about $1" "$(wc -l </tmp/reload.err)" 1
	grep -qE "$policies/50-test.conf:$2: .*;? .+" /tmp/reload.err || fail "$1 has its mistake in line $2, but: $(cat /tmp/reload.err)"
}

alias_policy enforce deny
start_daemon
expect_enforcing
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 1M; touch a; hold /tmp/held' &
client=$!
eventually "the device is mapped" 60 test -e /tmp/held
expect "it is denied" denied
digest=$(status .policy_digest)
expect_equal "the digest's length" "${#digest}" 64
cp $policies/50-test.conf /tmp/good.conf

mkdir /tmp/malformed
count=$(awk -v directory=/tmp/malformed -f /tests/policy/malformed.awk)
[ "$count" -ge 200 ] || fail "only $count malformed policies"
while read -r n line; do
	cp "/tmp/malformed/$n.conf" $policies/50-test.conf
	got=0
	vfiowatch reload >/tmp/reload.out 2>/tmp/reload.err || got=$?
	[ $got -eq 1 ] || fail "policy $n (line $line) gets $got: $(cat /tmp/reload.out; cat -A "/tmp/malformed/$n.conf")"
	expect_place "policy $n" "$line"
	[ $((n % 20)) -ne 0 ] || expect_equal "the digest after policy $n" "$(status .policy_digest)" "$digest"
done </tmp/malformed/expected
echo "$count malformed policies were refused"
expect_equal "the digest" "$(status .policy_digest)" "$digest"
expect_enforcing
expect "it is still denied" denied

# Files that cannot be read
mkdir $policies/60-directory.conf
cp /tmp/good.conf $policies/50-test.conf
expect_status "a directory" 1 vfiowatch reload
grep -q '60-directory.conf' /tmp/expect.err || fail "unclear: $(cat /tmp/expect.err)"
rmdir $policies/60-directory.conf
mkfifo $policies/60-fifo.conf
expect_status "a FIFO" 1 vfiowatch reload
rm $policies/60-fifo.conf
head -c 1000000 /dev/zero >$policies/60-large.conf
expect_status "a file that is too large" 1 vfiowatch reload
rm $policies/60-large.conf
expect_equal "the digest" "$(status .policy_digest)" "$digest"
expect "it is still denied" denied

# The same policy written otherwise is the same.
{ echo '# a comment'; cat /tmp/good.conf; echo; } >$policies/50-test.conf
reload
expect_equal "the digest of the same policy" "$(status .policy_digest)" "$digest"
# Another one, by SIGHUP
sed 's/never-both/other-name/' /tmp/good.conf >$policies/50-test.conf
kill -HUP "$daemon"
digest_differs() {
	[ "$(status .policy_digest)" != "$digest" ]
}
eventually "SIGHUP loads the other policy" 30 digest_differs
expect "it is denied" denied
expect_equal "by its rule" "$(vfiowatch events --json | jq -rs '[.[] | select(.rule) | .rule] | last')" other-name
# Precedence: the same file name in /run counts less than in /etc, and an empty file hides it
mkdir -p /run/vfiowatch/policy.d
cp /tmp/good.conf /run/vfiowatch/policy.d/50-test.conf
: >$policies/50-test.conf
reload
expect_equal "the policy is hidden: mode" "$(status .mode)" audit
expect "nothing is denied" vfio-client -c "open wc path $resource; mmap-raw w wc 64K 4p"
rm $policies/50-test.conf
reload
expect_equal "the one in /run is in force" "$(status .policy_digest)" "$digest"
expect "it is denied" denied
[ "$(vfiowatch policy show | grep -c /run/vfiowatch/policy.d/50-test.conf)" -ge 4 ] ||
	fail "policy show does not say where it is from: $(vfiowatch policy show)"
kill "$client"
wait "$client" || fail "the client failed"
client=
expect_balance
stop_daemon
expect "detach" vfiowatchd --detach
