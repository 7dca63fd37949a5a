# vm: --append iomem=relaxed --append lsm=landlock
# kernels: 6.1
# The same where sysfs and VFIO may have a BAR at once, on a kernel that runs no BPF LSM programs.
# shellcheck shell=sh
. /tests/policy/turn.sh
