# vm: --append iomem=relaxed
# kernels: 6.1 6.12
# Every selector of a rule, in the kernel: a rule that selects the requester denies, one that selects another does not.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

# COMMANDS that fail with EPERM if $answer is !EPERM
try_vfio() {
	vfio-client -c "open dev group 0000:00:01.0; $answer mmap a dev 2 64K 4p"
}
try_sysfs() {
	vfio-client -c "open uc path /sys/bus/pci/devices/0000:00:01.0/resource2; $answer mmap-raw a uc 64K 4p"
}
try_as_user() {
	su tester -c "vfio-client -c 'open uc path /sys/bus/pci/devices/0000:00:01.0/resource2; $answer mmap-raw a uc 64K 4p'"
}
# in the cgroup of a unit
try_in_unit() {
	sh -c 'echo $$ >/sys/fs/cgroup/machine.slice/machine-qemu-7.scope/inner/cgroup.procs && exec "$@"' sh \
		vfio-client -c "open dev group 0000:00:01.0; $answer mmap a dev 2 64K 4p"
}

# YES|NO KEY=VALUE.. COMMAND: whether a rule with these selectors denies what COMMAND tries
select_rule() {
	case $1 in
	YES) answer='!EPERM' ;;
	NO) answer= ;;
	esac
	{
		printf '[Policy]\nMode=enforce\nOnUnknown=deny\n\n[Rule one]\nKind=request\nAction=deny\n'
		for selector in $2; do
			echo "$selector"
		done
	} | write_policy
	reload
	$3 || fail "a rule with $2 and $3: denied is $1"
	n=$((n + 1))
}

mkdir -p /sys/fs/cgroup/machine.slice/machine-qemu-7.scope/inner || fail "no cgroups"
echo 'tester:x:1234:1234::/:/bin/sh' >>/etc/passwd
chmod 666 /sys/bus/pci/devices/0000:00:01.0/resource2
n=0
alias_policy enforce deny
start_daemon
expect_enforcing
for try in try_vfio try_sysfs; do
	select_rule YES "" $try
	select_rule YES Device=0000:00:01.0 $try
	select_rule YES 'Device=0000:*:01.[0-7]' $try
	select_rule YES 'Device=00:01.*' $try
	select_rule YES 'Device=????:??:0[!2-9].?' $try
	select_rule NO Device=0000:00:02.0 $try
	select_rule NO 'Device=0000:00:0[2-9].*' $try
	select_rule YES Id=1af4:1110 $try
	select_rule YES 'Id=1AF4:*' $try
	select_rule NO 'Id=8086:*' $try
	select_rule YES 'Class=05*' $try
	select_rule NO 'Class=0300*' $try
	select_rule YES Driver=vfio-pci $try
	select_rule NO 'Driver=vfiowatch-*' $try
	select_rule YES Region=2 $try
	select_rule YES 'Region=0,2-4' $try
	select_rule NO 'Region=0-1,3' $try
	select_rule YES User=root $try
	select_rule YES User=0 $try
	select_rule NO User=1234 $try
	select_rule YES Types=uc $try
	select_rule NO Types=wc $try
	select_rule YES 'Device=0000:00:01.* Id=1af4:* Class=* Driver=vfio* Region=2 User=root Types=uc' $try
	select_rule NO 'Device=0000:00:01.* Id=1af4:* Class=* Driver=vfio* Region=3 User=root Types=uc' $try
	select_rule NO 'Unit=*.service' $try
done
select_rule YES Source=vfio try_vfio
select_rule NO Source=vfio try_sysfs
select_rule YES Source=sysfs try_sysfs
select_rule NO Source=sysfs try_vfio
select_rule YES 'Source=sysfs|vfio' try_vfio
select_rule NO 'Source=dmabuf' try_vfio
select_rule YES User=tester try_as_user
select_rule YES User=1234 try_as_user
select_rule NO User=root try_as_user
select_rule YES 'Unit=machine-qemu*.scope' try_in_unit
select_rule YES 'Unit=machine-qemu-7.scope' try_in_unit
select_rule NO 'Unit=machine-qemu-8.scope' try_in_unit
select_rule NO 'Unit=*.service' try_in_unit

# Selectors of a process hold of a conflict when they hold of either party.
for rule in 'YES Unit=machine-qemu-7.scope' 'NO Unit=machine-qemu-8.scope' 'YES Source=sysfs' 'YES Source=vfio' 'NO Source=dmabuf' 'YES User=root'; do
	answer=
	[ "${rule%% *}" = NO ] || answer='!EPERM'
	write_policy <<-END
		[Policy]
		Mode=enforce
		OnUnknown=deny

		[Rule one]
		Kind=alias
		${rule#* }
		Action=deny
	END
	reload
	rm -f /tmp/held
	sh -c 'echo $$ >/sys/fs/cgroup/machine.slice/machine-qemu-7.scope/inner/cgroup.procs && exec "$@"' sh \
		vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 16p; hold /tmp/held' &
	client=$!
	eventually "the unit has mapped" 60 test -e /tmp/held
	vfio-client -c "open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; $answer mmap-raw w wc 60K 4p" ||
		fail "an alias, with a rule that has ${rule#* }: denied is ${rule%% *}"
	kill "$client"
	wait "$client" || fail "the client failed"
	client=
	n=$((n + 1))
done

# The first rule that matches wins, over all files.
write_policy 10-first.conf <<-END
	[Rule first]
	Device=0000:00:01.0
	Kind=request
	Action=allow
END
write_policy 20-second.conf <<-END
	[Policy]
	Mode=enforce

	[Rule second]
	Kind=request
	Action=deny
END
rm $policies/50-test.conf
reload
answer=
expect "the first rule allows" try_vfio
expect "the second denies" vfio-client -c 'open dev group 0000:00:02.0; !EPERM mmap a dev 2 0 4p'
expect_equal "by its name" "$(vfiowatch events --json | jq -rs '[.[] | select(.rule) | .rule] | last')" second
echo "$n rules"
expect_balance
stop_daemon
expect "detach" vfiowatchd --detach
