# vm: --append iomem=relaxed
# kernels: 7.2
# What the kernel decided live is what `policy test --replay` says of a capture of it, request by request. Each race makes
# fewer events than the daemon keeps for who writes the capture.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

write_policy <<-END
	[Policy]
	Mode=enforce
	OnUnknown=deny

	[Rule second-is-free]
	Device=0000:00:02.0
	Kind=alias
	Action=log

	[Rule told]
	Source=sysfs
	Region=0
	Kind=request
	Action=log

	[Rule never-both]
	Kind=alias
	Types=wc/uc
	Action=deny

	[Rule no-dmabuf-combining]
	Source=dmabuf
	Kind=request
	Types=wc
	Action=deny
END
bind_test_driver
start_daemon
expect_enforcing
vfio-client -c 'open old group 0000:00:04.0; mmap old old 2 0 4p; hold /tmp/old' &
old=$!
eventually "there is something before the capture" 60 test -e /tmp/old
vfiowatch record /out/policy.capture &
record=$!
eventually "recording to a file has begun" 30 test -s /out/policy.capture
before=$(status .enforcer.decided)
{
	sed '/memattr/d' /tests/clients/policy-open.vfio
	cat <<-'END'
		open sysfs_uc path /sys/bus/pci/devices/0000:00:01.0/resource2
		open sysfs_wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc
		open sysfs_0 path /sys/bus/pci/devices/0000:00:01.0/resource0
		open second group 0000:00:02.0
		open second_wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc
		!EPERM memattr buf_wc wc
		mmap-raw zero sysfs_0 0 1p
		mmap free second 2 0 4p
		mmap-raw free_wc second_wc 0 4p
		mmap-raw a dev $PLAIN+64K 4p
		fork peer
		@peer munmap a
		@peer !EPERM mmap-raw b dev $D3_WC+64K 4p
		@peer !EPERM mmap-raw b sysfs_wc 76K 4p
		@peer mmap-raw b dev $D3_WC+80K 4p
		munmap a
		@peer mmap-raw c dev $D2_WC+64K 4p
		!EPERM mmap-raw a buf_uc 64K 1p
		mmap-raw parts dev $PLAIN+1M 8p
		munmap parts 2p 2p
		@peer mmap-raw d dev $D3_WC+1M+8K 2p
		@peer !EPERM mmap-raw e dev $D3_WC+1M+8K 3p
		dmabuf two dev 2 4M 2p 5M 2p
		!EPERM mmap-raw unknown two 0 4p
		race 600 4 3 32 dev $PLAIN+2M uc dev $D3_WC+2M wc sysfs_uc 2M uc sysfs_wc 2M wc
		sleep 3000
		race 600 4 3 32 dev $PLAIN+2M uc dev $D3_WC+2M wc sysfs_uc 2M uc sysfs_wc 2M wc
		sleep 3000
		race 600 4 3 32 dev $PLAIN+2M uc dev $D3_WC+2M wc sysfs_uc 2M uc sysfs_wc 2M wc
		sleep 3000
		race 600 4 3 32 dev $PLAIN+2M uc dev $D3_WC+2M wc sysfs_uc 2M uc sysfs_wc 2M wc
	END
} >/tmp/replay.vfio
expect "the load" vfio-client /tmp/replay.vfio
decided=$(($(status .enforcer.decided) - before))
expect_equal "nothing was lost" "$(status .lost)" 0
kill -INT $record
wait $record || fail "record failed"
kill $old
wait $old || fail "the client failed"

vfiowatch policy test --replay /out/policy.capture --all --json $policies/50-test.conf >/tmp/rows.json || fail "policy test failed"
# a list, or an object a line
jq -cs 'if length == 1 and (.[0] | type) == "array" then .[0] else . end | .[] | select(.recorded_verdict != null)' /tmp/rows.json >/tmp/rows
expect_equal "every request is there" "$(wc -l </tmp/rows)" "$decided"
expect_equal "what differs from what was decided live" \
	"$(jq -c 'select(.verdict != .recorded_verdict or .rule != .recorded_rule)' /tmp/rows | head -n 5)" ""
[ "$(jq -c 'select(.verdict == "deny")' /tmp/rows | wc -l)" -gt 50 ] || fail "hardly anything was denied"
[ "$(jq -c 'select(.verdict == "allow" or .verdict == "log")' /tmp/rows | wc -l)" -gt 50 ] || fail "hardly anything was allowed"
expect_equal "the rules" "$(jq -r 'select(.rule != null and .rule != "") | .rule' /tmp/rows | sort -u | tr '\n' ' ')" \
	"never-both no-dmabuf-combining second-is-free told "
# Another policy says otherwise.
write_policy other <<-END
	[Policy]
	Mode=enforce
END
vfiowatch policy test --replay /out/policy.capture --all --json $policies/other >/tmp/rows.json || fail "policy test failed"
expect_equal "a policy without rules denies nothing" \
	"$(jq -cs 'if length == 1 and (.[0] | type) == "array" then .[0] else . end | [.[] | select(.verdict != "allow")] | length' /tmp/rows.json)" 0
stop_daemon
expect "detach" vfiowatchd --detach
