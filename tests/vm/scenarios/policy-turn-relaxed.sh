# vm: --append iomem=relaxed
# kernels: 6.1
# The same where sysfs and VFIO may have a BAR at once.
# shellcheck shell=sh
. /tests/policy/turn.sh
