# vm: --systemd
# kernels: 7.2
# Who a client is: unit, slice and machine, by systemd-machined, by libvirt's scope, and by a command line, which is told as
# a claim and by which no rule goes.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

qemu=/tmp/qemu-system-x86_64
expect "a copy of the client" cp "$(command -v vfio-client)" $qemu
machine1='org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager'

# NAME UNIT: as libvirt does it, of the main process of UNIT
register() {
	# shellcheck disable=SC2086
	expect "machined takes $1" busctl --quiet call $machine1 RegisterMachine sayssus "$1" 0 scenario vm \
		"$(systemctl show -P MainPID "$2")" ""
}
# UNIT JQ..: of the first mapping of the main process
row_is() {
	[ "$(vfiowatch mappings --json --pid "$(systemctl show -P MainPID "$1")" | jq -r ".[0] | $2")" = "$3" ]
}
expect_row() {
	row_is "$@" || fail "$1: want $3, got $(vfiowatch mappings --json --pid "$(systemctl show -P MainPID "$1")" |
		jq -c ".[0] | [$2, .unit, .slice, .machine, .machine_source, .domain]")"
}
is_known() {
	vfiowatch cookies --json --pid "$(systemctl show -P MainPID "$1")" | jq -e ".[0].unit == \"$1\"" >/dev/null
}
# UNIT SLICE: starts the client with /tmp/UNIT.vfio in it
start_client() {
	expect "$1 starts" systemd-run --quiet --unit="$1" --slice="$2" $qemu "/tmp/$1.vfio"
}
identity='[.unit, .slice, .user_unit, .machine, .machine_source, .machine_uuid, .domain] | map(. // "-") | join(" ")'

write_policy <<-END
	[Policy]
	Mode=enforce
	OnUnknown=deny

	[Rule tenants]
	Machine=tenant-*
	Kind=request
	Action=deny
END
systemctl reload vfiowatchd.service || fail "the service does not reload"
enforces() {
	[ "$(status .enforcing)" = "$(expected_way)" ]
}
eventually "the service enforces" 90 enforces

# One is registered as tenant-a and says it is somebody else; the other says it is tenant-a.
cat >/tmp/vm-a.service.vfio <<-'END'
	cmdline qemu-system-x86_64\x00-name\x00guest=harmless,debug-threads=on
	touch-file /tmp/a-up
	barrier /tmp/a-registered
	open d group 0000:00:01.0
	info d 2
	barrier /tmp/a-go
	!EPERM mmap a d 2 0 4p
	open wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc
	!EPERM mmap-raw a wc 0 4p
	touch-file /tmp/a-done
	barrier /tmp/a-allowed
	mmap a d 2 0 4p
	touch-file /tmp/a-mapped
	hold
END
cat >/tmp/vm-b.service.vfio <<-'END'
	cmdline qemu-system-x86_64\x00-name\x00guest=tenant-a,debug-threads=on\x00-uuid\x000B4D2C5E-7A31-4D57-9D0A-1C2B3A4F5E60
	open d group 0000:00:02.0
	info d 2
	barrier /tmp/b-go
	mmap a d 2 0 4p
	touch-file /tmp/b-mapped
	barrier /tmp/b-registered
	!EPERM mmap b d 2 64K 4p
	touch-file /tmp/b-denied
	hold
END
start_client vm-a.service machine.slice
eventually "it runs" 60 test -e /tmp/a-up
register tenant-a vm-a.service
touch /tmp/a-registered
start_client vm-b.service machine.slice
# Until the daemon has told the kernel the machine of a unit OnUnknown decides.
for unit in vm-a.service vm-b.service; do
	eventually "$unit is known" 60 is_known $unit
done
touch /tmp/a-go /tmp/b-go
eventually "who is tenant-a is denied" 60 test -e /tmp/a-done
eventually "who only says so is not" 60 test -e /tmp/b-mapped
expect_row vm-b.service "$identity" \
	"vm-b.service machine.slice - tenant-a command-line 0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e60 -"
expect_equal "and shown as that" "$(COLUMNS=300 vfiowatch mappings --no-legend | grep -c 'claim:tenant-a')" 1
expect_equal "its cookies, too" \
	"$(vfiowatch cookies --json --pid "$(systemctl show -P MainPID vm-b.service)" | jq -r "[.[] | $identity] | unique | .[]")" \
	"vm-b.service machine.slice - tenant-a command-line 0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e60 -"
vfiowatch explain 0000:00:02.0:2 | tr '\n' ' ' | tr -s ' ' | grep -q 'of unit vm-b.service, a command line that names machine tenant-a' ||
	fail "explain does not say who: $(vfiowatch explain 0000:00:02.0:2)"

request_denied=$(awk '/^-- / { id = $2 } tolower($0) ~ "^subject: .*policy denied" { print id; exit }' /usr/lib/systemd/catalog/vfiowatch.catalog)
denied_records() {
	journalctl --sync
	journalctl -u vm-a.service "MESSAGE_ID=$request_denied" -o json
}
both_told() {
	[ "$(denied_records | wc -l)" -eq 2 ]
}
eventually "the denials are under the unit" 60 both_told
expect_equal "the records have who it was" "$(denied_records | jq -r '[.VFIOWATCH_UNIT, .VFIOWATCH_SLICE, .VFIOWATCH_MACHINE,
	.VFIOWATCH_MACHINE_CLAIMED, .OBJECT_SYSTEMD_UNIT, .OBJECT_SYSTEMD_SLICE, .VFIOWATCH_RULE] | map(. // "-") | join(" ")' | sort -u)" \
	"vm-a.service machine.slice tenant-a - vm-a.service machine.slice tenants"

# Registered while it runs it is another machine from then on, and the other one none when that ends.
register tenant-b vm-b.service
eventually "it is of the machine" 60 row_is vm-b.service '.machine + " " + .machine_source' "tenant-b machined"
touch /tmp/b-registered
eventually "and denied" 60 test -e /tmp/b-denied
# shellcheck disable=SC2086
expect "machined drops it" busctl --quiet call $machine1 UnregisterMachine s tenant-a
dropped() {
	[ "$(vfiowatch cookies --json --pid "$(systemctl show -P MainPID vm-a.service)" |
		jq -r '.[0] | .machine + " " + .machine_source')" = "harmless command-line" ]
}
eventually "it is of no machine" 60 dropped
touch /tmp/a-allowed
eventually "and may map" 60 test -e /tmp/a-mapped

# The scope of a libvirt domain without machined. A name that a unit cannot have comes from the command line.
cat >/tmp/libvirt.vfio <<-'END'
	cmdline qemu-system-x86_64\x00-name\x00"guest=web 1,debug-threads=on"
	open d group 0000:00:03.0
	eventually mmap a d 0 0 4p
	hold /tmp/libvirt-mapped
END
systemd-run --quiet --scope --unit='machine-qemu\x2d3\x2dweb1.scope' --slice=machine.slice $qemu /tmp/libvirt.vfio &
client=$!
eventually "the domain has mapped" 60 test -e /tmp/libvirt-mapped
expect_equal "the domain" "$(vfiowatch mappings --json --device 0000:00:03.0 | jq -r ".[0] | $identity")" \
	'machine-qemu\x5cx2d3\x5cx2dweb1.scope machine.slice - qemu-3-web1 libvirt-scope - web 1'
kill $client
wait $client
client=

# A service of a user's manager, and a program that becomes another one of the same name.
cgroup=/sys/fs/cgroup/user.slice/user-0.slice/user@0.service/app.slice/driver.service
mkdir -p $cgroup || fail "no cgroups"
cat >/tmp/second.vfio <<-'END'
	cmdline qemu-system-x86_64\x00-name\x00second
	open d group 0000:00:03.0
	eventually mmap a d 0 0 4p
	hold /tmp/second
END
cat >/tmp/first.vfio <<-'END'
	cmdline qemu-system-x86_64\x00-name\x00first
	open d group 0000:00:03.0
	eventually mmap a d 0 0 4p
	touch-file /tmp/first
	barrier /tmp/exec
	exec /tmp/qemu-system-x86_64 /tmp/second.vfio
END
sh -c 'echo $$ >"$1/cgroup.procs" && exec /tmp/qemu-system-x86_64 /tmp/first.vfio' sh $cgroup &
client=$!
eventually "it has mapped" 60 test -e /tmp/first
of_client() {
	[ "$(vfiowatch mappings --json --pid "$client" | jq -r ".[0] | $identity")" = "$1" ]
}
eventually "the unit is that of the user" 60 of_client "user@0.service user-0.slice driver.service first command-line - -"
touch /tmp/exec
# Nobody looks before its command line is what it is of a QEMU from the beginning.
eventually "the other program has mapped" 60 test -e /tmp/second
eventually "the exec is noticed" 60 of_client "user@0.service user-0.slice driver.service second command-line - -"
kill $client
wait $client
client=

# What a command line can hold as well. Of 2 MiB nothing is taken.
for line in 'qemu\x00-name\x00guest=\x1b[31m\x0aPRIORITY=0\xff' 'qemu\x00-name\x00long 0x200000'; do
	rm -f /tmp/hostile
	$qemu -c "cmdline $line; open d group 0000:00:03.0; eventually mmap a d 0 0 4p; hold /tmp/hostile" &
	client=$!
	eventually "it has mapped" 60 test -e /tmp/hostile
	vfiowatch mappings --json --pid "$client" | jq -r '.[0].machine // "-"'
	expect_equal "only text" "$(vfiowatch mappings --pid "$client" | LC_ALL=C tr -d ' -~\n' | wc -c)" 0
	kill $client
	wait $client
	client=
done >/tmp/hostile-names
expect_equal "their names" "$(cat /tmp/hostile-names)" "$(printf '%s\n' '\x1b[31m\x0aPRIORITY=0\xff' -)"
expect_balance
systemctl stop vm-a.service vm-b.service
