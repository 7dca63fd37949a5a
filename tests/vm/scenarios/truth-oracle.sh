# vm: --daemon
# kernels: 7.2
# check-findings accepts what is right and rejects every change to it, for the right reason.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
mappings=/tmp/mappings conflicts=/tmp/conflicts wrong=/tmp/wrong

if [ "${1-}" != tamper ]; then
	expect "the modules load" test-modules load
	expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0
	expect "the test of the oracle" vfio-client <<-'END'
		wc-mode 0000:00:01.0 prot
		open dev group 0000:00:01.0
		alias dev 2 wc WC
		mmap weak dev $WC 4M 4p
		touch weak 0 2p
		wc-mode 0000:00:01.0 pte
		mmap plain dev 2 1M 8p
		touch plain 4p 2p
		mmap wc dev $WC 1028K 2p
		dmabuf gone dev 2
		mmap-raw revoked gone 0 2p
		touch revoked
		revoke gone
		wc-mode 0000:00:01.0 iomap
		touch plain 7p 1p
		mmap strong dev 2 8M 4p
		touch strong 1p 1p
		touch strong 3p 1p
		run sh /tests/truth-oracle.sh tamper
		munmap wc
		run vfiowatch conflicts --json >/tmp/conflicts
		run ! check-findings --mappings /tmp/mappings --conflicts /tmp/conflicts
		share twin
		run check-findings
	END
	exit
fi

# WORDS-OF-THE-REASON check-findings' ARGUMENTS
rejected() {
	reason=$1
	shift
	check-findings "$@" >/tmp/said 2>&1 && fail "accepted, although: $reason"
	grep -qF -- "$reason" /tmp/said || fail "expected '$reason', but it said: $(cat /tmp/said)"
}

# JQ-FILTER WORDS-OF-THE-REASON, of the mappings
mapping() {
	jq "$1" $mappings >$wrong
	! cmp -s $mappings $wrong || fail "changes nothing: $1"
	rejected "$2" --mappings $wrong --conflicts $conflicts
}

# .. and of the findings
conflict() {
	jq "$1" $conflicts >$wrong
	! cmp -s $conflicts $wrong || fail "changes nothing: $1"
	rejected "$2" --mappings $mappings --conflicts $wrong
}

vfiowatch mappings --json | jq 'sort_by(.requested, .start)' >$mappings
vfiowatch conflicts --json | jq 'sort_by(.kind)' >$conflicts
expect_equal "kinds" "$(jq -c '[.[].kind]' $conflicts)" '["alias","demotion","promotion","promotion"]'
expect_equal "mappings" "$(jq length $mappings)" 5
expect "what is right" check-findings --mappings $mappings --conflicts $conflicts
expect "what is there" check-findings --expect alias=1,promotion=2,demotion=1
rejected 'expected 2' --expect alias=2,promotion=2,demotion=1
rejected 'expected 0' --expect none
rejected 'is empty' --mappings /dev/null --conflicts $conflicts

a='.[map(.requested == "wc") | index(true)]' u='.[map(.effective == "mixed") | index(true)]'
r='.[map(.revoked) | index(true)]'
mapping 'del(.[0])' 'in /proc, but not in the ledger'
mapping '. + [.[0]]' 'twice in the ledger'
mapping '.[0].pid = 1' 'no such VMA'
mapping '.[0].pid |= tostring' 'wrong form'
mapping '.[0].end |= "0x1" + .[2:]' 'no such VMA'
mapping "$a.source = \"dmabuf\"" 'source is'
mapping "$a.requested = \"uc-\"" 'requested is'
mapping "$a.requested = null" 'requested is null'
mapping "$a.effective = null" 'effective is null'
mapping "$u.effective = \"uc-\"" 'effective is'
mapping "$u.populated += 4096" 'populated is'
mapping "$u.populated = null" 'populated is null'
mapping "$u.populated_4k -= 4096" 'populated_4k is'
mapping "$u.populated_2m = 2097152" 'populated_2m is'
mapping "$u.extents = null" 'extents is'
mapping "del($u.extents[1])" 'extents is'
mapping "$u.extents[1].type = \"uc-\"" 'extents is'
mapping "$u.extents[0].end = $u.extents[0].start" 'extents is'
mapping "$u.extents[0].phys_start = \"0x1000\"" 'extents is'
mapping "$u.extents[0].leaf = \"2m\"" 'extents is'
mapping "$u.phys_start = null" 'phys_start is'
mapping "$u.phys_end = $u.phys_start" 'phys_end is'
mapping "$u.device = \"0000:00:02.0\"" 'device is'
mapping "$u.region = 0" 'region is'
mapping "$u.region = null" 'region is'
mapping "$u.revoked = true" 'revoked is true'
mapping "$u.live = false" 'live is false'
mapping "$r.revoked = false" 'revoked is false'
mapping "$r.extents = []" 'extents is'

conflict 'del(.[0])' 'not open'
conflict 'del(.[1])' 'not open'
conflict 'del(.[2])' 'not open'
conflict '[]' 'not open'
conflict '. + [.[0]]' 'open twice'
conflict '.[0].kind = "promotion"' 'no such finding'
conflict '.[1].kind = "promotion"' 'no such finding'
conflict '.[2].kind = "demotion"' 'no such finding'
conflict '.[0].mappings[1] = .[0].mappings[0]' 'no such finding'
conflict '.[0].mappings |= .[:1]' 'no such finding'
conflict '.[0].mappings[0] = 999999' 'no such finding'
conflict '.[0].bytes += 4096' 'bytes is'
conflict '.[0].bytes |= tostring' 'bytes is'
conflict '.[0].phys_start = .[0].phys_end' 'phys_start is'
conflict '.[0].phys_end = .[0].phys_start' 'phys_end is'
conflict '.[0].ranges = []' 'ranges is'
conflict '.[0].ranges += .[0].ranges' 'ranges is'
conflict '.[0].ranges[0].phys_end = .[0].ranges[0].phys_start' 'ranges is'
conflict '.[0].ranges_cut = true' 'ranges_cut is'
conflict '.[0].severity = "low"' 'severity is'
conflict '.[1].severity = "high"' 'severity is'
conflict '.[0].active = false' 'active is'
conflict '.[0].device = null' 'device is'
conflict '.[0].region = 1' 'region is'
conflict '.[0].parties |= .[:1]' 'parties is'
conflict '.[0].parties[0].requested = "wb"' 'parties is'
conflict '.[0].parties[0].type = "wt"' 'parties is'
conflict '.[0].parties[1].source = "sysfs"' 'parties is'
conflict '.[2].parties[0].type = .[2].parties[0].requested' 'parties is'
