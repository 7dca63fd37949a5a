# The test driver speaks each dialect by its uAPI, on every kernel; without the product.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
expect "the modules load" test-modules load
for type in vfio_mmap_attrs vfio_device_feature_alias_region vfio_region_get_mmap vfio_device_feature_dma_buf \
	vfio_device_feature_dma_buf_revoke vfio_device_feature_dma_buf_memattr; do
	expect "the BTF of the driver has the type" grep -qa "$type" /sys/kernel/btf/vfiowatch_test_driver
done
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0 0000:00:02.0 0000:00:03.0
expect "the dialects" vfio-client /tests/clients/kmod-dialects.vfio
expect "the modules go" test-modules unload
expect "the device is vfio-pci's again" vfio-client -c 'open dev group 0000:00:01.0; mmap m dev 2; touch m; !ENOTTY attrs dev 2 wc'
[ ! -e /sys/module/vfiowatch_test_driver ] || fail "the driver is still loaded"
[ ! -e /proc/vfiowatch-test-pages ] || fail "the reader of page tables is still there"
expect_equal "kernel warnings" "$(dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|Bad page')" ""
