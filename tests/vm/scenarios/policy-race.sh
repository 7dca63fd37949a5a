# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 7.2
# by hand: some minutes long on a loaded machine
# 8 processes on 2 CPUs map and unmap overlapping pages with conflicting types, 100,000 times: never together, never denied
# without a reason, and nothing is left when they are gone. Denied by BPF LSM programs.
# shellcheck shell=sh
. /tests/policy/race-alone.sh
