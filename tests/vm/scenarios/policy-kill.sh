# vm: --append iomem=relaxed
# kernels: 6.12
# Action=kill: what can be seen beforehand is denied; who has what can only be seen afterwards is killed, and nobody else.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

# KIND TYPES
kill_policy() {
	write_policy <<-END
		[Policy]
		Mode=enforce

		[Rule never]
		Kind=$1
		Types=$2
		Action=kill
	END
}

killed_is() {
	[ "$(status .killed)" -eq "$1" ]
}

# WHAT COMMANDS: a client that does that and stays is killed by SIGKILL
expect_killed() {
	got=0
	vfio-client -c "$2; hold" 2>/tmp/error || got=$?
	expect_equal "$1: the client's end" "$got" 137
}

verdicts() {
	vfiowatch conflicts --all --json | jq -r ".[] | select(.kind == \"$1\") | .rule + \" \" + .verdict" | sort -u
}

bind_test_driver
# The driver's own mapping of the BAR is write-combining, and so is what it maps uncached for user space.
echo 'iomap 2' >/sys/bus/pci/devices/0000:00:01.0/wc_mode || fail "the driver refuses wc_mode"
kill_policy promotion uc/wc
start_daemon
expect_enforcing
vfio-client -c 'open second group 0000:00:02.0; mmap innocent second 2 0 4p; touch innocent; hold /tmp/innocent; touch innocent' &
client=$!
eventually "somebody else has a mapping" 60 test -e /tmp/innocent
expect_killed "a promotion" 'open dev group 0000:00:01.0; mmap promoted dev 2 0 4p; touch promoted'
eventually "it is counted" 30 killed_is 1
expect_equal "the finding's verdict" "$(verdicts promotion)" "never kill"
expect "the modules go" test-modules unload

# VFIO first, then sysfs: what sysfs asks to be write-combining is not.
kill_policy demotion wc/uc
reload
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 4p; touch a; hold /tmp/first; touch a' &
first=$!
eventually "VFIO has a mapping" 60 test -e /tmp/first
expect_killed "a demotion" 'open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw demoted wc 64K 4p; touch demoted'
eventually "it is counted" 30 killed_is 2
expect_equal "the finding's verdict" "$(verdicts demotion)" "never kill"

# Through /proc/bus/pci the same: no hook comes before it, so also a request that is to be denied is only told of.
write_policy <<-END
	[Policy]
	Mode=enforce

	[Rule no-sysfs]
	Source=sysfs
	Kind=request
	Types=uc
	Action=deny

	[Rule never]
	Source=sysfs
	Kind=demotion
	Types=wc/uc
	Action=kill
END
reload
would=$(status .would_denied) denied=$(status .denied)
expect "by sysfs it is denied" vfio-client -c 'open uc path /sys/bus/pci/devices/0000:00:02.0/resource2; !EPERM mmap-raw u uc 8M 1p'
expect_equal "denied" "$(status .denied)" $((denied + 1))
expect "by /proc it is not" vfio-client -c 'bar 0000:00:02.0 2 BAR; open proc path /proc/bus/pci/00/02.0; pciioc proc mem;
	mmap-raw u proc $BAR+8M 1p; touch u'
expect_equal "but told of" "$(status .would_denied)" $((would + 1))
expect_equal "denied" "$(status .denied)" $((denied + 1))
expect_killed "a demotion by /proc" 'bar 0000:00:01.0 2 BAR; open proc path /proc/bus/pci/00/01.0; pciioc proc mem; pciioc proc wc;
	mmap-raw demoted proc $BAR+64K 4p; touch demoted'
eventually "it is counted" 30 killed_is 3
expect_equal "it is not degraded" "$(status '.degraded | join("; ")')" ""

# An alias can be seen beforehand: the same action denies it, and nobody is killed.
kill_policy alias wc/uc
reload
expect "an alias is denied" vfio-client -c 'open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w wc 0 4p'
expect_equal "killed" "$(status .killed)" 3

# In audit mode nobody is.
kill_policy demotion wc/uc
sed -i 's/enforce/audit/' $policies/50-test.conf
reload
expect "a demotion goes on" vfio-client -c 'open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw w wc 64K 4p; touch w;
	run vfiowatch conflicts --all --json | grep -q would-kill; touch w'
expect_equal "killed" "$(status .killed)" 3
kill $first
wait $first || fail "the one that VFIO belongs to ended with $?"
kill "$client"
wait "$client" || fail "somebody else ended with $?"
client=
expect_balance
stop_daemon
expect_healthy_kernel
