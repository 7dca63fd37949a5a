# awk -v seed=N -v steps=N -f random.awk: a script for vfio-client of random operations, each followed by a check.
# Keeps a model of which pages of which mapping each process has, so that every operation is a valid one.

function pick(n) {
	return int(rand() * n)
}

# A run of up to @most mapped pages of @process' mapping @m that lie together: sets from and count, or count = 0.
function choose_pages(process, m, most,    tries) {
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
	count = 0
}

function prefix(process) {
	return process ? "@kid" process " " : ""
}

function add_mapping(process,    m, p) {
	m = ++mappings
	pages[m] = 4 + pick(28)
	offset = pick(4000)
	printf "%smmap m%d %s 2 %dp %dp\n", prefix(process), m, pick(2) ? "one" : "two", offset, pages[m]
	owner[m] = process
	known[process, m] = 1
	for (p = 0; p < pages[m]; p++)
		place[process, m, p] = m
}

function fork_child(parent,    m, p, child) {
	child = ++children
	if (parent)
		return
	printf "fork kid%d\n", child
	alive[child] = 1
	for (m = 1; m <= mappings; m++) {
		if (!((parent, m) in known))
			continue
		known[child, m] = 1
		for (p = 0; p < pages[m]; p++)
			if ((parent, m, p) in place)
				place[child, m, p] = place[parent, m, p]
	}
}

function step(    process, m, p, what, child) {
	process = 0
	for (child in alive)
		if (pick(3) == 0)
			process = child
	what = pick(20)
	if (mappings == 0 || (what == 0 && mappings < 12)) {
		add_mapping(process)
		return 1
	}
	if (what == 1 && length(alive) < 3) {
		fork_child(0)
		return 1
	}
	if (what == 2 && process) {
		printf "@kid%d exit\n", process
		delete alive[process]
		return 1
	}
	m = 1 + pick(mappings)
	if (!((process, m) in known))
		return 0
	choose_pages(process, m, what < 12 ? 6 : 1)
	if (count == 0)
		return 0
	if (what < 8) {
		printf "%smunmap m%d %dp %dp\n", prefix(process), m, from, count
		for (p = from; p < from + count; p++)
			delete place[process, m, p]
	} else if (what < 12) {
		printf "%smprotect m%d %dp %dp %s\n", prefix(process), m, from, count, pick(2) ? "ro" : "rw"
	} else if (what < 16) {
		printf "%smremap m%d %dp 1p 1p move\n", prefix(process), m, from
		place[process, m, from] = "moved" ++moves
	} else {
		printf "%smprotect m%d %dp 1p rw\n%stouch m%d %dp 1p\n", prefix(process), m, from, prefix(process), m, from
	}
	return 1
}

BEGIN {
	srand(seed)
	print "open one group 0000:00:01.0\nopen two group 0000:00:02.0"
	while (done < steps)
		if (step()) {
			print "run check-ledger"
			done++
		}
}
