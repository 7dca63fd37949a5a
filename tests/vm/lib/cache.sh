# shellcheck shell=bash disable=SC2154 # run sets the variables
# Where downloads and images are kept, shared by concurrent runs.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vfiowatch
cache_lock=

open_cache() {
	mkdir -p "$cache"/{apt,kernel,image,lock} 2>/dev/null ||
		die "cannot write to the cache $cache: make it writable or set XDG_CACHE_HOME"
}

# take_lock NAME: wait for other runs that prepare the same thing.
take_lock() {
	exec {cache_lock}>"$cache/lock/$1"
	flock -n "$cache_lock" && return 0
	say "waiting for another run that prepares $1"
	flock "$cache_lock"
}

release_lock() {
	exec {cache_lock}>&-
}

# fingerprint: one word for all that is read from standard input.
fingerprint() {
	sha256sum | cut -c 1-16
}

# cached_image KIND KEY WHAT BUILDER ARGUMENT...: run BUILDER ARGUMENT... FILE unless the image is there; leaves its
# path in $image. Older images of the same kind go.
cached_image() {
	local kind=$1 key=$2 what=$3
	shift 3
	image=$cache/image/$kind-$key.cpio
	[[ ! -e $image ]] || return 0
	take_lock "image-$kind"
	if [[ ! -e $image ]]; then
		rm -rf "$image.partial"
		step "$what" "$@" "$image.partial"
		find "$cache/image" -maxdepth 1 -name "$kind-*" ! -name "$kind-$key.*" -mmin +60 -delete
		mv "$image.partial" "$image"
	fi
	release_lock
}
