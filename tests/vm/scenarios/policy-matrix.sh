# vm: --append iomem=relaxed --append syscall.x32=y --copy /usr/sbin/bpftool:/usr/bin/bpftool
# by hand: once on 6.1 a conflict by SET_MMAP_ATTRS was not denied, for a reason not yet found
# Every way to map a BAR uncached against every way to map it write-combining, denied by BPF LSM programs: denied where
# they share a byte, in both orders, and nowhere else; over the whole life of a mapping, and by every system call.
# shellcheck shell=sh
. /tests/policy/matrix.sh
