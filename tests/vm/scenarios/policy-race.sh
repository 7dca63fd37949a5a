# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 6.1 7.2
# 8 processes on 2 CPUs map and unmap overlapping pages with conflicting types: never together, never denied
# without a reason, and nothing is left when they are gone. Denied by BPF LSM programs.
# shellcheck shell=sh
# For longer: VFIOWATCH_TEST_SET=RACE_ATTEMPTS=100000
attempts=${RACE_ATTEMPTS:-10000}
. /tests/policy/race-alone.sh
