# vm: --append vfiowatch.novfio --append iomem=relaxed
# kernels: 6.1
# by hand: policy-again has the modules come after the daemon, too
# The vfio modules come after an enforcing daemon, go, and come again: enforcement goes and comes with them.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

enforcing_is() {
	[ "$(status .enforcing)" = "$1" ]
}

alias_policy enforce deny
start_daemon
expect_equal "the mode" "$(status .mode)" enforce
recording_is waiting || fail "without modules it is $(status .recording)"
expect_equal "nothing is enforced yet" "$(status .enforcing)" null
[ "$(status .enforcing_reason)" ] || fail "no reason is told"
for round in 1 2 3; do
	expect "modules load" vfio-modules load
	eventually "enforcement starts in round $round" 60 enforcing_is "$(expected_way)"
	expect_enforcing
	expect "a conflict is denied in round $round" vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 16p;
		open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w wc 0 1p; mmap-raw w wc 64K 1p'
	expect_all_decided
	# The daemon lets go of the lower modules when the last VFIO driver is gone.
	eventually "modules unload in round $round" 60 vfio-modules unload
	eventually "enforcement stops in round $round" 60 enforcing_is null
	[ ! -e /sys/module/vfio ] || fail "module vfio is still there"
done
expect_balance
stop_daemon
expect "detach" vfiowatchd --detach
[ ! -e $pins ] || fail "pins are left: $(ls $pins)"
