# vm: --append iomem=relaxed --append syscall.x32=y --append lsm=landlock --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 6.1 7.2
# Every way to map a BAR uncached against every way to map it write-combining, on a kernel that runs no BPF LSM programs: denied where
# they share a byte, in both orders, and nowhere else; over the whole life of a mapping, and by every system call.
# shellcheck shell=sh
. /tests/policy/matrix.sh
