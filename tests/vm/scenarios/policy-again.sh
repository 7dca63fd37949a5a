# vm: --append vfiowatch.novfio --append iomem=relaxed
# by hand: it loads the programs that decide again and again, which takes minutes
# kernels: 6.1
# What fails of putting a policy in force while the daemon runs is told of, and tried again: attaching when the modules come,
# and removing what another build left.
# shellcheck shell=sh source=lib.sh disable=SC2154
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

enforcing_is() {
	[ "$(status .enforcing)" = "$1" ]
}

degraded_by() {
	status '.degraded | join("; ")' | grep -q "$1"
}

not_degraded() {
	[ "$(status '.degraded | length')" -eq 0 ]
}

alias_policy enforce deny
start_daemon
# A directory is where the pin of a program that decides is to be.
for name in decide_mmap decide_mmap_1; do
	mkdir "$pins/link_$name" || fail "mkdir in the pin directory"
done
expect "modules load" vfio-modules load
eventually "it is told that nothing is enforced" 60 degraded_by 'not enforcing: cannot '
enforcing_is null || fail "enforcing is $(status .enforcing)"
expect_equal "deciding programs" "$(find "$pins" -name 'link_decide_*' ! -type d | wc -l)" 0
expect "nothing is denied" vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 16p;
	open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; mmap-raw w wc 0 1p'
rmdir "$pins/link_decide_mmap" "$pins/link_decide_mmap_1"
eventually "enforcement begins by itself" 120 enforcing_is "$(expected_way)"
expect_enforcing
expect "and denies" vfio-client -c 'open dev group 0000:00:01.0; mmap a dev 2 0 16p;
	open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w wc 0 1p; mmap-raw w wc 64K 1p'
expect_balance
stop_daemon

mkdir -p "$pins/before/left" || fail "mkdir in the pin directory"
start_daemon
eventually "what is left of another build is told of" 60 degraded_by 'programs of another build go on'
rmdir "$pins/before/left"
eventually "it is removed by itself" 60 not_degraded
[ ! -e "$pins/before" ] || fail "$pins/before is left"
expect_enforcing
stop_daemon
expect "detach" vfiowatchd --detach
[ ! -e "$pins" ] || fail "pins are left: $(ls "$pins")"
