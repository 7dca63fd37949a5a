# vm: --append iomem=relaxed --copy /usr/sbin/bpftool:/usr/bin/bpftool
# kernels: 7.2
# by hand: five minutes long
# Enforcement goes on without the daemon: killed, stopped, hung, upgraded, or refused at its start; only --detach and a policy
# that audits take it off. All the while a conflicting mapping is attempted without a pause.
# shellcheck shell=sh
. /tests/policy/always.sh
