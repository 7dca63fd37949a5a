# vm: --append iomem=relaxed
# kernels: 6.12
# A policy that audits: everything is granted, and what it would deny is counted, told and shown, with rule and parties.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

bind_test_driver
alias_policy audit deny
start_daemon
expect_equal "the mode" "$(status .mode)" audit
expect_equal "nothing is decided in the kernel" "$(status .enforcing)" null
expect_equal "deciding programs" "$(find $pins -name 'link_decide_*' | wc -l)" 0
expect_equal "and it is not degraded" "$(status '.degraded | length')" 0
{
	cat /tests/clients/policy-open.vfio
	cat <<-'END'
		comm owner
		mmap-raw a dev $PLAIN+64K 4p
		fork peer
		@peer comm peer
		@peer munmap a
		@peer mmap-raw same dev $D3_UC+64K 4p
		@peer mmap-raw near dev $D3_WC+80K 4p
		@peer run test "$(vfiowatch status --json | jq .would_denied)" -eq 0
		@peer mmap-raw b dev $D3_WC+72K 2p
		touch a
		touch-file /tmp/mapped
		barrier /tmp/go
		@peer munmap b
		touch-file /tmp/unmapped
		barrier /tmp/end
	END
} >/tmp/audit.vfio
vfio-client /tmp/audit.vfio &
client=$!
eventually "all is mapped, also what the policy denies" 60 test -e /tmp/mapped
# the request, which overlaps two mappings, and the two findings that follow from it
would_denied=$(status .would_denied)
[ "$would_denied" -gt 0 ] || fail "nothing would have been denied"
expect_equal "denied" "$(status .denied)" 0
vfiowatch mappings --json >/tmp/rows
expect_equal "the mapping has the verdict" \
	"$(jq -r '[.[] | select(.comm == "peer" and .verdict != "allow") | .source + " " + .requested + " " + .rule + " " + .verdict] | join(", ")' /tmp/rows)" \
	"vfio wc never-both would-deny"
expect_equal "no other has" "$(jq '[.[] | select(.verdict != "allow")] | length' /tmp/rows)" 1
expect_equal "the conflicts have it" \
	"$(vfiowatch conflicts --json | jq -r '[.[] | select(.kind == "alias" and .active) | .rule + " " + .verdict] | unique | join(", ")')" \
	"never-both would-deny"
# the same by policy test against what is there
vfiowatch policy test --json /etc/vfiowatch/policy.d/50-test.conf >/tmp/tested || fail "policy test fails"
[ "$(jq -s 'if length == 1 and (.[0] | type) == "array" then .[0] else . end | map(select(.verdict == "deny" and .rule == "never-both")) | length' /tmp/tested)" -ge 1 ] ||
	fail "policy test tells of nothing: $(cat /tmp/tested)"
touch /tmp/go
eventually "one is unmapped" 60 test -e /tmp/unmapped
expect_equal "nothing is in conflict any more" \
	"$(vfiowatch conflicts --json | jq '[.[] | select(.kind == "alias" and .active)] | length')" 0
expect_equal "what would have been denied stays counted" "$(status .would_denied)" "$would_denied"
touch /tmp/end
wait "$client" || fail "the client failed"
client=
expect_balance
stop_daemon
[ ! -e $pins ] || fail "pins are left: $(ls $pins)"
