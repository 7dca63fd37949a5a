// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * What the client that runs us says it has mapped (its pieces.c): the one source for the device of a VMA
 * whose descriptor is closed, on kernels where /proc shows only the file offset. It must itself agree with
 * /proc.
 */

#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct client_piece {
	pid_t pid;
	uint64_t start, end, offset;
	int region;
	char device[DEVICE_SIZE];
};

static void apply(struct truth *t, const struct client_piece *piece)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < t->n_vmas; i++) {
		struct vma *v = &t->vmas[i];

		if (t->processes[v->process].pid != piece->pid || v->end <= piece->start ||
		    v->start >= piece->end)
			continue;
		if (v->start < piece->start || v->end > piece->end) {
			differ("pid %d: VMA 0x%" PRIx64 "-0x%" PRIx64
			       " is not within what the client mapped, 0x%" PRIx64 "-0x%" PRIx64,
			       piece->pid, v->start, v->end, piece->start, piece->end);
			return;
		}
		covered += v->end - v->start;
		memcpy(v->device, piece->device, sizeof(v->device));
		v->client_offset = piece->offset + (v->start - piece->start);
		v->by_client = true;
	}
	if (covered != piece->end - piece->start)
		differ("pid %d: of the client's 0x%" PRIx64 "-0x%" PRIx64 " /proc shows only %" PRIu64
		       " bytes as mapped",
		       piece->pid, piece->start, piece->end, covered);
}

void pieces_read(struct truth *t, const char *path)
{
	char line[256];
	FILE *f = fopen(path, "re");

	if (!f)
		die("%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		struct client_piece p = {0};

		if (sscanf(line, "%d %" SCNx64 " %" SCNx64 " %31s %d %" SCNx64, &p.pid, &p.start, &p.end,
			   p.device, &p.region, &p.offset) != 6)
			die("%s: '%s' is not a piece", path, line);
		if (p.region >= 0) /* else it may be of a DMABUF */
			apply(t, &p);
	}
	fclose(f);
}
