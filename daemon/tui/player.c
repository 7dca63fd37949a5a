/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/when.h"
#include "tui/player.h"

static enum exit_code fail_apply(enum world_outcome outcome, struct failure *failure)
{
	return outcome == WORLD_OK ? EXIT_OK : fail_memory(failure);
}

static enum exit_code read_next(struct player *player, struct failure *failure)
{
	bool more = false;
	enum exit_code code = replay_read(&player->world->ledger, &more, &player->next, failure);

	player->ended = code != EXIT_OK || !more;
	return code;
}

static enum exit_code apply_next(struct player *player, struct failure *failure)
{
	enum exit_code code = fail_apply(world_apply(player->world, &player->next), failure);

	if (player->next.header.time_ns > player->at_ns)
		player->at_ns = player->next.header.time_ns;
	player->position++;
	return code == EXIT_OK ? read_next(player, failure) : code;
}

static enum exit_code rewind_capture(struct player *player, struct failure *failure)
{
	enum exit_code code = world_open(player->world, player->path, failure);

	player->position = 0;
	player->at_ns = player->start_ns;
	player->ticked_usec = 0;
	return code == EXIT_OK ? read_next(player, failure) : code;
}

/* How many events there are, and when. */
static enum exit_code survey(struct player *player, struct failure *failure)
{
	struct replay replay;
	struct event event;
	bool more = true;
	enum exit_code code = replay_open(&replay, player->path, failure);

	while (code == EXIT_OK && more) {
		code = replay_read(&replay, &more, &event, failure);
		if (code != EXIT_OK || !more)
			break;
		player->n_events++;
		if (!player->start_ns || event.header.time_ns < player->start_ns)
			player->start_ns = event.header.time_ns;
		if (event.header.time_ns > player->end_ns)
			player->end_ns = event.header.time_ns;
	}
	replay_close(&replay);
	return code;
}

enum exit_code player_open(struct player *player, struct world *world, const char *path,
			   struct failure *failure)
{
	enum exit_code code;

	*player = (struct player){.path = path, .world = world};
	code = survey(player, failure);
	if (code == EXIT_OK)
		code = rewind_capture(player, failure);
	/* What was looked up at the beginning is where it begins. */
	while (code == EXIT_OK && !player->ended && player->next.header.origin == EVENT_ORIGIN_SCAN)
		code = apply_next(player, failure);
	return code;
}

/* Nanoseconds of the capture that pass in @usec. */
static uint64_t capture_time(const struct player *player, uint64_t usec)
{
	uint64_t ns;

	if (__builtin_mul_overflow(usec, 1000, &ns))
		return UINT64_MAX / 4;
	if (player->speed < 0)
		return ns >> -player->speed;
	return ns > UINT64_MAX / 4 >> player->speed ? UINT64_MAX / 4 : ns << player->speed;
}

enum exit_code player_tick(struct player *player, uint64_t now_usec, struct failure *failure)
{
	enum exit_code code = EXIT_OK;
	uint64_t until;

	if (!player->playing || !player->ticked_usec || now_usec < player->ticked_usec) {
		player->ticked_usec = now_usec;
		return EXIT_OK;
	}
	if (__builtin_add_overflow(player->at_ns, capture_time(player, now_usec - player->ticked_usec),
				   &until))
		until = UINT64_MAX;
	player->ticked_usec = now_usec;
	while (code == EXIT_OK && !player->ended && player->next.header.time_ns <= until)
		code = apply_next(player, failure);
	player->at_ns = until < player->end_ns ? until : player->end_ns;
	if (player->ended)
		player->playing = false;
	return code;
}

uint64_t player_due(const struct player *player)
{
	uint64_t ns;

	if (!player->playing || player->ended)
		return UINT64_MAX;
	if (!player->ticked_usec || player->next.header.time_ns <= player->at_ns)
		return player->ticked_usec;
	ns = player->next.header.time_ns - player->at_ns;
	if (player->speed >= 0)
		ns >>= player->speed;
	else
		ns = ns > UINT64_MAX >> -player->speed ? UINT64_MAX : ns << -player->speed;
	return ns / 1000 > UINT64_MAX - player->ticked_usec - 1 ? UINT64_MAX
								: player->ticked_usec + ns / 1000 + 1;
}

enum exit_code player_seek(struct player *player, uint64_t position, struct failure *failure)
{
	enum exit_code code = EXIT_OK;

	if (position < player->position)
		code = rewind_capture(player, failure);
	while (code == EXIT_OK && !player->ended && player->position < position)
		code = apply_next(player, failure);
	player->ticked_usec = 0;
	player->at_ns = player->world->last_ns ? player->world->last_ns : player->start_ns;
	return code;
}

enum exit_code player_step(struct player *player, int by, struct failure *failure)
{
	player->playing = false;
	if (by < 0 && player->position == 0)
		return EXIT_OK;
	return player_seek(player, by < 0 ? player->position - 1 : player->position + 1, failure);
}

/* Events up to and with @time_ns. */
static uint64_t position_at(const struct player *player, uint64_t time_ns)
{
	struct failure failure = {};
	struct replay replay;
	struct event event;
	uint64_t n = 0;
	bool more = true;

	if (replay_open(&replay, player->path, &failure) == EXIT_OK)
		while (replay_read(&replay, &more, &event, &failure) == EXIT_OK && more &&
		       event.header.time_ns <= time_ns)
			n++;
	replay_close(&replay);
	return n;
}

/* "+1.5s", "-200ms", "+2min" from now. */
static bool find_span(const struct player *player, const char *text, uint64_t *ret)
{
	char *end;
	double number = strtod(text + 1, &end), unit = 1e9, ns;

	if (end == text + 1 || !(number >= 0))
		return false;
	if (strcmp(end, "ms") == 0)
		unit = 1e6;
	else if (strcmp(end, "us") == 0)
		unit = 1e3;
	else if (strcmp(end, "min") == 0)
		unit = 60e9;
	else if (*end && strcmp(end, "s") != 0)
		return false;
	ns = number * unit;
	if (text[0] == '-')
		*ret = ns >= (double)player->at_ns ? 0 : position_at(player, player->at_ns - (uint64_t)ns);
	else
		*ret = ns >= 9e18 ? player->n_events : position_at(player, player->at_ns + (uint64_t)ns);
	return true;
}

/* A time of the day of the first event. */
static bool find_time(const struct player *player, const char *text, uint64_t *ret)
{
	int64_t offset = player->world->ledger.clock.realtime_offset_ns, when;
	char day[WHEN_TEXT_MAX], full[128];

	if (!isdigit((unsigned char)text[0]) || !strchr(text, ':') || strlen(text) > 32)
		return false;
	when_text((int64_t)player->start_ns + offset, day);
	snprintf(full, sizeof(full), "%.10s %s", day, text);
	if (!when_parse(full, 0, &when))
		return false;
	*ret = when <= offset ? 0 : position_at(player, (uint64_t)(when - offset));
	return true;
}

bool player_find(const struct player *player, const char *text, uint64_t *ret)
{
	unsigned long long number;
	char *end;

	if (text[0] == '+' || text[0] == '-')
		return find_span(player, text, ret);
	if (find_time(player, text, ret))
		return true;
	if (text[0] == '#')
		text++;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno)
		return false;
	if (strcmp(end, "%") == 0 && number <= 100) {
		*ret = player->n_events / 100 * number + player->n_events % 100 * number / 100;
		return true;
	}
	*ret = number;
	return !*end;
}
