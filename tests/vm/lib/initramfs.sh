# shellcheck shell=bash disable=SC2154 # run sets the variables
# Initramfs archives. The kernel unpacks several, one over the other; every tree here is merged-/usr and holds no
# directory where another holds a symbolic link.

# pack_tree DIR FILE: a reproducible archive owned by root. Not compressed: copying costs an emulated CPU less.
pack_tree() {
	(
		cd "$1" || exit
		find . -mindepth 1 -print0 | LC_ALL=C sort -z |
			cpio --quiet -0 -o -H newc -R 0:0 --reproducible
	) >"$2"
}

# merged_path PATH: where PATH really is in a merged-/usr tree.
merged_path() {
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib32/* | /lib64/* | /libx32/*) printf '/usr%s' "$1" ;;
	*) printf '%s' "$1" ;;
	esac
}

is_dynamic_elf() {
	[[ -f $1 ]] && [[ $(head -c 4 -- "$1" | tr -d '\0') == $'\x7fELF' ]] &&
		LC_ALL=C ldd "$1" >/dev/null 2>&1
}

# merge_usr TREE: what was installed into /bin, /sbin or /lib, moved to where it really is.
merge_usr() {
	local name
	for name in bin sbin lib lib64; do
		[[ -d $1/$name ]] || continue
		mkdir -p "$1/usr/$name"
		cp -a "$1/$name/." "$1/usr/$name/"
		rm -r "${1:?}/$name"
	done
}

# Libraries that the profile's userland has, one path a line.
provided_libraries=/dev/null

# add_libraries TREE FILE: the shared libraries of FILE and its loader, at the paths where the loader looks.
add_libraries() {
	local tree=$1 file=$2 library target
	is_dynamic_elf "$file" || return 0
	while read -r library; do
		[[ $library != missing:* ]] || { echo "error: $file needs the library ${library#missing:}, which is not installed"; return 1; }
		target=$(merged_path "$library")
		[[ -e $tree$target ]] || grep -qxF -- "$target" "$provided_libraries" ||
			install -D -m 755 "$library" "$tree$target"
	done < <(LC_ALL=C ldd "$file" | awk '
		/=> not found/ { print "missing:" $1; next }
		$2 == "=>" && $3 ~ /^\// { print $3; next }
		$1 ~ /^\// { print $1 }')
}

# add_program TREE FILE PATH [MODE]: FILE as PATH, with what it needs to run.
add_program() {
	install -D -m "${4:-755}" "$2" "$1$3" && add_libraries "$1" "$2"
}

add_guest_scripts() {
	local tree=$1 script
	install -D -m 755 "$here/guest/init" "$tree/init"
	for script in session environment.sh; do
		install -D -m 755 "$here/guest/$script" "$tree/usr/lib/vfiowatch-vm/$script"
	done
	for script in vfio-modules vfio-bind test-modules test-pages; do
		install -D -m 755 "$here/guest/$script" "$tree/usr/sbin/$script"
	done
	if [[ $profile == systemd ]]; then
		install -D -m 644 "$here/guest/vfiowatch-vm.service" "$tree/etc/systemd/system/vfiowatch-vm.service"
		mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
		ln -s ../vfiowatch-vm.service "$tree/etc/systemd/system/multi-user.target.wants/vfiowatch-vm.service"
	fi
}

# build_minimal FILE: static busybox with all its applets.
build_minimal() {
	local tree=$scratch/minimal applet name
	mkdir -p "$tree"/{usr/{bin,sbin,lib,lib64},dev,proc,sys,run,tmp,out,root,etc,var}
	for applet in bin sbin lib lib64; do
		ln -s "usr/$applet" "$tree/$applet"
	done
	ln -s ../run "$tree/var/run"
	chmod 1777 "$tree/tmp"
	install -m 755 "$(command -v busybox)" "$tree/usr/bin/busybox"
	while read -r applet; do
		case $applet in usr/*) ;; *) applet=usr/$applet ;; esac
		case $applet in
		usr/bin/* | usr/sbin/*) ;;
		*) continue ;;
		esac
		[[ -e $tree/$applet ]] || ln -s /usr/bin/busybox "$tree/$applet"
	done < <(busybox --list-full)
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$tree/etc/passwd"
	printf 'root:x:0:\n' >"$tree/etc/group"
	printf 'vfiowatch-vm\n' >"$tree/etc/hostname"
	for name in linux vt100 xterm xterm-256color screen-256color tmux-256color dumb; do
		add_terminal_description "$tree" "$name"
	done
	add_locale "$tree"
	pack_tree "$tree" "$1"
	rm -rf "$tree"
}

# add_terminal_description TREE NAME: for programs with a screen, when this machine knows that terminal.
add_terminal_description() {
	local from
	for from in /etc/terminfo /lib/terminfo /usr/share/terminfo; do
		if [[ -e $from/${2:0:1}/$2 ]]; then
			install -D -m 644 "$from/${2:0:1}/$2" "$1/usr/share/terminfo/${2:0:1}/$2"
			return
		fi
	done
}

# The locale of every guest, so that programs with a screen can draw.
add_locale() {
	if [[ -d /usr/lib/locale/C.utf8 ]]; then
		mkdir -p "$1/usr/lib/locale"
		cp -r /usr/lib/locale/C.utf8 "$1/usr/lib/locale/"
	fi
}

prepare_minimal() {
	local key
	key=$({ cat "$(command -v busybox)" "$here/lib/initramfs.sh"; } | fingerprint)
	cached_image minimal "$key" "building the minimal userland" build_minimal
}

# The product as the Makefile built it, and every test tool.
add_product() {
	local tree=$1 program
	for program in vfiowatchd:/usr/sbin/vfiowatchd vfiowatch:/usr/bin/vfiowatch; do
		add_program "$tree" "$top/build/${program%%:*}" "${program#*:}"
	done
}

add_test_tools() {
	local tree=$1 tool
	for tool in "$top"/build/tests/vm/*; do
		if [[ -f $tool && -x $tool ]]; then
			add_program "$tree" "$tool" "/usr/local/bin/$(basename "$tool")"
		fi
	done
}

# --copy files are staged and put in place by the guest once its file systems are mounted, so that DST may be
# anywhere, also in /tmp or /run or behind a symbolic link.
add_copies() {
	local tree=$1 number=0 copy source stage file
	for copy in "${copies[@]}"; do
		source=${copy%:*} stage=$tree/usr/lib/vfiowatch-vm/copy/$number
		mkdir -p "$stage/file"
		cp -aH --no-preserve=ownership -- "$source" "$stage/file/"
		printf '%s\n' "${copy##*:}" >"$stage/destination"
		while read -r -d '' file; do
			add_libraries "$tree" "$file"
		done < <(find "$stage/file" -type f -print0)
		number=$((number + 1))
	done
}

# What the guest is to do: read as a shell file there.
write_session() {
	local tree=$1/etc/vfiowatch-vm
	mkdir -p "$tree"
	printf '%s' "$command" >"$tree/command"
	{
		printf 'daemon=%s terminal=%s collect=%s\n' "$daemon" "$terminal" "${out_dir:+1}"
		[[ ! $terminal ]] || printf 'TERM=%s\n' "$terminal_name"
	} >"$tree/session"
}

# build_overlay FILE: what belongs to this run alone.
build_overlay() {
	local tree=$scratch/overlay
	mkdir -p "$tree"
	add_guest_scripts "$tree"
	if [[ ! $without_product && $profile == systemd ]]; then
		install_product "$tree"
	elif [[ ! $without_product ]]; then
		add_product "$tree"
	fi
	add_test_tools "$tree"
	add_copies "$tree"
	[[ ! $terminal ]] || add_terminal_description "$tree" "$terminal_name"
	write_session "$tree"
	# equal runs get equal archives; copied files keep their times
	find "$tree" -path '*/copy/*/file/*' -prune -o -exec touch -h -d @0 {} +
	pack_tree "$tree" "$1"
}
