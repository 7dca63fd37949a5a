# vm: --append iomem=relaxed --append lsm=landlock --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 6.1 7.2
# by hand: the kernel takes a minute to verify the copies of the programs, emulated
# 8 processes on 2 CPUs map and unmap overlapping pages with conflicting types, 100,000 times: never together, never denied
# without a reason, and nothing is left when they are gone. Denied by programs that change what the LSM hooks return.
# shellcheck shell=sh
. /tests/policy/race-alone.sh
