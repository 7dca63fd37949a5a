# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# For the scenarios of upgrades, in the guest; needs bpftool.

# WHICH: the digest of that name of the daemon that runs, in hexadecimal, lowest byte first
digest() {
	# not by jq, whose numbers are doubles
	bpftool -j map dump pinned $pins/recorder | grep -o "\"$1\":[0-9]*" | cut -d : -f 2 |
		awk '{ n = $0
			for (i = 0; i < 16; i++) { d[i] = 0 }
			# too large for a double: by decimal long division, 16 hexadecimal digits, lowest first
			for (i = 0; i < 16; i++) { r = 0; q = ""
				for (k = 1; k <= length(n); k++) { v = r * 10 + substr(n, k, 1); q = q int(v / 16); r = v % 16 }
				d[i] = r; n = q }
			for (i = 0; i < 16; i += 2) printf "%x%x", d[i + 1], d[i] }'
}

# FILE DIGEST...: makes a daemon of another build, whose digests of these names have another first byte: `build` is that
# of its BPF programs, `layout` that of their tables.
make_other_build() {
	made=$1
	shift
	xxd -p /usr/sbin/vfiowatchd | tr -d '\n' >/tmp/build.hex
	for which in "$@"; do
		hex=$(digest "$which")
		other=$(printf '%02x%s' $((0x${hex%??????????????} ^ 0xff)) "${hex#??}")
		grep -q "$hex" /tmp/build.hex || fail "the $which $hex is not in the daemon"
		sed -i "s/$hex/$other/g" /tmp/build.hex
	done
	xxd -r -p /tmp/build.hex >"$made"
	chmod 755 "$made"
	! cmp -s /usr/sbin/vfiowatchd "$made" || fail "the other build is the same"
	expect_equal "its size" "$(wc -c <"$made")" "$(wc -c </usr/sbin/vfiowatchd)"
}

# PROGRAM: the daemon, from now on
start_build() {
	"$1" --foreground 2>>/out/vfiowatchd.log &
	daemon=$!
	expect "the daemon is ready" vfiowatch status --wait=200 >/dev/null
	kill -0 "$daemon" 2>/dev/null || fail "the daemon ended: $(tail -n 3 /out/vfiowatchd.log)"
}
