# vm: --append iomem=relaxed --append lsm=landlock --copy /usr/sbin/bpftool:/usr/bin/bpftool
# The same on a kernel that runs no BPF LSM programs.
# shellcheck shell=sh
. /tests/policy/always.sh
