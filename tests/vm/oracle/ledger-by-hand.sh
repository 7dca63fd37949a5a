#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints what `vfiowatch mappings --json` has to print, made from /proc/PID/maps with shell arithmetic: the known
# good answer that the oracle's own test starts from. The device of a file offset is the one the client that
# runs us names ($VFIO_CLIENT_PIECES), else the first that has such a BAR. Runs in the test VM.
set -eu

# bar_line BDF INDEX: start end flags
bar_line() {
	sed -n "$(($2 + 1))p" "/sys/bus/pci/devices/$1/resource"
}

# first_device_with INDEX BYTES: BDF of the first with such a memory BAR
first_device_with() {
	for path in /sys/bus/pci/devices/*/vfio-dev; do
		bdf=${path%/vfio-dev} bdf=${bdf##*/}
		# shellcheck disable=SC2046
		set -- "$1" "$2" $(bar_line "$bdf" "$1")
		if [ $((($4 | 4095) - $3)) -ge $(($2 - 1)) ] && [ $(($5 & 0x200)) -ne 0 ]; then
			echo "$bdf"
			return
		fi
	done
}

# of_client PID START: the device that the client says it mapped there
of_client() {
	[ "${VFIO_CLIENT_PIECES:-}" ] || return 0
	while read -r pid start end bdf _; do
		if [ "$pid" = "$1" ] && [ $((0x$start)) -le $((0x$2)) ] && [ $((0x$2)) -lt $((0x$end)) ]; then
			echo "$bdf"
		fi
	done <"$VFIO_CLIENT_PIECES"
}

# The BAR that has this physical address: "BDF INDEX BAR-START"
of_physical() {
	for path in /sys/bus/pci/devices/*/vfio-dev; do
		bdf=${path%/vfio-dev} bdf=${bdf##*/} index=0
		while [ $index -lt 6 ]; do
			# shellcheck disable=SC2046
			set -- "$1" $(bar_line "$bdf" $index)
			# a BAR below one page is mapped as a page
			if [ $(($2)) -gt 0 ] && [ $(($1)) -ge $(($2)) ] && [ $(($1)) -le $(($3 | 4095)) ]; then
				echo "$bdf $index $2"
			fi
			index=$((index + 1))
		done
	done
}

# comm bytes as JSON: everything but letters, digits and a few signs as the text \xNN
json_comm() {
	od -An -v -tx1 "/proc/$1/comm" | tr -d '\n' | sed 's/ 0a *$/\n/' | tr ' ' '\n' | while read -r byte; do
		case $byte in
		'') ;;
		2d | 2f | 3[0-9] | 4[1-9a-f] | 5[0-9a] | 6[1-9a-f] | 7[0-9a])
			# shellcheck disable=SC2059
			printf "\\x$byte"
			;;
		*) printf '\\\\x%s' "$byte" ;;
		esac
	done
}

separator=''
echo '['
for maps in /proc/[0-9]*/maps; do
	pid=${maps#/proc/} pid=${pid%/maps}
	grep -F 'anon_inode:[vfio-device]' "$maps" 2>/dev/null >/tmp/by-hand.$$ || continue
	uid=$(awk '$1 == "Uid:" { print $2 }' "/proc/$pid/status")
	while read -r range _ column _; do
		start=${range%-*} end=${range#*-} column=$((0x$column))
		# shellcheck disable=SC2046
		set -- $(of_physical "$column")
		if [ $# -eq 3 ]; then
			bdf=$1 region=$2 phys=$column
			offset=$(((region << 40) + column - $3))
		else
			region=$((column >> 40)) offset=$column within=$((column & 0xffffffffff))
			bdf=$(of_client "$pid" "$start")
			bdf=${bdf:-$(first_device_with $region $((within + 0x$end - 0x$start)))}
			# shellcheck disable=SC2046
			set -- $(bar_line "$bdf" $region)
			phys=$(($1 + within))
		fi
		printf '%s{"id":1,"cookie":null,"device":"%s","region":%d,"source":"vfio","pid":%d,"comm":"%s","uid":%d,' \
			"$separator" "$bdf" "$region" "$pid" "$(json_comm "$pid")" "$uid"
		printf '"unit":null,"machine":null,"start":"0x%x","end":"0x%x","offset":"0x%x","phys_start":"0x%x",' \
			$((0x$start)) $((0x$end)) $offset $phys
		printf '"phys_end":"0x%x","requested":"uc-","effective":null,"populated":null,"origin":"event","live":true}\n' \
			$((phys + 0x$end - 0x$start))
		separator=,
	done </tmp/by-hand.$$
done
echo ']'
rm -f /tmp/by-hand.$$
