/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROBES_INTERNAL_H
#define VFIOWATCH_SOURCE_PROBES_INTERNAL_H

/* What probes.c (life and state) and probes_load.c (loading, attaching, adopting) share. */

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "core/status.h"
#include "source/attach.h"
#include "source/kernel_facts.h"
#include "source/pins.h"
#include "source/probes.h"

struct watch_bpf;
struct scan_bpf;
struct audit_bpf;

struct probes {
	char *pin_directory;
	char *sys;
	int lock;              /* on the pin directory */
	enum pins_found found; /* in it, at start */
	struct watch_bpf *watch;
	struct bpf_link *watch_links[2];
	struct scan_bpf *scan;
	struct audit_bpf *audit;
	struct bpf_link *iterators[ITERATORS];
	struct attachments attachments;
	enum recording_state state;
	bool adopted;
	int settled; /* of the last probes_settle() */
	char reason[STATUS_REASON_LEN];
	struct recorder *recorder;
	struct addresses addresses; /* since recording began */
};

/* Attaches or adopts the recording programs and loads those that read. 0, or a negative errno with
 * probes->reason. */
int probes_begin_recording(struct probes *probes);

#endif
