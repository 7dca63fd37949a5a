# awk -v seed=N -v steps=N -v bdf=BDF [-v nosplit=1] -f kmod-random.awk: a script for vfio-client of random operations on a device that
# is bound to the test driver: every dialect, every way, parts unmapped, forks and exits. All of them are valid.

function pick(n) {
	return int(rand() * n)
}

function way(    ways) {
	split("prot remap pte iomap", ways, " ")
	if (!nosplit && pick(5) == 0)
		return "split 2 " pick(15) "M " (1 + pick(64)) "p"
	return ways[1 + pick(4)]
}

function map_something(    source, at) {
	m++
	pages[m] = 1 + pick(64)
	at = pick(4000) "p"
	source = pick(6)
	if (source < 2)
		printf "mmap m%d dev 2 %s %dp\n", m, at, pages[m]
	else if (source == 2)
		printf "alias dev 2 %s A\nmmap m%d dev $A %s %dp\n", pick(2) ? "wc" : "none", m, at, pages[m]
	else if (source == 3)
		printf "get-mmap dev 2 %s G\nmmap-raw m%d dev $G+%s %dp\n", pick(2) ? "wc" : "none", m, at, pages[m]
	else {
		printf "mmap-raw m%d d%d %s %dp\n", m, dmabufs, at, pages[m]
		from_dmabuf[m] = dmabufs
	}
	there[m] = 1
}

function some_map(    tries, i) {
	for (tries = 0; tries < 20; tries++) {
		i = 1 + pick(m)
		if (i in there)
			return i
	}
	return 0
}

function new_dmabuf() {
	printf "dmabuf d%d dev 2\n", ++dmabufs
}

function step(    what, i) {
	what = pick(16)
	if (m == 0 || what < 4)
		return map_something()
	if (what == 4)
		printf "attrs dev 2 %s\n", pick(2) ? "wc" : "none"
	else if (what == 5)
		printf "wc-mode %s %s\n", bdf, way()
	else if (what == 6)
		printf "memattr d%d %s\n", dmabufs, pick(2) ? "wc" : "nc"
	else if (what == 7 && pick(2)) {
		printf "revoke d%d\n", dmabufs
		revoked[dmabufs] = 1
		new_dmabuf()
	} else if (what == 8 && !kid) {
		print "fork kid"
		kid = 1
		for (i in there)
			kid_has[i] = 1
	} else if (what == 9 && kid) {
		print pick(2) ? "@kid exit" : "kill kid KILL\nwait kid KILL"
		kid = 0
		split("", kid_has)
	} else if (what == 10)
		printf "variant-region %s %s\n", bdf, pick(2) ? "2" : "none"
	else if (i = some_map()) {
		if (what < 13 && !(i in from_dmabuf && from_dmabuf[i] in revoked))
			printf "%stouch m%d\n", kid && i in kid_has && pick(2) ? "@kid " : "", i
		else if (what == 13) {
			printf "munmap m%d\n", i
			delete there[i]
		} else if (what == 14 && pages[i] > 3 && !(i in cut)) {
			printf "munmap m%d %dp 1p\n", i, 1 + pick(pages[i] - 2)
			cut[i] = 1
		} else if (what == 15)
			printf "mprotect m%d %s\n", i, pick(2) ? "ro" : "rw"
	}
}

BEGIN {
	srand(seed)
	printf "open dev group %s\n", bdf
	new_dmabuf()
	for (n = 0; n < steps; n++)
		step()
	# what is left goes with the process, with the device open or not
	if (pick(2))
		print "close dev"
	else
		print "memory dev off\nmemory dev on"
	if (pick(4) == 0)
		print "run kill -9 $PPID"
}
