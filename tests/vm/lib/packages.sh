# shellcheck shell=bash disable=SC2154 # run sets the variables
# Debian packages of other suites than the machine's own, through an apt state of our own under the cache.
# The mirror is whatever the machine's own apt uses; signatures and checksums are checked by apt as always.

readonly ARCHIVE_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The base addresses in the machine's own apt configuration, whichever format it is written in.
archive_addresses() {
	apt-get update --print-uris -o Dir::State::Lists="$scratch/no-lists" 2>/dev/null |
		sed -nE "s|^'(.*)/dists/[^']*/InRelease'.*|\1|p" | awk '!seen[$0]++'
}

# write_suite_configuration DIR: an apt.conf that keeps the machine's ways to the network (proxies, time-outs) and
# nothing else of it: no hooks, no sources, no installed packages.
write_suite_configuration() {
	local dir=$1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	{
		apt-config dump | grep -E '^Acquire::' || true
		cat <<-EOF
			Acquire::Languages "none";
			Acquire::Retries "3";
			Acquire::GzipIndexes "true";
			APT::Architecture "$DEBIAN_ARCH";
			APT::Architectures { "$DEBIAN_ARCH"; };
			APT::Sandbox::User "root";
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "/dev/null";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
			Dir::Etc::sourcelist "$dir/sources.list";
			Dir::Etc::sourceparts "/dev/null";
			Dir::State "$dir";
			Dir::State::status "/dev/null";
			Dir::Cache "$dir/cache";
			Dir::Cache::pkgcache "";
			Dir::Cache::srcpkgcache "";
		EOF
	} >"$dir/apt.conf"
}

suite_apt() {
	local suite=$1
	shift
	APT_CONFIG=$cache/apt/$suite/apt.conf "$@"
}

# update_suite SUITE: fetch its package list from the first of the machine's mirrors that has it, signed by Debian.
update_suite() {
	local suite=$1 dir=$cache/apt/$1 address
	write_suite_configuration "$dir"
	while read -r address; do
		printf 'deb [signed-by=%s] %s %s main\n' "$ARCHIVE_KEYRING" "$address" "$suite" >"$dir/sources.list"
		if suite_apt "$suite" apt-get -q update --error-on=any; then
			return 0
		fi
	done < <(archive_addresses)
	return 1
}

# update_suites FILE SUITE...: write to FILE which of them could be had; fail when none could.
update_suites() {
	local list=$1 suite log=$scratch/update.log words
	shift
	[[ -r $ARCHIVE_KEYRING ]] || { echo "error: $ARCHIVE_KEYRING is missing: install debian-archive-keyring"; return 1; }
	: >"$list"
	: >"$log"
	for suite; do
		exec {suite_lock}>"$cache/apt/$suite.lock"
		flock "$suite_lock"
		if update_suite "$suite" >>"$log" 2>&1; then
			printf '%s\n' "$suite" >>"$list"
		fi
		exec {suite_lock}>&-
	done
	if [[ ! -s $list ]]; then
		words=$(grep -aE '^[EW]: ' "$log" | head -n 1) || true
		echo "error: no Debian mirror of this machine's apt configuration gave a signed list of $*${words:+ (apt: $words)}"
		return 1
	fi
}

# suite_packages SUITE REGEX: "NAME VERSION" of each package whose whole name matches.
suite_packages() {
	suite_apt "$1" apt-cache dumpavail | awk -v regex="^($2)\$" '
		$1 == "Package:" { name = $2 }
		$1 == "Version:" && name ~ regex { print name, $2 }'
}

# newest_package REGEX SUITE...: "SUITE NAME VERSION" of the newest match, the first suite winning a tie.
newest_package() {
	local regex=$1 suite name version best='' best_version=
	shift
	for suite; do
		while read -r name version; do
			if [[ -z $best ]] || dpkg --compare-versions "$version" gt "$best_version"; then
				best="$suite $name $version" best_version=$version
			fi
		done < <(suite_packages "$suite" "$regex")
	done
	[[ $best ]] || return 1
	printf '%s\n' "$best"
}

# download_pinned PIN DIR: every "SUITE NAME VERSION" line of PIN as a file in DIR. apt goes on where a broken
# download ended, and checks what it fetched against the signed list.
download_pinned() {
	local pin=$1 dir=$2 suite name version
	mkdir -p "$dir"
	while read -r suite name version; do
		(cd "$dir" && suite_apt "$suite" apt-get -q download "$name=$version") || return 1
	done <"$pin"
}
