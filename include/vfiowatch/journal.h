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
/* A process mapped bytes of a BAR write-combining. */
#define JOURNAL_WC_REQUESTED SD_ID128_MAKE(8d, 80, 1b, a1, 67, 73, 40, 60, 84, 8e, 06, 76, 29, 1d, 0c, 13)
/* Mappings of the same bytes disagree, or a mapping has another memory type than it asked for. */
#define JOURNAL_CONFLICT_OPENED SD_ID128_MAKE(41, 39, 63, 80, 71, e4, 4a, 0a, 9d, 46, c7, 42, d9, 89, 04, de)
/* .. and that is over. */
#define JOURNAL_CONFLICT_CLOSED SD_ID128_MAKE(e5, 19, 37, ad, 8e, e0, 4f, 2a, 81, 96, b5, 58, 25, 68, 7f, 60)
/* Kernel events were dropped because the ring was full; the ledger was made right by reading the truth. */
#define JOURNAL_EVENTS_LOST SD_ID128_MAKE(fb, 8c, f5, 1e, 90, ec, 4e, b1, 9c, f0, 69, a1, e8, d5, ae, bb)
/* The daemon cannot see everything it should. */
#define JOURNAL_DEGRADED         SD_ID128_MAKE(70, 84, 86, 94, 64, 4e, 44, 04, b8, db, e5, 31, 8f, 6b, 91, ac)

#define JOURNAL_FIELD_DEVICE     "VFIOWATCH_DEVICE"     /* PCI address, or the name of another device */
#define JOURNAL_FIELD_REGION     "VFIOWATCH_REGION"     /* region index, decimal */
#define JOURNAL_FIELD_SOURCE     "VFIOWATCH_SOURCE"     /* vfio, dmabuf, sysfs, devmem, other */
#define JOURNAL_FIELD_DIALECT    "VFIOWATCH_DIALECT"    /* as in the JSON contract */
#define JOURNAL_FIELD_OFFSET     "VFIOWATCH_OFFSET"     /* 0x.. */
#define JOURNAL_FIELD_SIZE       "VFIOWATCH_SIZE"       /* bytes, decimal */
#define JOURNAL_FIELD_PHYS_START "VFIOWATCH_PHYS_START" /* 0x.., inclusive */
#define JOURNAL_FIELD_PHYS_END   "VFIOWATCH_PHYS_END"   /* 0x.., exclusive */
#define JOURNAL_FIELD_REQUESTED  "VFIOWATCH_REQUESTED"  /* memory type asked for */
#define JOURNAL_FIELD_EFFECTIVE  "VFIOWATCH_EFFECTIVE"  /* memory type that the CPU uses */
#define JOURNAL_FIELD_PEER_PID   "VFIOWATCH_PEER_PID"   /* the other process: of an alias, or of the cause */
#define JOURNAL_FIELD_CONFLICT   "VFIOWATCH_CONFLICT" /* id, as in the JSON contract: the same when it ends */
#define JOURNAL_FIELD_KIND       "VFIOWATCH_KIND"     /* alias, promotion, demotion */
#define JOURNAL_FIELD_SEVERITY   "VFIOWATCH_SEVERITY" /* low, high, critical */
#define JOURNAL_FIELD_TYPES      "VFIOWATCH_TYPES"    /* the two memory types, with a slash between */
#define JOURNAL_FIELD_CAUSE      "VFIOWATCH_CAUSE"    /* as in the JSON contract */
#define JOURNAL_FIELD_SEQ        "VFIOWATCH_SEQ"      /* sequence of the kernel event */
#define JOURNAL_FIELD_LOST       "VFIOWATCH_LOST"     /* number of events */
#define JOURNAL_FIELD_SUPPRESSED                                                                             \
	"VFIOWATCH_SUPPRESSED" /* records of this class held back since the one before */

#endif
