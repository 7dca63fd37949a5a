/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_JOURNAL_H
#define VFIOWATCH_JOURNAL_H

/*
 * Journal records: one fixed MESSAGE_ID per class, each with an entry in systemd/vfiowatch.catalog, and the
 * names of their fields. A field whose value is not known is left out.
 */

#include <systemd/sd-id128.h>

/* A cookie was issued for the first time on its file; further times are counted, not told. */
#define JOURNAL_COOKIE_ISSUED SD_ID128_MAKE(6f, 47, 13, 75, b2, ea, 40, dc, aa, e6, 8d, eb, d5, 74, 68, 5c)
/* Kernel events were dropped because the ring was full; the ledger was made right by reading the truth. */
#define JOURNAL_EVENTS_LOST SD_ID128_MAKE(fb, 8c, f5, 1e, 90, ec, 4e, b1, 9c, f0, 69, a1, e8, d5, ae, bb)
/* The daemon cannot see everything it should. */
#define JOURNAL_DEGRADED         SD_ID128_MAKE(70, 84, 86, 94, 64, 4e, 44, 04, b8, db, e5, 31, 8f, 6b, 91, ac)

#define JOURNAL_FIELD_DEVICE     "VFIOWATCH_DEVICE"     /* PCI address, or the name of another device */
#define JOURNAL_FIELD_REGION     "VFIOWATCH_REGION"     /* region index, decimal */
#define JOURNAL_FIELD_SOURCE     "VFIOWATCH_SOURCE"     /* vfio, dmabuf */
#define JOURNAL_FIELD_DIALECT    "VFIOWATCH_DIALECT"    /* as in the JSON contract */
#define JOURNAL_FIELD_OFFSET     "VFIOWATCH_OFFSET"     /* 0x.. */
#define JOURNAL_FIELD_SIZE       "VFIOWATCH_SIZE"       /* bytes, decimal */
#define JOURNAL_FIELD_PHYS_START "VFIOWATCH_PHYS_START" /* 0x.., inclusive */
#define JOURNAL_FIELD_PHYS_END   "VFIOWATCH_PHYS_END"   /* 0x.., exclusive */
#define JOURNAL_FIELD_REQUESTED  "VFIOWATCH_REQUESTED"  /* memory type */
#define JOURNAL_FIELD_SEQ        "VFIOWATCH_SEQ"        /* sequence of the kernel event */
#define JOURNAL_FIELD_LOST       "VFIOWATCH_LOST"       /* number of events */
#define JOURNAL_FIELD_SUPPRESSED                                                                             \
	"VFIOWATCH_SUPPRESSED" /* records of this class held back since the one before */

#endif
