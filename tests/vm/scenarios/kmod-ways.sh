# The five ways of a driver to a write-combining mapping end in the types of the page tables that are known for them,
# and so do the other files that reach a BAR; without the product.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
expect "the modules load" test-modules load
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0 0000:00:02.0
# 6.1 populates a whole VFIO mapping at the first touch, and that reserves its type: the driver cannot change it later,
# and where the driver maps nothing the mapping gets what it asked for.
case $(uname -r) in
6.1.*) export LATER=uc- OUTSIDE=wc ;;
*) export LATER=wc OUTSIDE=uc- ;;
esac
expect "the ways" vfio-client /tests/clients/kmod-ways.vfio
expect "a change under a mapping" vfio-client /tests/clients/kmod-mixed.vfio
if [ $OUTSIDE = wc ]; then
	expect "types that exclude the whole BAR" vfio-client /tests/clients/kmod-reserved.vfio
fi
expect "the other files" vfio-client /tests/clients/kmod-files.vfio
expect "the modules go" test-modules unload
expect_equal "kernel warnings" "$(dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|Bad page')" ""
