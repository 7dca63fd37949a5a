// SPDX-License-Identifier: GPL-2.0-or-later

/* The processes of a race, and the command that starts them. */

#include "client.h"
#include "race.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ATTEMPTS 10000000
#define MAX_PAGES    4096
#define LONGEST      8

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 11;
}

static uint64_t count(struct race *race)
{
	return atomic_fetch_add(&race->counter, 1) + 1;
}

/* Part of it goes first: from the beginning, from the end, or from within. */
static int cut(struct race *race, struct race_attempt *a, uint8_t *address, uint64_t page, uint64_t *state)
{
	uint32_t pages = a->end - a->first;
	uint32_t from = (uint32_t)(next_random(state) % pages);
	uint32_t n = 1 + (uint32_t)(next_random(state) % (pages - from));

	if (n == pages)
		return 0;
	a->cut_first = a->first + from;
	a->cut_end = a->cut_first + n;
	a->cut = count(race);
	if (munmap(address + from * page, n * page) < 0)
		return errno;
	a->cut_over = count(race);
	return 0;
}

/* To another address; it stays mapped all the while. */
static int move(const struct race_attempt *a, uint8_t **address, uint64_t page)
{
	size_t length = (a->end - a->first) * page;
	void *target = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (target == MAP_FAILED ||
	    mremap(*address, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED)
		return errno;
	*address = target;
	return 0;
}

/* What is done with a mapping until it goes. Returns 0 or the errno of a call that had to work. */
static int use(struct race *race, struct race_attempt *a, uint8_t *address, uint64_t page, uint64_t *state)
{
	uint64_t choice = next_random(state);
	int whole = race->sources[a->source].whole, r = 0;

	if (choice % 8 == 0)
		(void)*(volatile uint32_t *)address;
	if (choice / 8 % 4 == 0)
		sched_yield();
	if (!whole && choice / 32 % 8 == 0)
		r = move(a, &address, page);
	if (r == 0 && !whole && choice / 256 % 4 == 0)
		r = cut(race, a, address, page, state);
	if (r)
		return r;
	a->withdrawn = count(race);
	if (munmap(address, (a->end - a->first) * page) < 0)
		return errno;
	a->over = count(race);
	return 0;
}

static int try(struct race *race, struct race_attempt *a, uint64_t page, uint64_t *state)
{
	uint64_t longest = race->longest;
	const struct race_source *source;
	void *address;

	memset(a, 0, sizeof(*a));
	a->source = (uint16_t)(next_random(state) % race->n_sources);
	source = &race->sources[a->source];
	a->type = (uint16_t)source->type;
	a->first = (uint32_t)(next_random(state) % race->pages);
	if (longest > race->pages - a->first)
		longest = race->pages - a->first;
	a->end = a->first + 1 + (uint32_t)(next_random(state) % longest);
	a->begin = count(race);
	address = mmap(NULL, (a->end - a->first) * page, PROT_READ, MAP_SHARED, source->fd,
		       (off_t)(source->base + a->first * page));
	if (address == MAP_FAILED) {
		a->error = errno;
		a->over = count(race);
		return 0;
	}
	a->mapped = count(race);
	return use(race, a, address, page, state);
}

void race_work(struct race *race, uint32_t worker, uint64_t seed)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), state = seed * 0x9e3779b97f4a7c15ULL + worker + 1;

	for (uint32_t i = 0; i < race->per_worker; i++) {
		struct race_attempt *a = &race->attempts[(size_t)worker * race->per_worker + i];
		int error = try(race, a, page, &state);

		if (error) {
			race->failed[worker] = error;
			return;
		}
		race->done[worker]++;
	}
}

/* They start together, when the gate's last writer is gone. Returns how many were forked. */
static uint32_t fork_workers(struct race *race, uint64_t seed, pid_t *ret_pids)
{
	uint32_t n = 0;
	int gate[2];

	if (pipe2(gate, O_CLOEXEC) < 0)
		return 0;
	fflush(stdout);
	for (; n < race->processes; n++) {
		char byte;

		ret_pids[n] = fork();
		if (ret_pids[n] < 0)
			break;
		if (ret_pids[n] == 0) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0)
				_exit(EIO);
			race_work(race, n, seed);
			_exit(0);
		}
	}
	close(gate[0]);
	close(gate[1]);
	return n;
}

static int run_race(struct client *c, struct race *race, uint64_t seed)
{
	pid_t pids[RACE_PROCESSES];
	uint32_t n = fork_workers(race, seed, pids);
	int error = n < race->processes ? EAGAIN : 0;

	for (uint32_t i = 0; i < n; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0)
			error = errno;
		else if (!WIFEXITED(status) || WEXITSTATUS(status))
			error = EPIPE;
	}
	return error ? fail(c, error, "race: a process of it") : 0;
}

/* NAME OFFSET uc|wc: as often as given. */
static int take_sources(struct client *c, int argc, char **argv, struct race *race)
{
	if (argc % 3 || argc / 3 > RACE_SOURCES)
		return wrong(c, "race: 1 to %d sources, each NAME OFFSET uc|wc", RACE_SOURCES);
	for (int i = 0; i < argc; i += 3) {
		struct race_source *s = &race->sources[race->n_sources++];
		struct file *f;
		int r = file_get(c, argv[i], &f);

		if (r == 0)
			r = parse_number(c, "offset", argv[i + 1], &s->base);
		if (r < 0)
			return r;
		if (strcmp(argv[i + 2], "uc") != 0 && strcmp(argv[i + 2], "wc") != 0)
			return wrong(c, "race: '%s' must be uc or wc", argv[i + 2]);
		s->fd = f->fd;
		s->type = argv[i + 2][0] == 'w' ? RACE_WC : RACE_UC;
		/* remap_pfn_range() on Linux 6.1 leaves reservations of memory types behind when it is split
		 */
		s->whole = f->kind == FILE_PLAIN;
	}
	return 0;
}

static void print_attempt(const struct race *race, const char *what, const struct race_attempt *a)
{
	printf("  %s: process %u source %u (%s) pages %u..%u cut %u..%u: begin %llu mapped %llu cut "
	       "%llu/%llu withdrawn "
	       "%llu over %llu\n",
	       what, (unsigned)((size_t)(a - race->attempts) / race->per_worker), a->source,
	       a->type == RACE_WC ? "wc" : "uc", a->first, a->end, a->cut_first, a->cut_end,
	       (unsigned long long)a->begin, (unsigned long long)a->mapped, (unsigned long long)a->cut,
	       (unsigned long long)a->cut_over, (unsigned long long)a->withdrawn,
	       (unsigned long long)a->over);
}

static int report(struct client *c, const struct race *race, const struct race_result *result)
{
	printf("race: attempts %llu granted %llu denied %llu violations %llu unfounded %llu together %llu "
	       "errors %llu%s%s\n",
	       (unsigned long long)result->attempts, (unsigned long long)result->granted,
	       (unsigned long long)result->denied, (unsigned long long)result->violations,
	       (unsigned long long)result->unfounded, (unsigned long long)result->together,
	       (unsigned long long)result->errors, result->error ? " " : "",
	       result->error ? strerrorname_np(result->error) ?: "?" : "");
	for (size_t i = 0; i < result->n_examples; i++) {
		print_attempt(race, result->examples[i].b ? "violation" : "denied", result->examples[i].a);
		if (result->examples[i].b)
			print_attempt(race, "     with", result->examples[i].b);
	}
	fflush(stdout);
	if (result->errors)
		return fail(c, result->error, "race: a call of it");
	if (!result->violations && !result->unfounded)
		return 0;
	wrong(c, "race: %llu violations, %llu unfounded denials", (unsigned long long)result->violations,
	      (unsigned long long)result->unfounded);
	return -EIO;
}

static int set_up(struct client *c, char **argv, struct race *race, uint64_t *seed)
{
	uint64_t numbers[4];
	static const char *const what[] = {"attempts", "processes", "seed", "pages"};

	for (int i = 0; i < 4; i++) {
		int r = parse_number(c, what[i], argv[i], &numbers[i]);

		if (r < 0)
			return r;
	}
	if (numbers[0] < 1 || numbers[0] > MAX_ATTEMPTS || numbers[1] < 1 || numbers[1] > RACE_PROCESSES ||
	    numbers[3] < 1 || numbers[3] > MAX_PAGES)
		return wrong(c, "race: 1 to %d attempts, %d processes, %d pages", MAX_ATTEMPTS,
			     RACE_PROCESSES, MAX_PAGES);
	*seed = numbers[2];
	*race = (struct race){.pages = (uint32_t)numbers[3],
			      .longest = LONGEST,
			      .processes = (uint32_t)numbers[1],
			      .per_worker = (uint32_t)((numbers[0] + numbers[1] - 1) / numbers[1])};
	return 0;
}

int cmd_race(struct client *c, int argc, char **argv)
{
	struct race parameters, *race;
	struct race_result result;
	uint64_t seed = 0;
	size_t size;
	int r = set_up(c, argv, &parameters, &seed);

	if (r == 0)
		r = take_sources(c, argc - 4, argv + 4, &parameters);
	if (r < 0)
		return r;
	size = sizeof(*race) +
	       (size_t)parameters.processes * parameters.per_worker * sizeof(race->attempts[0]);
	race = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (race == MAP_FAILED)
		return fail(c, errno, "race: %zu bytes", size);
	memcpy(race, &parameters, sizeof(parameters));
	r = run_race(c, race, seed);
	if (r == 0) {
		race_judge(race, &result);
		r = report(c, race, &result);
	}
	munmap(race, size);
	return r;
}
