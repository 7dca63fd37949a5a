# kernels: 7.2
# A mapping of resourceN_wc that is older than the opening of the device gives the whole BAR another type on Linux 7.2. VFIO
# is denied what it would get, until the device is opened without that.
# shellcheck shell=sh
. /tests/policy/turn.sh
