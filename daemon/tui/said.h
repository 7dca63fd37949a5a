/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_SAID_H
#define VFIOWATCH_TUI_SAID_H

/* Standard error while the terminal is ours: what ssh(1) says of a connection is not to be written over the
 * screen. */

#include <systemd/sd-event.h>

struct said {
	int fd, before; /* what is read from, and standard error as it was; -1: nothing is held back */
	sd_event_source *source;
	void (*line)(void *userdata, const char *line);
	void *userdata;
};

/* From now on it is held back. Without descriptors it is not. */
void said_begin(struct said *said);

/* Each line is told to @line, the last one of several that come at once. 0 or a negative errno. */
int said_watch(struct said *said, sd_event *event, void (*line)(void *userdata, const char *line),
	       void *userdata);

/* Standard error is as it was, and gets what nobody was told. */
void said_end(struct said *said);

#endif
