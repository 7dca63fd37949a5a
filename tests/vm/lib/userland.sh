# shellcheck shell=bash disable=SC2154 # run sets the variables
# The Debian userland of the --systemd profile, and a QEMU for the guest.

# The same suite as the machine's own, so that programs built here run there.
readonly USERLAND_PACKAGES=systemd,systemd-sysv,systemd-container,systemd-journal-remote,openssh-server,dbus,polkitd,udev,kmod,libbpf1,libjson-c5,libinih1,libgcrypt20,procps,jq,ncurses-base
# What boots in an emulated CPU for no test's good.
readonly MASKED_UNITS=(
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
	getty@tty1.service serial-getty@ttyS0.service getty-static.service systemd-random-seed.service
	systemd-binfmt.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
	ssh.service ssh.socket
	systemd-pcrphase.service systemd-pcrphase-sysinit.service
	dev-hugepages.mount modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service
	modprobe@fuse.service modprobe@dm_mod.service modprobe@loop.service systemd-pstore.service
)
readonly UNUSED_TREES=(
	usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/share/zoneinfo usr/share/bug
	usr/share/perl5 usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin usr/share/bash-completion usr/share/zsh
	var/lib/apt var/cache/apt var/cache/debconf var/log
)
# What only the installation of a package needs: an archive of its own.
readonly PACKAGE_TREES=(var/lib/dpkg usr/lib/*/perl-base)

machine_suite() {
	(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
}

# An archive: what installing a package in the guest needs besides.
package_trees=

# fetch_userland TREE
fetch_userland() {
	local tree=$1 suite suites lines=()
	suite=$(machine_suite)
	update_suites "$scratch/userland.suites" "$suite" "$suite-security" || return 1
	mapfile -t suites <"$scratch/userland.suites"
	[[ ${suites[0]} == "$suite" ]] || { echo "error: no mirror of Debian $suite"; return 1; }
	for suite in "${suites[@]}"; do
		lines+=("$(<"$cache/apt/$suite/sources.list")")
	done
	grep '^Acquire::' "$cache/apt/${suites[0]}/apt.conf" >"$scratch/userland.apt.conf"
	mmdebstrap --quiet --mode=root --variant=essential --architectures="$DEBIAN_ARCH" \
		--include="$USERLAND_PACKAGES" --aptopt="$scratch/userland.apt.conf" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"${suites[0]}" "$tree" "${lines[@]}"
}

trim_userland() {
	local tree=$1 unit
	rm -rf "${UNUSED_TREES[@]/#/$tree/}" "$tree"/usr/lib/*/gconv "$tree/etc/dpkg/dpkg.cfg.d"
	find "$tree/usr/lib/systemd/catalog" -name 'systemd.*.catalog' -delete
	mkdir -p "$tree/var/log" "$tree/var/lib/dpkg" "$tree/out" "$tree/etc/tmpfiles.d" "$tree/etc/modprobe.d"
	rm -rf "${tree:?}"/dev/* "${tree:?}"/run/* "${tree:?}"/tmp/*
	for unit in "${MASKED_UNITS[@]}"; do
		ln -sf /dev/null "$tree/etc/systemd/system/$unit"
	done
}

configure_userland() {
	local tree=$1
	echo vfiowatch-vm >"$tree/etc/hostname"
	echo 127.0.0.1 localhost vfiowatch-vm >"$tree/etc/hosts"
	echo 7fd0a1c35e8b4d2f9a6c0b1e2d3f4a5b >"$tree/etc/machine-id"
	: >"$tree/etc/fstab"
	# files of --copy in /tmp stay; a test device keeps no driver unless a test loads one
	printf 'q /tmp 1777 root root -\n' >"$tree/etc/tmpfiles.d/tmp.conf"
	printf 'blacklist e1000e\n' >"$tree/etc/modprobe.d/vfiowatch-vm.conf"
	ln -sf /usr/lib/systemd/system/multi-user.target "$tree/etc/systemd/system/default.target"
}

# pack_package_trees TREE FILE: they leave the tree.
pack_package_trees() {
	local tree=$1 apart=$scratch/package-trees path
	(cd "$tree" && printf '%s\n' ${PACKAGE_TREES[@]}) | while read -r path; do
		mkdir -p "$apart/${path%/*}"
		mv "$tree/$path" "$apart/$path"
	done
	rm -rf "$apart"/var/lib/dpkg/*-old
	pack_tree "$apart" "$2"
	rm -rf "$apart"
	mkdir -p "$tree/var/lib/dpkg"
}

# The image's list of files tells which libraries need not be brought along.
build_userland() {
	local tree=$scratch/userland
	fetch_userland "$tree"
	trim_userland "$tree"
	configure_userland "$tree"
	pack_package_trees "$tree" "${1%.cpio.partial}.packages"
	pack_tree "$tree" "$1"
	(cd "$tree" && find usr/lib -name '*.so*' -printf '/%p\n') >"${1%.cpio.partial}.libraries"
	rm -rf "$tree"
}

prepare_userland() {
	local key
	need mmdebstrap mmdebstrap
	key=$({ cat "$here/lib/userland.sh"; machine_suite; } | fingerprint)
	if [[ ! -e $cache/image/systemd-$key.cpio ]]; then
		((EUID == 0)) || die "building the Debian userland for --systemd needs root, once"
	fi
	cached_image systemd "$key" "building the Debian userland" build_userland
	provided_libraries=${image%.cpio}.libraries
	package_trees=${image%.cpio}.packages
}

# install_product TREE: what the package would install, its unit enabled.
install_product() {
	local tree=$1 file unit=vfiowatchd.service
	# a make that runs this test is not to speak to this one
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$top" install DESTDIR="$tree"
	merge_usr "$tree"
	while read -r -d '' file; do
		add_libraries "$tree" "$file"
	done < <(find "$tree" -type f -perm /111 -print0)
	[[ -e $tree/usr/lib/systemd/system/$unit ]] || { echo "error: make install brings no $unit"; return 1; }
	mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
	ln -sf "/usr/lib/systemd/system/$unit" "$tree/etc/systemd/system/multi-user.target.wants/$unit"
}

# build_nested_qemu FILE: this machine's QEMU, its TCG module and the firmware that a q35 without VGA reads.
build_nested_qemu() {
	local tree=$scratch/nested program firmware module
	program=$(command -v qemu-system-x86_64)
	add_program "$tree" "$program" /usr/bin/qemu-system-x86_64
	for module in /usr/lib/*/qemu/accel-tcg-x86_64.so; do
		[[ ! -e $module ]] || add_program "$tree" "$module" "$module" 644
	done
	for firmware in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
		install -D -m 644 "$(firmware_file "$firmware")" "$tree/usr/share/qemu/$firmware"
	done
	pack_tree "$tree" "$1"
	rm -rf "$tree"
}

firmware_file() {
	local dir
	for dir in /usr/share/qemu /usr/share/seabios; do
		if [[ -e $dir/$1 ]]; then
			printf '%s' "$dir/$1"
			return 0
		fi
	done
	echo "error: the firmware $1 is not installed: run tests/vm/install-tools"
	return 1
}

prepare_nested_qemu() {
	local key
	key=$({ stat -c '%n %s %Y' -- "$(command -v qemu-system-x86_64)"; cat "$here/lib/userland.sh" "${provided_libraries:-/dev/null}"; } | fingerprint)
	cached_image "nested-qemu-$profile" "$key" "packing QEMU for the guest" build_nested_qemu
}
