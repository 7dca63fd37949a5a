# vm: --daemon
# kernels: 6.1 7.2
# The live view in a terminal: a mapping shows and goes while it is looked at, also while the terminal changes its size.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
export TERM=screen-256color LC_ALL=C.UTF-8 TZ=UTC

# Lines of the script: see view-frames.
look() {
	view-frames --times /tmp/none "$@" || fail "what was shown"
}

vfio-client <<-'END' &
	comm shown
	open dev group 0000:00:01.0
	barrier /tmp/map
	mmap m dev 2 1M 16p
	touch m
	barrier /tmp/unmap
	munmap m
	barrier /tmp/sizes
	storm 300 dev 2 64K 2
	mmap last dev 2 2M 2p
	barrier /tmp/end
END
client=$!
# shellcheck disable=SC2016 # expanded by that shell
eventually "the device is open" 60 sh -c '[ "$(vfiowatch status --json=short | jq .open_files)" -gt 0 ]'
look vfiowatch <<-'END'
	size 24 80
	await LIVE
	keys 3
	await 0/0
	run touch /tmp/map
	await shown
	gone unpopulated
	await uc-
	keys 2
	await 64K mapped
	keys 3
	await 3 Mappings 4
	await shown
	run touch /tmp/unmap
	gone shown
	run touch /tmp/sizes
	resizes 200
	size 24 80
	await 1/1
	stray
	keys q
	end
END
touch /tmp/end
wait $client || fail "the client failed"
client=
look vfiowatch top --spawn <<-'END'
	size 24 80
	await 5 devices
	keys 7
	await Recording    on
	keys q
	end
END
[ "$(vfiowatch top --batch --frames 1 | wc -l)" -eq 24 ] || fail "--batch prints no frame"
