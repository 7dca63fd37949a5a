# vm: --copy /usr/sbin/bpftool:/usr/bin/bpftool
# What the kernel took away for ever stands in nobody's way: sysfs mappings of a BAR that a driver claimed before enforcement
# began, and mappings of a DMABUF that was revoked, or whose device was closed. What is still there does.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

sysfs=/sys/bus/pci/devices

# DEVICE: what is known of the pages of its sysfs mappings
sysfs_pages() {
	vfiowatch mappings --json | jq -r "[.[] | select(.source == \"sysfs\" and .device == \"$1\") | [.requested, .effective, .populated]] | tostring"
}

bind_test_driver
alias_policy audit deny
start_daemon
vfio-client -c "open gone path $sysfs/0000:00:01.0/resource2_wc; mmap-raw gone gone 0 64K
	open there path $sysfs/0000:00:02.0/resource2_wc; mmap-raw there there 0 64K
	hold /tmp/sysfs" &
older=$!
eventually "sysfs is mapped" 60 test -e /tmp/sysfs
cat >/tmp/client.vfio <<'END'
open dev group 0000:00:01.0
info dev 2 issued PLAIN
mmap-raw first dev $PLAIN+8M 4p
touch first
touch-file /tmp/claimed
barrier /tmp/enforcing

print revoked before enforcement began
mmap-raw a dev $PLAIN 16p
touch a
munmap a
open uc path /sys/bus/pci/devices/0000:00:02.0/resource2
!EPERM mmap-raw u uc 0 1p
mmap-raw u uc 64K 1p
munmap u

print a DMABUF that is revoked
dmabuf buf dev 2
dmabuf other dev 2
memattr buf wc
memattr other wc
mmap-raw w buf 1M 16p
mmap-raw w2 other 2M 16p
fork child
!EPERM mmap-raw u dev $PLAIN+1M 16p
munmap w 4p 4p
!EPERM mmap-raw u dev $PLAIN+1M+16K 4p
revoke buf
mmap-raw u dev $PLAIN+1M 16p
touch u
!EPERM mmap-raw u2 dev $PLAIN+2M 1p
munmap u
munmap w2
!EPERM mmap-raw u2 dev $PLAIN+2M 1p
@child exit
mmap-raw u2 dev $PLAIN+2M 1p
munmap u2
munmap w
munmap first

print a DMABUF whose device is closed
mmap-raw w other 3M 16p
open again group 0000:00:01.0
info again 2
close dev
!EPERM mmap-raw u again $PLAIN+3M 16p
close again
close-groups
open dev group 0000:00:01.0
info dev 2
mmap-raw u dev $PLAIN+3M 16p
touch u
munmap u
END
vfio-client /tmp/client.vfio &
client=$!
eventually "VFIO is mapped" 60 test -e /tmp/claimed
expect_equal "of the claimed BAR" "$(sysfs_pages 0000:00:01.0)" '[["wc","unpopulated",0]]'
expect_equal "of the other one" "$(sysfs_pages 0000:00:02.0)" '[["wc","wc",65536]]'
alias_policy enforce deny
reload
expect_enforcing
expect_equal "mappings that hold bytes" "$(extents '.state == 2')" 2
touch /tmp/enforcing
wait "$client" || fail "the client failed"
client=
expect_all_decided
kill "$older"
wait "$older" || fail "the sysfs client failed"
expect_nothing_held
expect_no_alias
expect_balance
stop_daemon
expect "enforcement goes" vfiowatchd --detach
expect_healthy_kernel
