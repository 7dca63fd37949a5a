/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROBES_INTERNAL_H
#define VFIOWATCH_SOURCE_PROBES_INTERNAL_H

/* What probes.c (life and state) and probes_load.c (loading, attaching, adopting) share. */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>

#include "core/status.h"
#include "source/probes.h"
#include "source/targets.h"

struct watch_bpf;
struct scan_bpf;
struct audit_bpf;

struct probes {
	char *pin_directory;
	char *sys;
	struct watch_bpf *watch;
	struct bpf_link *watch_links[2];
	struct scan_bpf *scan;
	struct audit_bpf *audit;
	struct bpf_link *iterators[ITERATORS];
	int links[N_TARGETS];    /* -1: not attached */
	int programs[N_TARGETS]; /* behind the links */
	bool function_exists[N_TARGETS];
	enum recording_state state;
	bool adopted;
	char reason[STATUS_REASON_LEN];
	struct recorder *recorder;
};

/* Attaches or adopts the recording programs and loads those that read. 0, or a negative errno with
 * probes->reason. */
int probes_begin_recording(struct probes *probes);

/* Removes every pin in the directory; @links_only leaves the maps. 0 or a negative errno. */
int probes_unpin(const char *directory, bool links_only);

/* For libbpf_set_print(): what libbpf warns of goes to stderr, the rest nowhere. */
int probes_print_warning(enum libbpf_print_level level, const char *format, va_list arguments);

#endif
