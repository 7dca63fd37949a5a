/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_PLAYER_H
#define VFIOWATCH_TUI_PLAYER_H

/* Plays a capture into a world: its time passes as that of the host did, faster or slower, or step by step.
 */

#include "tui/world.h"

struct player {
	const char *path;
	struct world *world;
	struct event next; /* valid unless ended */
	bool ended, playing;
	uint64_t n_events, position; /* of the capture, and applied */
	uint64_t start_ns, end_ns;   /* CLOCK_BOOTTIME of the first and the last event */
	uint64_t at_ns;              /* time of the capture that it is now */
	int speed;                   /* as a power of two: 2^speed */
	uint64_t ticked_usec;        /* our clock when at_ns was right; 0: not yet */
};

#define PLAYER_SPEED_MIN (-8)
#define PLAYER_SPEED_MAX 10

/* Reads the whole capture once, so that a bad one is refused at once; then stands at what the capture begins
 * with: all that was looked up when it was made. */
enum exit_code player_open(struct player *player, struct world *world, const char *path,
			   struct failure *failure);

/* Applies what is due at @now_usec (any clock that only rises). */
enum exit_code player_tick(struct player *player, uint64_t now_usec, struct failure *failure);
/* When the next event is due, UINT64_MAX: never. */
uint64_t player_due(const struct player *player);

/* Stops, and applies the next event, or takes back the last. */
enum exit_code player_step(struct player *player, int by, struct failure *failure);
/* So many events from the beginning. */
enum exit_code player_seek(struct player *player, uint64_t position, struct failure *failure);
/* Where @text says: "#40" (events), "50%", "+1.5s", "-200ms", "13:59:20.7" (local time of day). False: it is
 * none of these. */
bool player_find(const struct player *player, const char *text, uint64_t *ret);

#endif
