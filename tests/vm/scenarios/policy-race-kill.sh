# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 7.2
# by hand: some minutes long
# The same race while the daemon is killed and started anew all the time, and another process floods it with events. Denied by
# BPF LSM programs.
# shellcheck shell=sh
. /tests/policy/race-kill.sh
