# vm: --append iomem=relaxed --append lsm=landlock --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 6.12
# by hand: some minutes long
# The same race while the daemon is killed and started anew all the time, and another process floods it with events. Denied by
# programs that change what the LSM hooks return.
# shellcheck shell=sh
. /tests/policy/race-kill.sh
