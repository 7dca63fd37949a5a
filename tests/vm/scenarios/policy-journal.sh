# vm: --systemd --append iomem=relaxed
# kernels: 7.2
# Every deny is in the journal: one record each, none merged, with the rule, both parties and the bytes, under the unit of
# who was denied; and so are policies that were loaded or rejected.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

catalog=/usr/lib/systemd/catalog/vfiowatch.catalog
# SUBJECT: its MESSAGE_ID
message_id() {
	awk -v subject="$1" '/^-- / { id = $2 } tolower($0) ~ "^subject: .*" subject { print id; exit }' $catalog
}
# MESSAGE_ID
records() {
	journalctl --sync
	journalctl "MESSAGE_ID=$1" -o json
}
count_is() {
	[ "$(records "$1" | wc -l)" -eq "$2" ]
}

request_denied=$(message_id 'policy denied')
policy_loaded=$(message_id 'policy in force')
policy_rejected=$(message_id 'refused the policy')
for id in "$request_denied" "$policy_loaded" "$policy_rejected"; do
	[ ${#id} -eq 32 ] || fail "the catalog lacks one of: $request_denied, $policy_loaded, $policy_rejected"
done
systemctl is-active --quiet vfiowatchd.service || fail "the service is not active"
expect_equal "the default policy denies nothing: mode" "$(status .mode)" audit

write_policy <<-END
	[Policy]
	Mode=enforce
	OnUnknown=deny

	[Rule tenants]
	Unit=tenant-*.service
	Kind=alias
	Types=wc/uc
	Action=deny

	[Rule others-may]
	Kind=alias
	Action=allow
END
systemctl reload vfiowatchd.service || fail "the service does not reload"
enforces() {
	[ "$(status .mode)" = enforce ]
}
eventually "the service enforces" 60 enforces
digest=$(status .policy_digest)
expect_equal "the record of the policy" \
	"$(records "$policy_loaded" | tail -n 1 | jq -r '[.VFIOWATCH_MODE, .VFIOWATCH_POLICY_DIGEST] | join(" ")')" "enforce $digest"

# The owner is in no tenant's unit.
systemd-run --quiet --unit=owner.service vfio-client -c 'comm owner; open d group 0000:00:01.0; mmap a d 2 64K 16p; hold /tmp/owner' ||
	fail "the owner does not start"
eventually "the owner has mapped" 60 test -e /tmp/owner
owner=$(systemctl show -P MainPID owner.service)
expect "who is in no tenant's unit may" systemd-run --quiet --scope --unit=free.scope \
	vfio-client -c 'open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw a w 64K 1p'
count_is "$request_denied" 0 || fail "a deny is recorded: $(records "$request_denied")"

# 40 denials as fast as they come, of one process; it stays until its records were read.
denials=40
{
	echo 'comm \x1b[31mtenant; open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc'
	for i in $(seq $denials); do echo '!EPERM mmap-raw w w 120K 4p'; done
	echo 'mmap-raw other w 8M 4p; touch-file /tmp/tenant; barrier /tmp/tenant-end'
} >/tmp/tenant.vfio
systemd-run --quiet --unit=tenant-1.service vfio-client /tmp/tenant.vfio || fail "the tenant does not start"
eventually "the tenant was denied" 60 test -e /tmp/tenant
eventually "there is a record of each" 60 count_is "$request_denied" $denials
touch /tmp/tenant-end
expect_equal "denied" "$(status .denied)" $denials
records "$request_denied" >/tmp/records
bar=$(awk 'NR == 3 { print $1 }' /sys/bus/pci/devices/0000:00:01.0/resource)
address() {
	printf '0x%x' $((bar + $1))
}
expect_equal "what each says" "$(jq -r '[.VFIOWATCH_DEVICE, .VFIOWATCH_REGION, .VFIOWATCH_SOURCE, .VFIOWATCH_SIZE, .VFIOWATCH_REQUESTED,
	.VFIOWATCH_PHYS_START, .VFIOWATCH_PHYS_END, .VFIOWATCH_KIND, .VFIOWATCH_RULE, .VFIOWATCH_VERDICT,
	.OBJECT_SYSTEMD_UNIT, .VFIOWATCH_PEER_PID, .VFIOWATCH_PEER_PHYS_START, .VFIOWATCH_PEER_PHYS_END] | join(" ")' /tmp/records | sort -u)" \
	"0000:00:01.0 2 sysfs 16384 wc $(address 122880) $(address 139264) alias tenants deny tenant-1.service $owner $(address 65536) $(address 131072)"
expect_equal "each has its own sequence" "$(jq -r .VFIOWATCH_SEQ /tmp/records | sort -u | wc -l)" $denials
expect_equal "and the process" "$(jq -r .OBJECT_PID /tmp/records | sort -u | wc -l)" 1
expect_equal "the same under the tenant's unit" "$(journalctl -u tenant-1.service "MESSAGE_ID=$request_denied" -o cat | wc -l)" $denials
expect_equal "hostile names are escaped" "$(jq -r .MESSAGE /tmp/records | LC_ALL=C tr -d ' -~\n' | wc -c)" 0
journalctl -x -n 1 "MESSAGE_ID=$request_denied" | grep -q 'got EPERM before there was a' || fail "no catalog text"

# A scope is a unit too.
expect_status "a tenant's scope" 0 systemd-run --quiet --scope --unit=other.scope \
	vfio-client -c 'open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw w w 64K 1p'
sed -i 's/Unit=.*/Unit=tenant-*.scope/' $policies/50-test.conf
reload
expect_status "a tenant's scope" 0 systemd-run --quiet --scope --unit=tenant-2.scope \
	vfio-client -c 'open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w w 64K 1p'
eventually "it is recorded" 60 count_is "$request_denied" $((denials + 1))
expect_equal "with its unit" "$(records "$request_denied" | tail -n 1 | jq -r .VFIOWATCH_UNIT)" tenant-2.scope

# journald hangs: no deny is lost.
kill -STOP "$(systemctl show -P MainPID systemd-journald.service)"
expect "denied while journald hangs" systemd-run --quiet --scope --unit=tenant-3.scope \
	vfio-client -c 'open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w w 64K 1p; !EPERM mmap-raw w w 64K 2p'
kill -CONT "$(systemctl show -P MainPID systemd-journald.service)"
eventually "they are recorded when it goes on" 60 count_is "$request_denied" $((denials + 3))

# A policy that is wrong.
echo 'Actoin=deny' >>$policies/50-test.conf
digest=$(status .policy_digest)
systemctl reload vfiowatchd.service
rejected() {
	[ "$(records "$policy_rejected" | wc -l)" -ge 1 ]
}
eventually "it is recorded that the policy was rejected" 60 rejected
records "$policy_rejected" | tail -n 1 | jq -r .MESSAGE | grep -q '50-test.conf:14: .*Action' ||
	fail "unclear: $(records "$policy_rejected" | tail -n 1 | jq -r .MESSAGE)"
expect_equal "the digest" "$(status .policy_digest)" "$digest"
systemctl is-active --quiet vfiowatchd.service || fail "the service is not active any more"
expect_balance

# Stopped it goes on denying.
sed -i '$d' $policies/50-test.conf
systemctl stop vfiowatchd.service || fail "the service does not stop"
expect "denied while the service is stopped" systemd-run --quiet --scope --unit=tenant-4.scope \
	vfio-client -c 'open w path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w w 64K 1p'
systemctl start vfiowatchd.service || fail "the service does not start again"
eventually "it is recorded when it runs again" 60 count_is "$request_denied" $((denials + 4))
systemctl stop owner.service
