# shellcheck shell=sh source=../lib.sh
. /tests/lib.sh
# shellcheck source=lib.sh
. /tests/policy/lib.sh

# ATTEMPTS SEED: 8 processes; prints the counts, and fails as `race` does
race() {
	{
		cat /tests/clients/policy-open.vfio
		echo 'open sysfs_uc path /sys/bus/pci/devices/0000:00:01.0/resource2'
		echo 'open sysfs_wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc'
		echo "race $1 8 $2 32 dev \$PLAIN uc dev \$D2_WC wc dev \$D3_WC wc buf_uc 0 uc buf_wc 0 wc sysfs_uc 0 uc sysfs_wc 0 wc"
	} >/tmp/race.vfio
	vfio-client /tmp/race.vfio
}

# NAME: that count
counted() {
	sed -n "s/.* $1 \([0-9]*\).*/\1/p" /tmp/race.out
}

# ATTEMPTS SEED: none of it may be wrong
fair_race() {
	race "$1" "$2" >/tmp/race.out || fail "the race: $(cat /tmp/race.out; status '[.enforcer, .skipped, .audits] | tostring')"
	cat /tmp/race.out
	[ "$(counted attempts)" -ge "$1" ] || fail "there were fewer attempts"
	[ "$(counted granted)" -gt $(($1 / 20)) ] || fail "hardly anything was granted"
	[ "$(counted denied)" -gt $(($1 / 20)) ] || fail "hardly anything was denied"
	[ "$(counted together)" -gt 0 ] || fail "no two mappings of one type were there together"
}

# The observer can see what it looks for: with no policy conflicting mappings, and denials without a reason.
prove_observer() {
	! race 8000 1 >/tmp/race.out 2>/dev/null || fail "nothing denies, and the observer is content: $(cat /tmp/race.out)"
	[ "$(counted violations)" -gt 100 ] || fail "the observer saw hardly a conflict: $(cat /tmp/race.out)"
	expect_equal "denied without a policy" "$(counted denied)" 0
}

prove_reasons() {
	write_policy <<-END
		[Policy]
		Mode=enforce

		[Rule no-sysfs]
		Source=sysfs
		Kind=request
		Action=deny
	END
	reload
	! race 8000 1 >/tmp/race.out 2>/dev/null || fail "the observer finds a reason for each: $(cat /tmp/race.out)"
	[ "$(counted unfounded)" -gt 100 ] || fail "the observer finds a reason for most: $(cat /tmp/race.out)"
}
