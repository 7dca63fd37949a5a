# vm: --daemon --memory 2048
# nested-qemu
# A device passed through by a real QEMU: its mappings carry that process's name.
. /tests/lib.sh

qemu-system-x86_64 -accel tcg -nodefaults -display none -machine q35 -m 64 -name guest-one \
	-device vfio-pci,host=0000:00:01.0 -device vfio-pci,host=0000:00:04.0 2>/tmp/qemu.err &
qemu=$!
mapped() {
	[ "$(vfiowatch mappings --pid $qemu --json | jq length)" -ge 1 ]
}
eventually "QEMU maps: $(cat /tmp/qemu.err)" 120 mapped
sleep 2
count=$(grep -c vfio-device /proc/$qemu/maps)
expect "the ledger equals its maps" check-ledger --require-some "$count"
vfiowatch mappings --pid $qemu
expect_equal "every mapping has its name" \
	"$(vfiowatch mappings --json | jq -r '[.[].comm] | unique | join(" ")')" qemu-system-x86
expect_equal "and its pid" "$(vfiowatch mappings --json | jq '[.[].pid] | unique | .[]')" "$qemu"
expect_equal "it relies on nothing that was not promised" "$(vfiowatch lint --json)" "[]"
expect_equal "its mappings agree with each other" "$(vfiowatch conflicts --json)" "[]"
kill -9 $qemu
wait $qemu
expect "nothing is left" check-ledger
expect_balance
