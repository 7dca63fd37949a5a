// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * check-ledger: is the ledger what the kernel says?
 *
 * Without --cookie: every VFIO VMA in /proc/PID/maps of every process is exactly one live mapping of the
 * ledger with equal pid, comm, uid, start, end, device, region, offset, physical range and requested type,
 * and the ledger has no other VFIO mapping. Processes that share an address space count once, under any of
 * their pids. With --cookie: for each BDF REGION OFFSET SIZE ISSUED exactly one live cookie is like that.
 * Exit status: 0 equal, 1 different or unusable.
 */

#include "oracle.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CLAIMS   64
#define MAX_ATTEMPTS 20 /* to find a moment in which /proc stands still */

struct options {
	const char *mappings, *cookies, *origin;
	int64_t require, pid, cookie_count;
	bool cookie;
	size_t n_words;
	char *words[5 * MAX_CLAIMS];
};

static uint64_t number(const char *what, const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		die("%s '%s' is not a number", what, text);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'm':
		o->mappings = arg;
		return 0;
	case 'c':
		o->cookies = arg;
		return 0;
	case 'r':
		o->require = (int64_t)number("--require-some", arg);
		return 0;
	case 'o':
		if (strcmp(arg, "event") != 0 && strcmp(arg, "scan") != 0)
			argp_error(state, "--expect-origin must be event or scan, not '%s'", arg);
		o->origin = arg;
		return 0;
	case 'k':
		o->cookie = true;
		return 0;
	case 'n':
		o->cookie_count = (int64_t)number("--cookie-count", arg);
		return 0;
	case 'p':
		o->pid = (int64_t)number("--pid", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!o->cookie || o->n_words == sizeof(o->words) / sizeof(o->words[0]))
			argp_usage(state);
		o->words[o->n_words++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->n_words % 5 || (o->cookie && o->n_words == 0))
			argp_error(state,
				   "--cookie takes BDF REGION OFFSET SIZE ISSUED, once or several times");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void check_mappings(const struct options *o)
{
	const char *pieces = getenv("VFIO_CLIENT_PIECES");
	struct truth before, after;
	json_object *ledger = NULL;
	int attempt = 0;

	do {
		json_object_put(ledger);
		if (attempt++ == MAX_ATTEMPTS)
			die("the VFIO mappings in /proc changed during each of %d readings; hold them still",
			    MAX_ATTEMPTS);
		truth_read(&before);
		ledger = ledger_read(o->mappings, "vfiowatch mappings --json");
		truth_read(&after);
		if (o->mappings || truth_equal(&before, &after))
			break;
		truth_free(&before);
		truth_free(&after);
	} while (true);
	if (pieces)
		pieces_read(&after, pieces);
	column_decide(&after);
	compare_mappings(&after, ledger, o->origin);
	if ((int64_t)after.n_vmas < o->require)
		differ("%zu VFIO VMAs in /proc, at least %lld expected", after.n_vmas, (long long)o->require);
	if (!n_differences)
		printf("check-ledger: %zu mappings equal\n", after.n_vmas);
	json_object_put(ledger);
	truth_free(&before);
	truth_free(&after);
}

static void check_claims(const struct options *o)
{
	struct cookie_claim claims[MAX_CLAIMS];
	struct truth t = {0};
	json_object *ledger;
	size_t n = o->n_words / 5;

	for (size_t i = 0; i < n; i++) {
		char *const *w = &o->words[5 * i];

		claims[i] = (struct cookie_claim){w[0], number("region", w[1]), number("offset", w[2]),
						  number("size", w[3]), number("issued", w[4])};
	}
	truth_read_bars(&t);
	ledger = ledger_read(o->cookies, "vfiowatch cookies --json");
	check_cookies(&t, ledger, claims, n, o->pid, o->cookie_count);
	if (!n_differences)
		printf("check-ledger: %zu cookies equal\n", n);
	json_object_put(ledger);
	truth_free(&t);
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{"mappings", 'm', "FILE", 0, "Read the mappings from FILE (- is stdin), not from vfiowatch",
		 0},
		{"cookies", 'c', "FILE", 0, "Read the cookies from FILE, not from vfiowatch", 0},
		{"require-some", 'r', "N", 0, "Fail with fewer than N VFIO VMAs", 0},
		{"expect-origin", 'o', "event|scan", 0, "Every mapping has this origin", 0},
		{"cookie", 'k', NULL, 0, "Check cookies: BDF REGION OFFSET SIZE ISSUED...", 0},
		{"cookie-count", 'n', "N", 0, "There are exactly N live cookies", 0},
		{"pid", 'p', "PID", 0, "Look only at cookies of this process", 0},
		{0},
	};
	static const struct argp argp = {
		argp_options,
		parse_option,
		"[BDF REGION OFFSET SIZE ISSUED]...",
		"Compare the ledger with /proc and sysfs.",
		NULL,
		NULL,
		NULL,
	};
	static struct options o = {.pid = -1, .cookie_count = -1};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.cookie || o.cookie_count >= 0)
		check_claims(&o);
	else
		check_mappings(&o);
	return n_differences ? 1 : 0;
}
