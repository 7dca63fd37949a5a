# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# long
# kernels: 6.12
# A mapping that came to be unasked, as if the kernel had skipped the programs that decide (here their slots are emptied, and
# the others' are not), is judged when it is there: its process is ended where that would have been denied.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

# ON-UNKNOWN RULES: enforces that without the programs that decide
enforce() {
	printf '[Policy]\nMode=enforce\nOnUnknown=%s\n\n%s\n' "$1" "$2" | write_policy
	if [ -e $pins ]; then
		reload
	else
		start_daemon
		expect_enforcing
		for slot in $pins/slot_decide_mmap*; do
			expect "nothing decides" bpftool map delete pinned "$slot" key 0 0 0 0
		done
		sleep 3 # calls as old as enforcement are let off
	fi
}
alias_rule='[Rule never-both]
Kind=alias
Types=wc/uc
Action=deny'
request_rule='[Rule no-sysfs]
Kind=request
Source=sysfs
Action=deny'

# WHAT STATUS: how a program that maps a BAR through sysfs ends, and another that does it through VFIO
expect_end() {
	status=0
	vfio-client -c 'open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw a wc 0 4p; print mapped' >/tmp/sysfs 2>&1 ||
		status=$?
	expect_equal "$1, through sysfs" $status "$2"
	status=0
	vfio-client -c 'open dev group 0000:00:02.0; mmap a dev 2 0 4p; print mapped' >/tmp/vfio 2>&1 || status=$?
	expect_equal "$1, through VFIO" $status "$3"
}

last_told() {
	sleep 0.2
	vfiowatch events --json | jq -rs '[.[] | select(.verdict)] | last | [.verdict, .rule, .unknown] | map(. // "-") | join(" ")'
}

enforce deny "$alias_rule"
expect_end "OnUnknown=deny" 137 137
expect_equal "it is told" "$(last_told)" "kill - skipped"
expect_equal "and counted" "$(bpftool -j map dump pinned $pins/enforcer | jq '.[0].formatted.value.undecided')" 2
expect_equal "nobody got so far" "$(cat /tmp/sysfs /tmp/vfio | grep mapped)" ""

enforce allow "$alias_rule"
expect_end "OnUnknown=allow" 0 0
expect_equal "it is told" "$(last_told)" "allow - skipped"

enforce allow "$request_rule

[Rule no-vfio]
Kind=request
Source=vfio
Action=deny"
expect_end "rules about both requests" 137 137
expect_equal "it is told" "$(last_told)" "kill no-vfio -"

# What no rule is about goes on.
enforce deny "$(echo "$alias_rule" | sed 's/^Kind=.*/&\nDevice=0000:99:*/')"
expect_end "rules about other devices" 0 0
expect_balance
stop_daemon

# Programs that are on their way out have nobody killed.
printf '[Policy]\nMode=enforce\nOnUnknown=deny\n\n%s\n' "$alias_rule" | write_policy
go_on() {
	for i in 1 2 3 4 5 6 7 8; do
		vfio-client -c 'open dev group 0000:00:02.0; mmap a dev 2 0 4p; mmap b dev 2 1M 4p' || fail "$1: attempt $i ended with $?"
	done
}
start_daemon
expect_enforcing
sleep 3
write_policy <<-END
	[Policy]
	Mode=audit
END
reload
go_on "after a change to audit"
alias_policy enforce deny
reload
sleep 3
stop_daemon
expect "enforcement goes" vfiowatchd --detach
go_on "after it was taken off"
expect_healthy_kernel
