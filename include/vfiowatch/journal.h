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
#define JOURNAL_DEGRADED SD_ID128_MAKE(70, 84, 86, 94, 64, 4e, 44, 04, b8, db, e5, 31, 8f, 6b, 91, ac)
/* Policy denied a mapping, or a cookie, that a process asked for: it got EPERM. One record for each. */
#define JOURNAL_REQUEST_DENIED SD_ID128_MAKE(70, 13, 3b, b0, 3f, b8, 41, 00, 9e, 2a, 42, 01, a3, 0f, c3, c0)
/* A request was granted of which policy wants to be told; with a verdict would-deny or would-kill: a mapping
 * that policy denies came to be, because it is in audit mode or nothing decided it in the kernel. */
#define JOURNAL_REQUEST_LOGGED SD_ID128_MAKE(3d, f8, 7c, ad, 2c, 77, 43, 3f, ac, da, b0, c9, ca, 0a, 95, c6)
/* Policy ended a process by SIGKILL. */
#define JOURNAL_PROCESS_KILLED SD_ID128_MAKE(27, 43, 05, d6, 50, 17, 45, ae, ae, 78, 50, df, 22, 2d, b9, 8a)
/* A policy is in force. */
#define JOURNAL_POLICY_LOADED SD_ID128_MAKE(9e, f1, a7, 51, 9f, 76, 49, 5b, a6, f7, a4, 16, a7, 41, 7b, 15)
/* The policy files are wrong; the policy before stays in force. */
#define JOURNAL_POLICY_REJECTED       SD_ID128_MAKE(87, 2b, 58, 27, df, b8, 4e, bd, 8d, b6, c2, f1, fc, 69, 17, 2f)

#define JOURNAL_FIELD_DEVICE          "VFIOWATCH_DEVICE"     /* PCI address, or the name of another device */
#define JOURNAL_FIELD_REGION          "VFIOWATCH_REGION"     /* region index, decimal */
#define JOURNAL_FIELD_SOURCE          "VFIOWATCH_SOURCE"     /* vfio, dmabuf, sysfs, devmem, other */
#define JOURNAL_FIELD_DIALECT         "VFIOWATCH_DIALECT"    /* as in the JSON contract */
#define JOURNAL_FIELD_OFFSET          "VFIOWATCH_OFFSET"     /* 0x.. */
#define JOURNAL_FIELD_SIZE            "VFIOWATCH_SIZE"       /* bytes, decimal */
#define JOURNAL_FIELD_PHYS_START      "VFIOWATCH_PHYS_START" /* 0x.., inclusive */
#define JOURNAL_FIELD_PHYS_END        "VFIOWATCH_PHYS_END"   /* 0x.., exclusive */
#define JOURNAL_FIELD_REQUESTED       "VFIOWATCH_REQUESTED"  /* memory type asked for */
#define JOURNAL_FIELD_EFFECTIVE       "VFIOWATCH_EFFECTIVE"  /* memory type that the CPU uses */
#define JOURNAL_FIELD_PEER_PID        "VFIOWATCH_PEER_PID" /* the other process: of an alias, or of the cause */
#define JOURNAL_FIELD_CONFLICT        "VFIOWATCH_CONFLICT" /* id, as in the JSON contract: the same when it ends */
#define JOURNAL_FIELD_KIND            "VFIOWATCH_KIND"     /* alias, promotion, demotion, request */
#define JOURNAL_FIELD_SEVERITY        "VFIOWATCH_SEVERITY" /* low, high, critical */
#define JOURNAL_FIELD_TYPES           "VFIOWATCH_TYPES"    /* the two memory types, with a slash between */
#define JOURNAL_FIELD_CAUSE           "VFIOWATCH_CAUSE"    /* as in the JSON contract */
#define JOURNAL_FIELD_RULE            "VFIOWATCH_RULE"     /* name of the rule that decided */
#define JOURNAL_FIELD_VERDICT         "VFIOWATCH_VERDICT" /* allow, log, deny, kill, would-deny, would-kill */
#define JOURNAL_FIELD_UNKNOWN         "VFIOWATCH_UNKNOWN" /* why OnUnknown decided, as in the JSON contract */
#define JOURNAL_FIELD_WHAT            "VFIOWATCH_WHAT"    /* what was asked for: mmap, cookie */
#define JOURNAL_FIELD_COMM            "VFIOWATCH_COMM"    /* of the process that asked */
#define JOURNAL_FIELD_UNIT            "VFIOWATCH_UNIT" /* its unit as the kernel knew it: it may be gone by now */
#define JOURNAL_FIELD_MACHINE         "VFIOWATCH_MACHINE" /* its machine; never what it says of itself */
#define JOURNAL_FIELD_MACHINE_CLAIMED "VFIOWATCH_MACHINE_CLAIMED" /* what its command line says instead */
#define JOURNAL_FIELD_SLICE           "VFIOWATCH_SLICE"
#define JOURNAL_FIELD_USER_UNIT       "VFIOWATCH_USER_UNIT" /* of the manager of a user */
#define JOURNAL_FIELD_DOMAIN          "VFIOWATCH_DOMAIN"    /* of libvirt */
#define JOURNAL_FIELD_PEER_COMM       "VFIOWATCH_PEER_COMM" /* of the peer, as the fields above without PEER_ */
#define JOURNAL_FIELD_PEER_UNIT       "VFIOWATCH_PEER_UNIT"
#define JOURNAL_FIELD_PEER_SOURCE     "VFIOWATCH_PEER_SOURCE"
#define JOURNAL_FIELD_PEER_REQUESTED  "VFIOWATCH_PEER_REQUESTED"
#define JOURNAL_FIELD_PEER_PHYS_START "VFIOWATCH_PEER_PHYS_START"
#define JOURNAL_FIELD_PEER_PHYS_END   "VFIOWATCH_PEER_PHYS_END"
#define JOURNAL_FIELD_MODE            "VFIOWATCH_MODE" /* of the policy: audit, enforce */
#define JOURNAL_FIELD_DIGEST                                                                                 \
	"VFIOWATCH_POLICY_DIGEST"           /* as in the JSON contract; of a request its first 16 digits */
#define JOURNAL_FIELD_SEQ  "VFIOWATCH_SEQ"  /* sequence of the kernel event */
#define JOURNAL_FIELD_LOST "VFIOWATCH_LOST" /* number of events */
#define JOURNAL_FIELD_SUPPRESSED                                                                             \
	"VFIOWATCH_SUPPRESSED" /* records of this class held back since the one before */

#endif
