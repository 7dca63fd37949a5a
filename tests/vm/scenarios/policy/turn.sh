# shellcheck shell=sh source=../lib.sh
. /tests/lib.sh
# shellcheck source=lib.sh
. /tests/policy/lib.sh

resource=/sys/bus/pci/devices/0000:00:01.0/resource2_wc

# Linux 7.2 reserves the BARs when the device is opened, 6.1 and 6.12 at the first mmap. Told by what it does, from the
# page tables: is a VFIO mapping write-combining that follows a sysfs one, without any policy?
relaxed=$(grep -cw iomem=relaxed /proc/cmdline)
case $(uname -r) in
6.*) turns_at_open= ;;
*) turns_at_open=1 ;;
esac

effective() {
	vfiowatch mappings --json | jq -r '[.[] | select(.source == "vfio" and .live) | .effective] | unique | join(" ")'
}

start_sysfs() {
	rm -f /tmp/sysfs
	vfio-client -c "open wc path $resource; mmap-raw w wc 0 64K; hold /tmp/sysfs" &
	client=$!
	eventually "sysfs is mapped" 60 test -e /tmp/sysfs
}

end_sysfs() {
	kill "$client"
	wait "$client" || fail "the sysfs client ended with $?"
	client=
}

turn_policy() {
	write_policy <<-END
		[Policy]
		Mode=$1
		OnUnknown=deny

		[Rule no-turning]
		Kind=promotion
		Types=uc/wc
		Action=deny
	END
}

# The BAR has been turned when the device is open, or will be turned by the first mmap.
denied_once_turned() {
	if [ "$turns_at_open" ] || [ "$relaxed" -gt 0 ]; then
		echo '!EPERM mmap a dev 2 0 4p; !EPERM mmap b dev 2 8M 4p'
	else
		echo 'mmap a dev 2 0 4p; touch a; mmap b dev 2 8M 4p; touch b'
	fi
}

# What it does without a policy.
turn_policy audit
start_daemon
start_sysfs
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 8M 4p; touch a; hold /tmp/vfio' &
vfio=$!
eventually "VFIO is mapped" 60 test -e /tmp/vfio
if [ "$turns_at_open" ] || [ "$relaxed" -gt 0 ]; then
	expect_equal "the BAR is turned" "$(effective)" wc
	[ "$(status .would_denied)" -gt 0 ] || fail "audit tells nothing of it"
	expect_equal "the finding has the verdict" "$(vfiowatch conflicts --json |
		jq -r '[.[] | select(.kind == "promotion" and .active) | .rule + " " + .verdict] | unique | join(", ")')" \
		"no-turning would-deny"
else
	expect_equal "the BAR is not turned" "$(effective)" uc-
	expect_equal "audit finds nothing" "$(status .would_denied)" 0
fi
kill $vfio
wait $vfio || fail "the VFIO client failed"
end_sysfs

turn_policy enforce
reload
expect_enforcing
denied=$(status .denied)
start_sysfs
expect "VFIO after sysfs" vfio-client -c "open dev group 0000:00:01.0; $(denied_once_turned)"
if [ "$turns_at_open" ] || [ "$relaxed" -gt 0 ]; then
	[ "$(status .denied)" -gt "$denied" ] || fail "nothing was denied"
else
	expect_equal "denied" "$(status .denied)" "$denied"
fi
# as long as sysfs has it mapped
expect "VFIO once more" vfio-client -c "open dev group 0000:00:01.0; $(denied_once_turned)"
end_sysfs
vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 4p; touch a; mmap b dev 2 8M 4p; touch b; hold /tmp/again' &
vfio=$!
eventually "VFIO maps when sysfs is gone and the device was opened anew" 60 test -e /tmp/again
expect_equal "with the type it asked for" "$(effective)" uc-
kill $vfio
wait $vfio || fail "the VFIO client failed"

# While the device stays open it stays turned, whatever became of sysfs.
if [ "$turns_at_open" ]; then
	start_sysfs
	vfio-client -c 'open dev group 0000:00:01.0; !EPERM mmap a dev 2 8M 4p; touch-file /tmp/denied; barrier /tmp/go;
		!EPERM mmap a dev 2 8M 4p; close dev; close-groups; open dev group 0000:00:01.0; mmap a dev 2 8M 4p; touch a' &
	vfio=$!
	eventually "VFIO is denied" 60 test -e /tmp/denied
	end_sysfs
	touch /tmp/go
	wait $vfio || fail "the VFIO client failed"
fi
expect_balance
stop_daemon
expect "enforcement goes" vfiowatchd --detach
expect_healthy_kernel
