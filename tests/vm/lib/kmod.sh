# shellcheck shell=bash disable=SC2154 # run sets the variables
# The modules of tests/kmod, built for the chosen kernel with the headers and the compiler Debian built it with. Those
# are a small tree of their own, $cache/build/SERIES-RELEASE, entered with chroot.

# What a module build runs besides the compiler, which the headers bring along.
readonly BUILD_PACKAGES=make,pahole,xz-utils,zstd,lz4,gzip,mawk,coreutils,sed,grep,dash,findutils,diffutils
readonly BUILD_UNUSED=(usr/share/doc usr/share/man usr/share/locale usr/share/info var/lib/apt var/cache/apt boot)

# modules_key: of the kernel and all that the modules are made of.
modules_key() {
	{
		cat "$kernel_dir/release" "$kernel_dir/pin" "$here/lib/kmod.sh"
		(cd "$top/tests/kmod" && cat Kbuild ./*.c ./*.h)
	} | fingerprint
}

# compiler_suites: those that a kernel of the pinned suite is built in and may need packages of.
compiler_suites() {
	local suite rest
	read -r suite rest <"$kernel_dir/pin"
	case $suite in
	*-*) printf '%s\n' "${suite%%-*}" "${suite%%-*}-security" "$suite" | awk '!seen[$0]++' ;;
	*) printf '%s\n' "$suite" ;;
	esac
}

# fetch_build_tree TREE: unpacked, not installed: no maintainer script has anything to do here. Leaves the file
# $scratch/headers.gone when the mirror has no headers of that version any more.
fetch_build_tree() {
	local tree=$1 suite name version release suites wanted lines=() found=''
	read -r suite name version <"$kernel_dir/pin"
	release=$(<"$kernel_dir/release")
	mapfile -t wanted < <(compiler_suites)
	update_suites "$scratch/build.suites" "${wanted[@]}" || return 1
	mapfile -t suites <"$scratch/build.suites"
	for suite in "${suites[@]}"; do
		lines+=("$(<"$cache/apt/$suite/sources.list")")
		[[ ! $(suite_packages "$suite" "linux-headers-${release//+/[+]}" | grep -F " $version") ]] || found=1
	done
	if [[ ! $found ]]; then
		: >"$scratch/headers.gone"
		return 0
	fi
	grep '^Acquire::' "$cache/apt/${suites[0]}/apt.conf" >"$scratch/build.apt.conf"
	rm -rf "$tree"
	mmdebstrap --quiet --mode=root --variant=extract --architectures="$DEBIAN_ARCH" \
		--include="linux-headers-$release=$version,$BUILD_PACKAGES" --aptopt="$scratch/build.apt.conf" \
		--aptopt='APT::Install-Recommends "false"' "${suites[0]}" "$tree" "${lines[@]}" || return 1
	complete_build_tree "$tree" "$release"
}

# complete_build_tree TREE RELEASE: what maintainer scripts would have linked, and the kernel's own types.
complete_build_tree() {
	local tree=$1 name
	for name in bin sbin lib lib64; do
		[[ -e $tree/$name || -L $tree/$name ]] || ln -s "usr/$name" "$tree/$name"
	done
	[[ -e $tree/usr/bin/awk ]] || ln -s mawk "$tree/usr/bin/awk"
	mkdir -p "$tree/proc" "$tree/tmp"
	rm -rf "${BUILD_UNUSED[@]/#/$tree/}"
	rm -f "$tree"/usr/bin/*lto-dump* "$tree"/usr/lib*/gcc/*/*/lto1
	extract_vmlinux "$kernel_dir/vmlinuz" "$tree" "$tree/usr/src/linux-headers-$2/vmlinux"
}

# number_at FILE OFFSET BYTES
number_at() {
	od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# extract_vmlinux VMLINUZ TREE FILE: the ELF image within, which has the BTF that a module's own builds on. Where the
# payload is stands in the setup header (Documentation/arch/x86/boot.rst); its size follows it.
extract_vmlinux() {
	local image=$1 tree=$2 to=$3 start length unpack
	start=$((($(number_at "$image" $((0x1f1)) 1) + 1) * 512 + $(number_at "$image" $((0x248)) 4)))
	length=$(($(number_at "$image" $((0x24c)) 4) - 4))
	dd if="$image" of="$tree/tmp/payload" bs=1M iflag=skip_bytes,count_bytes skip="$start" count="$length" status=none
	case $(od -An -t x1 -N 4 "$tree/tmp/payload") in
	' fd 37 7a 58') unpack=(xz -dc --single-stream) ;;
	' 28 b5 2f fd') unpack=(zstd -dc) ;;
	' 02 21 4c 18') unpack=(lz4 -dc) ;;
	' 1f 8b'*) unpack=(gzip -dc) ;;
	*)
		echo "error: $image is compressed in a way that is not known here"
		return 1
		;;
	esac
	chroot "$tree" "${unpack[@]}" /tmp/payload >"$to"
	rm "$tree/tmp/payload"
	[[ $(head -c 4 "$to" | tr -d '\0') == $'\x7fELF' ]] || { echo "error: no ELF image in $image"; return 1; }
}

# prepare_build_tree: leaves its directory in $build_tree. When the headers of the cached kernel have left the mirror,
# kernel and headers are fetched anew, once.
prepare_build_tree() {
	local outer attempt
	for attempt in first second; do
		build_tree=$cache/build/$kernel-$(<"$kernel_dir/release")
		[[ ! -e $build_tree ]] || return 0
		rm -f "$scratch/headers.gone"
		mkdir -p "$cache/build"
		step --grows "$build_tree.partial" "fetching the headers and the compiler of Linux $kernel" \
			fetch_build_tree "$build_tree.partial"
		if [[ ! -e $scratch/headers.gone ]]; then
			find "$cache/build" -maxdepth 1 -name "$kernel-*" ! -name "${build_tree##*/}.partial" -exec rm -rf {} +
			mv "$build_tree.partial" "$build_tree"
			return 0
		fi
		[[ $attempt == first ]] || break
		outer=$cache_lock
		renew_kernel "$kernel"
		cache_lock=$outer
	done
	die "the mirror has no headers of Linux $(<"$kernel_dir/release")"
}

# in_build_tree COMMAND...: objtool reads /proc.
in_build_tree() {
	# shellcheck disable=SC2016 # expanded by that shell
	unshare --mount sh -c 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$build_tree" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"
}

# build_test_modules FILE: an archive of the modules, with dependency files that know them and the kernel's own.
build_test_modules() {
	local file=$1 release tree=$scratch/test-modules directory module overrides=()
	release=$(<"$kernel_dir/release")
	rm -rf "$build_tree/kmod" "$tree"
	cp -r "$top/tests/kmod" "$build_tree/kmod"
	# the modules have no BTF ids to resolve, and Debian's 6.1 headers come without the tool
	compgen -G "$build_tree/usr/lib/linux-kbuild-*/tools/bpf/resolve_btfids/resolve_btfids" >/dev/null ||
		overrides=(RESOLVE_BTFIDS=true)
	in_build_tree make -s -C "/usr/src/linux-headers-$release" M=/kmod "${overrides[@]}" modules || return 1
	directory=$tree/usr/lib/modules/$release
	mkdir -p "$tree"
	(cd "$tree" && cpio --quiet -id <"$kernel_dir/modules.cpio")
	ln -sfn usr/lib "$tree/lib"
	mkdir -p "$directory/updates"
	for module in "$build_tree"/kmod/*.ko; do
		readelf -SW "$module" | grep -qw '\.BTF' || { echo "error: ${module##*/} has no BTF"; return 1; }
		strip --strip-debug -o "$directory/updates/${module##*/}" "$module"
	done
	depmod -b "$tree" "$release"
	rm -r "$tree/lib" "$directory/kernel"
	pack_tree "$tree" "$file"
	rm -rf "$tree" "$build_tree/kmod"
}

# prepare_test_modules: leaves the archive in $image.
prepare_test_modules() {
	build_tree=$cache/build/$kernel-$(<"$kernel_dir/release")
	if [[ ! -e $cache/image/kmod-$kernel-$(modules_key).cpio ]]; then
		((EUID == 0)) || die "building the test modules of Linux $kernel needs root, once"
		take_lock "build-$kernel"
		prepare_build_tree
		release_lock
	fi
	cached_image "kmod-$kernel" "$(modules_key)" "compiling the test modules for Linux $kernel" build_test_modules
}
