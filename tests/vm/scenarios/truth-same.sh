# vm: --daemon
# What is no conflict gives no finding, and a conflict ends with the bytes being shared: by munmap of just those pages, by
# exit, by revoke. Every line of the script that checks is equal to the page tables too.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
expect "the modules load" test-modules load
expect "a BAR mapped through sysfs first" vfio-client /tests/clients/truth-sysfs.vfio
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0
expect "what is no conflict, and how one ends" vfio-client /tests/clients/truth-same.vfio
expect "leaves of 2 MiB" vfio-client /tests/clients/truth-huge.vfio
expect "nothing is left" check-findings --expect none
expect_balance
expect "the modules go" test-modules unload
