# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# For the scenarios of policy and enforcement, in the guest.

policies=/etc/vfiowatch/policy.d
pins=/sys/fs/bpf/vfiowatch

# [NAME]: standard input becomes the policy file of that name
write_policy() {
	mkdir -p $policies
	cat >"$policies/${1:-50-test.conf}"
}

# MODE ON-UNKNOWN: write-combining and uncached mappings of the same bytes are denied
alias_policy() {
	write_policy <<-END
		[Policy]
		Mode=$1
		OnUnknown=$2

		[Rule never-both]
		Kind=alias
		Types=wc/uc
		Action=deny
	END
}

reload() {
	expect "the policy is taken" vfiowatch reload
}

# How this kernel is to deny: BPF LSM programs run only when they are in its list.
expected_way() {
	if grep -qw bpf /sys/kernel/security/lsm; then
		echo lsm
	else
		echo fmod_ret
	fi
}

expect_enforcing() {
	expect_equal "the mode" "$(status .mode)" enforce
	expect_equal "requests are denied by" "$(status .enforcing)" "$(expected_way)"
	expect_equal "it is not degraded" "$(status '.degraded | join("; ")')" ""
}

# Everything that came to be was decided, and nothing was left to OnUnknown.
expect_all_decided() {
	expect_equal "no mapping came to be undecided, unplaced or untracked" \
		"$(status '.enforcer | [.undecided, .unplaced, .untracked] | join(" ")')" "0 0 0"
	expect_equal "OnUnknown decided nothing" "$(status '[.enforcer.unknown[]] | add')" 0
}

# JQ: how many extents of all BARs, in the kernel's tables, are so; needs bpftool. A table that cannot be read is no number.
extents() {
	bpftool -j map dump pinned $pins/bars | jq "[.[].formatted.value.table.slots[] | select($1)] | length"
}

# VMAs that hold an extent
holds() {
	bpftool -j map dump pinned $pins/holds | jq length
}

# Nothing is mapped: no VMA and no mapped extent is kept. What a failed mmap left is told apart from a reservation, and goes
# when somebody wants its place.
expect_nothing_held() {
	expect_equal "VMAs in the kernel's table" "$(holds)" 0
	expect_equal "mapped extents in the kernel's tables" "$(extents '.state == 2')" 0
}

expect_empty_tables() {
	[ "$(bpftool -j map dump pinned $pins/bars | jq length)" -gt 0 ] || fail "the enforcer has no table of any BAR"
	expect_equal "VMAs in the kernel's table" "$(holds)" 0
	expect_equal "extents in the kernel's tables" "$(extents '.state != 0')" 0
}

# No two mappings that share a byte have conflicting types.
expect_no_alias() {
	expect_equal "active alias conflicts" \
		"$(vfiowatch conflicts --json | jq -c '[.[] | select(.kind == "alias" and .active)]')" "[]"
}

kernel_complaints() {
	# 6.1 warns when a mapping of remap_pfn_range() goes whose first page was taken away or moved before
	dmesg | grep -E 'WARNING|BUG|Oops|Bad page|soft lockup|rcu.*stall' | grep -v ' untrack_pfn+'
}

expect_healthy_kernel() {
	expect_equal "complaints of the kernel" "$(kernel_complaints)" ""
}

# The test driver on device 1, mapping write-combining for real, with UC and WC cookies of every dialect.
bind_test_driver() {
	expect "the modules load" test-modules load
	expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0
	echo pte >/sys/bus/pci/devices/0000:00:01.0/wc_mode || fail "the driver refuses wc_mode"
}
