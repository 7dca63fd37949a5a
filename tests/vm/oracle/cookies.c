// SPDX-License-Identifier: GPL-2.0-or-later

/* `vfiowatch cookies --json` against what the caller knows was issued. */

#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_live(json_object *o, int64_t pid)
{
	int64_t value;

	if (!get_true(o, "live"))
		return false;
	return pid < 0 || (get_integer(o, "pid", &value) && value == pid);
}

static bool same_region(json_object *o, const struct cookie_claim *claim)
{
	const char *device = get_string(o, "device");
	int64_t region;

	return device && strcmp(device, claim->device) == 0 && get_integer(o, "region", &region) &&
	       (uint64_t)region == claim->region;
}

static bool equals(json_object *o, const struct cookie_claim *claim)
{
	const char *dialect = get_string(o, "dialect");
	int64_t size, issued;
	uint64_t offset;

	return same_region(o, claim) && get_address(o, "offset", &offset) && offset == claim->offset &&
	       get_integer(o, "size", &size) && (uint64_t)size == claim->size &&
	       get_integer(o, "issued", &issued) && (uint64_t)issued == claim->issued && dialect;
}

static void check_claim(json_object *ledger, const struct cookie_claim *claim, int64_t pid)
{
	size_t n = json_object_array_length(ledger), equal = 0;

	for (size_t i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(ledger, i);

		equal += is_live(o, pid) && equals(o, claim);
	}
	if (equal == 1)
		return;
	differ("cookie %s region %" PRIu64 " offset 0x%" PRIx64 " size %" PRIu64 " issued %" PRIu64
	       ": %zu live ones, expected 1",
	       claim->device, claim->region, claim->offset, claim->size, claim->issued, equal);
	for (size_t i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(ledger, i);

		if (same_region(o, claim))
			fprintf(stderr, "check-ledger:   there is %s\n",
				json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	}
}

/* A live cookie of a BAR, however it came to be, names a BAR that exists and its place in the file. */
static void check_plausible(const struct truth *t, json_object *o)
{
	struct cookie_claim found = {.device = get_string(o, "device")};
	const char *dialect = get_string(o, "dialect");
	int64_t region, size;
	bool known = false;

	if (!found.device || !dialect || !get_integer(o, "region", &region) ||
	    !get_integer(o, "size", &size) || !get_address(o, "offset", &found.offset)) {
		differ("cookie: device, dialect, region, size or offset is missing or of the wrong form: %s",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		return;
	}
	if (strcmp(dialect, "region-info") != 0 || region > 5)
		return;
	for (size_t i = 0; i < t->n_bars; i++) {
		const struct bar *b = &t->bars[i];

		known |= strcmp(b->device, found.device) == 0 && b->index == region && size > 0 &&
			 (uint64_t)size <= b->size && found.offset == (uint64_t)region << COOKIE_SHIFT;
	}
	if (size > 0 && !known)
		differ("cookie: no memory BAR of sysfs is like it: %s",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

/* pid and count: -1 is any. */
void check_cookies(const struct truth *t, json_object *ledger, const struct cookie_claim *claims,
		   size_t n_claims, int64_t pid, int64_t count)
{
	int64_t live = 0;

	for (size_t i = 0; i < json_object_array_length(ledger); i++) {
		json_object *o = json_object_array_get_idx(ledger, i);

		if (!is_live(o, pid))
			continue;
		live++;
		check_plausible(t, o);
	}
	for (size_t i = 0; i < n_claims; i++)
		check_claim(ledger, &claims[i], pid);
	if (count >= 0 && live != count)
		differ("%" PRId64 " live cookies, expected %" PRId64, live, count);
}
