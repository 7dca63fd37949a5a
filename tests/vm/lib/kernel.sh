# shellcheck shell=bash disable=SC2154 # run sets the variables
# A kernel of a given series in the cache: $cache/kernel/SERIES/{release,vmlinuz,modules.cpio,pin,packages/}.

# What the guest can load: VFIO, the harness's own transport, and drivers to rebind a test device to.
readonly GUEST_MODULES=(vfio_pci vfio_iommu_type1 irqbypass virtio_pci virtio_console uio_pci_generic e1000e)
readonly OPTIONAL_GUEST_MODULES=(vfio_virqfd)

kernel_suites() {
	case $1 in
	6.1) echo bookworm bookworm-security ;;
	6.12) echo trixie trixie-security bookworm-backports ;;
	7.2) echo trixie-backports sid ;;
	esac
}

# pin_kernel SERIES PIN: choose the newest version that the package lists have. From 6.19 on Debian splits the image.
pin_kernel() {
	local series=$1 pin=$2 version_regex split suite name version part kernel suites
	version_regex="${series//./\\.}\\.[0-9a-z.+]+(-[0-9]+)?-$DEBIAN_ARCH"
	# shellcheck disable=SC2046 # a list of words
	update_suites "$pin.suites" $(kernel_suites "$series") || return 1
	mapfile -t suites <"$pin.suites"
	if split=$(newest_package "linux-binary-$version_regex" "${suites[@]}"); then
		read -r suite name version <<<"$split"
		kernel=${name#linux-binary-}
		for part in binary modules base; do
			printf '%s linux-%s-%s %s\n' "$suite" "$part" "$kernel" "$version"
		done >"$pin.new"
	else
		newest_package "linux-image-$version_regex" "${suites[@]}" >"$pin.new" ||
			{ echo "error: the mirror has no Linux $series image"; return 1; }
	fi
	mv "$pin.new" "$pin"
}

# A pinned version can leave the mirror before it was fetched: then choose again, once.
download_kernel() {
	local series=$1 dir=$2
	if [[ -s $dir/pin ]] && download_pinned "$dir/pin" "$dir/packages"; then
		return 0
	fi
	rm -rf "$dir/pin" "$dir/packages"
	pin_kernel "$series" "$dir/pin" && download_pinned "$dir/pin" "$dir/packages"
}

# pack_modules FROM KERNEL TO: the chosen modules with all they need, decompressed (the host does it faster than an
# emulated CPU), with the dependency files that modprobe reads.
pack_modules() {
	local from=$1 kernel=$2 to=$3 module wanted=() path
	depmod -b "$from" "$kernel"
	for module in "${GUEST_MODULES[@]}" "${OPTIONAL_GUEST_MODULES[@]}"; do
		if modinfo -b "$from" -k "$kernel" "$module" >/dev/null 2>&1; then
			wanted+=("$module")
		elif [[ " ${GUEST_MODULES[*]} " == *" $module "* ]]; then
			echo "error: Linux $kernel has no module $module"
			return 1
		fi
	done
	modprobe -d "$from" -S "$kernel" -C /dev/null --show-depends -a "${wanted[@]}" |
		awk '$1 == "insmod" { print $2 }' | sort -u >"$to.list"
	mkdir -p "$to/usr/lib/modules/$kernel"
	ln -sfn usr/lib "$to/lib"
	while read -r path; do
		install -D -m 644 "$path" "$to/usr/lib/modules/$kernel/${path#*/lib/modules/"$kernel"/}"
	done <"$to.list"
	find "$to" -name '*.xz' -exec xz -d {} +
	cp "$from/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$to/usr/lib/modules/$kernel/"
	depmod -b "$to" "$kernel"
	rm "$to/lib"
}

# unpack_kernel DIR: from DIR/packages to what a boot needs.
unpack_kernel() {
	local dir=$1 package image kernel
	rm -rf "$dir/tree" "$dir/modules"
	mkdir -p "$dir/tree/usr/lib"
	ln -s usr/lib "$dir/tree/lib"
	for package in "$dir"/packages/*.deb; do
		dpkg-deb --fsys-tarfile "$package" |
			tar -x -C "$dir/tree" --keep-directory-symlink --exclude=./usr/share
	done
	image=$(find "$dir/tree" -name 'vmlinuz*' -type f)
	[[ -f $image ]] || { echo "error: no kernel image in $dir/packages"; return 1; }
	kernel=$(basename "$(echo "$dir"/tree/usr/lib/modules/*)")
	pack_modules "$dir/tree" "$kernel" "$dir/modules"
	pack_tree "$dir/modules" "$dir/modules.cpio"
	mv "$image" "$dir/vmlinuz"
	printf '%s\n' "$kernel" >"$dir/release"
	rm -rf "$dir/tree" "$dir/modules" "$dir/modules.list"
}

# prepare_kernel SERIES: leaves the directory in $kernel_dir.
prepare_kernel() {
	local series=$1 partial=$cache/kernel/$1.partial
	kernel_dir=$cache/kernel/$series
	[[ ! -e $kernel_dir ]] || return 0
	take_lock "kernel-$series"
	if [[ ! -e $kernel_dir ]]; then
		mkdir -p "$partial"
		step --grows "$partial" "fetching Linux $series from Debian" download_kernel "$series" "$partial"
		step "unpacking Linux $series" unpack_kernel "$partial"
		mv "$partial" "$kernel_dir"
	fi
	release_lock
}

# renew_kernel SERIES: choose and fetch the kernel again, as its headers cannot be had any more.
renew_kernel() {
	say "the headers of Linux $(<"$kernel_dir/release") have left the mirror: choosing the kernel anew"
	rm -rf "$kernel_dir.old"
	mv "$kernel_dir" "$kernel_dir.old"
	rm -rf "$kernel_dir.old"
	prepare_kernel "$1"
}
