/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PINS_H
#define VFIOWATCH_SOURCE_PINS_H

/*
 * The pin directory on a BPF file system: what is pinned there outlives the daemon. Links of programs are
 * PINS_LINK followed by the program's name; those that decide on requests are PINS_DECIDING. Everything else
 * is a map; those that hold the program a link passes on to are PINS_SLOT followed by its name.
 *
 * A daemon of another build whose tables have the same layout left what can be taken over: the new daemon
 * uses the same maps, and puts its own programs into the slots. What one with another layout left goes on
 * recording and enforcing, out of the way in the directory `before`, until the new daemon says that its own
 * programs do (pins_settle()) or that its start failed (pins_restore()).
 */

#include <stdbool.h>
#include <stdint.h>

#define PINS_LINK     "link_"
#define PINS_SLOT     "slot_"
#define PINS_DECIDING "link_decide_"

enum pins_found {
	PINS_NONE = 0,
	PINS_OURS,    /* of this build: to be adopted */
	PINS_EARLIER, /* of another build with the same layout: to be adopted, its programs to be replaced */
	PINS_OTHERS,  /* of another layout: set aside */
};

/*
 * Opens or makes @directory and locks it in *ret_lock, which the caller closes. Returns 0; -EBUSY: another
 * daemon holds the lock; or another negative errno; then *reason (static) says what to do.
 */
int pins_open(const char *directory, int *ret_lock, enum pins_found *found, const char **reason);

/*
 * Ends the decisions of an enforcer that is pinned in @directory. To be called before its programs are taken
 * off: the kernel lets go of them one by one in the background, and without the one that decides the others
 * take what is mapped for undecided.
 */
void pins_end_decisions(const char *directory);

/*
 * How many events wait in the ring of what was set aside, which nobody will read: whose form they have is not
 * known. 0 also if there is none.
 */
uint64_t pins_unread(const char *directory);

/* Ends what was set aside. 0, also if there is nothing, or a negative errno: then some of it goes on. */
int pins_settle(const char *directory);

/* Undoes what was done since pins_open(): removes what was pinned, and puts back what was set aside. */
void pins_restore(const char *directory, enum pins_found found);

/* Removes everything, programs that decide first, and the directory itself. 0, also if there is none, or a
 * negative errno with *reason (static). */
int pins_remove(const char *directory, const char **reason);

#endif
