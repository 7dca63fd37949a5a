# awk -v seed=N -v steps=N -f truth-random.awk: a script for vfio-client of random operations on mappings of one BAR from
# every source and by every dialect, each followed by a check of all memory types and findings. A model says which pages
# of which mapping each process has. What may fail, as it depends on PAT or on what was revoked, says so by "?".

function pick(n) {
	return int(rand() * n)
}

# A run of up to @most pages of @process' mapping @m that lie together: sets from and count, or count = 0.
function choose_pages(process, m, most,    tries) {
	count = 0
	for (tries = 0; tries < 50; tries++) {
		from = pick(pages[m])
		if (!((process, m, from) in place))
			continue
		for (count = 1; count < most && from + count < pages[m]; count++)
			if (!((process, m, from + count) in place) ||
			    place[process, m, from + count] != place[process, m, from])
				break
		return
	}
}

function by(process) {
	return process ? "@kid" process " " : ""
}

# Most mappings crowd around 1 MiB. The prefix of "mmap-raw" is the file offset at which the BAR begins.
function add_mapping(process,    m, p, source, at) {
	m = ++mappings
	pages[m] = 1 + pick(24)
	at = 256 + pick(24)
	source = pick(14)
	if (source < 3)
		what = sprintf("mmap m%d dev 2 %dp %dp", m, at, pages[m])
	else if (source < 6)
		what = sprintf("mmap m%d dev $%s %dp %dp", m, pick(3) ? "WC_ALIAS" : "ALIAS", at, pages[m])
	else if (source < 8)
		what = sprintf("mmap-raw m%d dev $%s+%dp %dp", m, pick(3) ? "WC_MMAP" : "MMAP", at, pages[m])
	else if (source == 8)
		what = sprintf("mmap-raw m%d whole%d %dp %dp", m, dmabufs, at, pages[m])
	else if (source == 9) {
		pages[m] = 2 + pick(14)
		what = sprintf("mmap-raw m%d parts%d %dp %dp", m, dmabufs, pick(16 - pages[m]), pages[m])
	} else if (source == 10)
		what = sprintf("mmap-raw m%d %s %dp %dp", m, pick(2) ? "sysfs" : "sysfs_wc", at, pages[m])
	else if (source == 11)
		what = sprintf("mmap-raw m%d %s $BAR+%dp %dp", m, pick(2) ? "mem" : "proc", at, pages[m])
	else {
		pages[m] = 512 + pick(1200)
		what = sprintf("mmap-huge m%d dev %s %dp %dp", m, pick(3) ? "2" : "$WC_ALIAS", pick(512), pages[m])
	}
	printf "?%s%s\n", by(process), what
	known[process, m] = 1
	for (p = 0; p < pages[m]; p++)
		place[process, m, p] = m
}

function fork_child(    m, p) {
	printf "fork kid%d\n", ++children
	alive[children] = 1
	for (m = 1; m <= mappings; m++) {
		if (!((0, m) in known))
			continue
		known[children, m] = 1
		for (p = 0; p < pages[m]; p++)
			if ((0, m, p) in place)
				place[children, m, p] = place[0, m, p]
	}
	return 1
}

function new_dmabufs() {
	dmabufs++
	printf "dmabuf whole%d dev 2\ndmabuf parts%d dev 2 264p 8p 258p 4p 280p 4p\n", dmabufs, dmabufs
}

function mode(    modes) {
	split("prot remap pte pte iomap split", modes, " ")
	mode_now = modes[1 + pick(6)]
	return mode_now == "split" ? "split 2 " (256 + pick(16)) "p " (1 + pick(16)) "p" : mode_now
}

# What the device or the driver does to all mappings.
function change_device(    what) {
	what = pick(20)
	if (what < 6)
		printf "?wc-mode 0000:00:01.0 %s\n", mode()
	else if (what < 9)
		printf "attrs dev 2 %s\n", pick(2) ? "wc" : "none"
	else if (what < 11)
		printf "variant-region 0000:00:01.0 %s\n", pick(2) ? "2" : "none"
	else if (what < 13)
		printf "memattr %s%d %s\n", pick(2) ? "whole" : "parts", dmabufs, pick(3) ? "wc" : "nc"
	else if (what < 15) {
		printf "revoke %s%d\n", pick(2) ? "whole" : "parts", dmabufs
		new_dmabufs()
	} else if (what < 17)
		printf "memory dev off\n%smemory dev on\n", pick(2) ? "run exec check-findings\n" : ""
	else if (what < 18)
		print "reset nic"
	else
		printf "?mmap n%d nic 0 %dp 4p\n?touch n%d\n", ++others, pick(4), others
	return 1
}

function step(    process, m, p, what, child) {
	process = 0
	for (child in alive)
		if (pick(3) == 0)
			process = child
	what = pick(32)
	if (what < 8 && mappings < 14) {
		add_mapping(process)
		return 1
	}
	if (what == 8)
		return length(alive) < 2 ? fork_child() : 0
	if (what == 9 && process) {
		printf pick(2) ? "@kid%d exit\n" : "kill kid%d KILL\nwait kid%d KILL\n", process, process
		delete alive[process]
		return 1
	}
	if (what < 14)
		return change_device()
	m = 1 + pick(mappings)
	if (!((process, m) in known))
		return 0
	choose_pages(process, m, what < 22 ? 1 + pick(20) : 1 + pick(4))
	if (count == 0)
		return 0
	if (what < 20)
		printf "?%stouch m%d %dp %dp\n", by(process), m, from, count
	else if (what < 22)
		printf "?%stouch m%d\n", by(process), m
	else if (what < 26) {
		printf "?%smunmap m%d %dp %dp\n", by(process), m, from, count
		for (p = from; p < from + count; p++)
			delete place[process, m, p]
	} else if (what == 26) {
		printf "?%smunmap m%d\n", by(process), m
		delete known[process, m]
	} else if (what < 29)
		printf "?%smprotect m%d %dp %dp %s\n", by(process), m, from, count, pick(3) ? (pick(2) ? "ro" : "rw") : "none"
	else {
		printf "?%smremap m%d %dp %dp %dp move\n", by(process), m, from, count, count
		for (moves++; count > 0; count--)
			place[process, m, from + count - 1] = "moved" moves
	}
	return 1
}

BEGIN {
	srand(seed)
	print "wc-mode 0000:00:01.0 prot\nvariant-region 0000:00:01.0 none\nbar 0000:00:01.0 2 BAR"
	print "open sysfs path /sys/bus/pci/devices/0000:00:01.0/resource2"
	print "open sysfs_wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc"
	print "open proc path /proc/bus/pci/00/01.0\npciioc proc mem\nopen mem path /dev/mem"
	# who is first decides what PAT gives to the other
	if (pick(3) == 0)
		printf "mmap-raw early sysfs_wc %dp 8p\n", 256 + pick(16)
	print "open dev group 0000:00:01.0\nopen nic group 0000:00:05.0"
	print "alias dev 2 wc WC_ALIAS\nalias dev 2 none ALIAS\nget-mmap dev 2 wc WC_MMAP\nget-mmap dev 2 none MMAP"
	new_dmabufs()
	if (pick(2))
		printf "?wc-mode 0000:00:01.0 %s\n", mode()
	while (mappings < 3)
		add_mapping(0)
	print "run exec check-findings"
	while (done < steps)
		if (step()) {
			print "run exec check-findings"
			done++
		}
	if (pick(2))
		print "close dev\nrun exec check-findings"
}
