# vm: --append iomem=relaxed
# Every way to map a BAR: seen as it happens, and found by a scan when it is older than the daemon; the same rows each time.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
test-modules load
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:04.0
cat >/tmp/sources.vfio <<'EOF'
comm sources
bar 0000:00:02.0 2 BAR
open uc path /sys/bus/pci/devices/0000:00:02.0/resource2
mmap-raw uc uc 64K 4p
open wc path /sys/bus/pci/devices/0000:00:02.0/resource2_wc
mmap-raw wc wc 128K 4p
open proc path /proc/bus/pci/00/02.0
pciioc proc mem
mmap-raw proc proc $BAR+192K 4p
open mem path /dev/mem
mmap-raw mem mem $BAR+256K 4p
mmap-raw mem_far mem $BAR+8M+4K 4p
munmap mem_far 0 1p
munmap wc 1p 1p
open dev group 0000:00:01.0
mmap v dev 2 0 4p
touch v
open test group 0000:00:04.0
dmabuf buf test 2
mmap-raw d buf 64K 4p
touch d
touch-file /tmp/mapped
barrier /tmp/end
EOF
rows() {
	vfiowatch mappings --json=short | jq -c 'sort_by(.phys_start)[] | [.source, .device, .region, .comm, .phys_start, .phys_end, .requested, .effective, .populated, .live]'
}
start_client() {
	rm -f /tmp/mapped /tmp/end
	vfio-client /tmp/sources.vfio &
	client=$!
	eventually "everything is mapped" 60 test -e /tmp/mapped
}
end_client() {
	touch /tmp/end
	wait "$client" || fail "the client ended with $?"
	client=
}

start_daemon
start_client
rows >/tmp/by-event
cat /tmp/by-event
expect "the page tables agree" check-findings
expect_equal "all are seen as they happen" "$(vfiowatch mappings --json=short | jq -r '[.[].origin] | unique | join(" ")')" event
expect_equal "the sources" "$(jq -r '.[0]' /tmp/by-event | sort | uniq -c | awk '{ print $2 "=" $1 }' | tr '\n' ' ')" \
	"devmem=2 dmabuf=1 other=1 sysfs=3 vfio=1 "
end_recording
start_daemon
rows >/tmp/by-scan
expect "the same rows by a scan" diff /tmp/by-event /tmp/by-scan
expect_equal "which says so" "$(vfiowatch mappings --json=short | jq -r '[.[].origin] | unique | join(" ")')" scan
expect "the page tables agree" check-findings
end_client
expect_equal "nothing is left" "$(vfiowatch mappings --json=short)" "[]"
expect_balance
