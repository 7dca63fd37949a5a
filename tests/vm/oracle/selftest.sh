#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in the test VM, started by selftest.vfio.
set -u

right=/tmp/selftest.right wrong=/tmp/selftest.wrong said=/tmp/selftest.said failures=0
here=$(dirname "$0")

complain() {
	echo "selftest: $*" >&2
	failures=$((failures + 1))
}

accept() {
	check-ledger "$@" >$said 2>&1 || complain "rejected ($*): $(cat $said)"
}

# reject WORDS-OF-THE-REASON: $wrong must differ from $right and be rejected with that reason
reject() {
	reason=$1
	shift
	cmp -s $right $wrong && complain "the change for '$reason' changed nothing"
	if check-ledger "$@" >$said 2>&1; then
		complain "accepted, although: $reason"
	elif ! grep -q -- "$reason" $said; then
		complain "expected '$reason', but it said: $(cat $said)"
	fi
}

# edit LINE SED-COMMAND REASON
edit() {
	sed "$1 $2" $right >$wrong
	reject "$3" --mappings $wrong
}

sh "$here/ledger-by-hand.sh" >$right

# Two processes on one address space: the list by hand has each VMA twice, the ledger must have it once.
if [ "${1:-}" = shared ]; then
	cp $right $wrong
	: >$right
	reject 'twice in the ledger' --mappings $wrong
	(sed -n 1,4p $wrong && echo ']') >$right
	accept --mappings $right --require-some 3
	one=$(sed -n '2s/.*"pid":\([0-9]*\),.*/\1/p' $wrong) two=$(sed -n '5s/.*"pid":\([0-9]*\),.*/\1/p' $wrong)
	[ "$one" != "$two" ] || complain "expected two processes: $(cat $wrong)"
	cp $right $wrong
	sed "s/\"pid\":$one,/\"pid\":$two,/" $wrong >$right
	accept --mappings $right --require-some 3
	sed "2s/\"pid\":$one,/\"pid\":$two,/" $wrong >$right
	accept --mappings $right --require-some 3
	[ $failures -eq 0 ] && echo "selftest: a shared address space counts once, under any of its pids"
	exit $((failures > 0))
fi
lines=$(grep -c '"pid"' $right)
[ "$lines" = 6 ] || complain "expected 6 mappings, the list by hand has $lines: $(cat $right)"
accept --mappings $right
accept --mappings $right --require-some 6 --expect-origin event
grep -q '6 mappings equal' $said || complain "it said: $(cat $said)"
check-ledger --mappings - <$right >$said 2>&1 || complain "rejected on stdin: $(cat $said)"

edit 2 's/"start":"0x\([0-9a-f]*\)[0-9a-f]000"/"start":"0x\1f001"/' 'no VFIO VMA in /proc'
edit 2 's/"end":"0x/"end":"0x1/' 'not in the ledger'
edit 2 's/"pid":[0-9]*/"pid":1/' 'no VFIO VMA in /proc'
edit 2 's/"pid":\([0-9]*\)/"pid":"\1"/' 'wrong form'
edit 2 's/"start":"0x\([0-9a-f]*\)"/"start":"0x0\1"/' 'wrong form'
edit 2 's/"start":"0x\([0-9a-f]*\)"/"start":"\1"/' 'wrong form'
edit 2 's/"comm":"/"comm":"x/' 'comm is'
edit 2 's/"comm":"[^"]*"/"comm":null/' 'comm is null'
edit 2 's/"uid":0/"uid":1/' 'uid is 1'
edit 2 's/"uid":0,//' 'uid is null'
edit 2 's/"region":[0-9]/"region":1/' 'region is 1'
edit 2 's/"device":"[^"]*"/"device":"0000:00:05.0"/' 'device is'
edit 2 's/0000:00:01/X/;2 s/0000:00:02/0000:00:01/;2 s/X/0000:00:02/' 'device is'
edit 2 's/"offset":"0x\([0-9a-f]*\)000"/"offset":"0x\1001"/' 'offset is'
edit 2 's/"phys_start":"0x/"phys_start":"0x1/' 'phys_start is'
edit 2 's/"phys_end":"0x/"phys_end":"0x1/' 'phys_end is'
edit 2 's/"phys_end":"[^"]*"/"phys_end":null/' 'phys_end is null'
edit 2 's/"requested":"uc-"/"requested":"wc"/' 'requested is'
edit 2 's/"requested":"uc-"/"requested":null/' 'requested is'
edit 2 's/"live":true/"live":false/' 'live is false'
edit 2 's/"source":"vfio"/"source":"sysfs"/' 'not in the ledger'
edit 2 's/"source":"vfio"/"source":null/' 'source is'
edit 2 's/"effective":null,"populated":null/"effective":"uc-","populated":0/' 'effective is'
edit 2 's/"effective":null,"populated":null/"effective":"uc-","populated":99999999/' 'populated is'
edit 3 d 'not in the ledger'
edit 3 '{p;}' 'twice in the ledger'
edit '$' 's/]/}/' 'no JSON'
edit '$' 's/]/] x/' 'after its JSON'
printf '[]\n' >$wrong
reject 'in /proc, but not in the ledger' --mappings $wrong
printf '{}\n' >$wrong
reject 'no JSON array' --mappings $wrong
: >$wrong
reject 'empty' --mappings $wrong
reject 'at least 7 expected' --mappings $right --require-some 7
reject 'origin is' --mappings $right --expect-origin scan
PATH=/nowhere "$(command -v check-ledger)" >$said 2>&1 && complain "accepted without any vfiowatch"

cat >$right <<'END'
[{"id":1,"device":"0000:00:01.0","region":2,"dialect":"region-info","offset":"0x20000000000","size":16777216,"type":"uc-","pid":7,"comm":"x","issued":3,"live":true},
{"id":2,"device":"0000:00:02.0","region":2,"dialect":"region-info","offset":"0x20000000000","size":16777216,"type":"uc-","pid":7,"comm":"x","issued":1,"live":true},
{"id":3,"device":"0000:00:01.0","region":2,"dialect":"region-info","offset":"0x20000000000","size":16777216,"type":"uc-","pid":6,"comm":"x","issued":3,"live":false}]
END
claim='0000:00:01.0 2 0x20000000000 16777216 3'
# shellcheck disable=SC2086
{
	accept --cookies $right --cookie $claim
	accept --cookies $right --cookie-count 2
	accept --cookies $right --pid 7 --cookie $claim 0000:00:02.0 2 0x20000000000 0x1000000 1
	reject 'expected 1' --cookies $right --pid 6 --cookie $claim
	reject 'expected 1' --cookies $right --cookie 0000:00:01.0 2 0x20000000000 16777216 2
	reject 'expected 1' --cookies $right --cookie 0000:00:01.0 2 0x20000000000 16777215 3
	reject 'expected 1' --cookies $right --cookie 0000:00:01.0 2 0x20000001000 16777216 3
	reject 'expected 1' --cookies $right --cookie 0000:00:01.0 1 0x20000000000 16777216 3
	reject 'there is' --cookies $right --cookie 0000:00:01.0 2 0x20000000000 16777216 2
	reject 'expected 3' --cookies $right --cookie-count 3
	sed 's/"live":false/"live":true/' $right >$wrong
	reject '2 live ones' --cookies $wrong --cookie $claim
	sed '1 s/"size":16777216/"size":16777216000/' $right >$wrong
	reject 'no memory BAR' --cookies $wrong --cookie-count 2
	sed '2 s/"dialect":"region-info",//' $right >$wrong
	reject 'wrong form' --cookies $wrong --cookie-count 2
}
if [ $failures -gt 0 ]; then
	exit 1
fi
echo "selftest: the oracle tells right from wrong"
