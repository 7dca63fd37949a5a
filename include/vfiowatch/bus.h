/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_BUS_H
#define VFIOWATCH_BUS_H

/*
 * Names of the bus interface, spoken on the system bus and on the peer-to-peer socket alike. Shared by
 * daemon, clients and tests.
 *
 * Rows travel as JSON objects in strings (keys and meaning: the JSON contract), so that one place defines
 * them for live data and for replay. Filters are a{sv}: "device" s (PCI address or glob), "pid" u (not 0),
 * "type" s, "all" b (also what is no longer live), each at most once. An unknown key, a wrong type or a value
 * out of range is org.freedesktop.DBus.Error.InvalidArgs with a message that names it.
 *
 * GetStatus() -> s
 *     One status object.
 *
 * Probe() -> s
 *     What this kernel offers and what to do about what is missing:
 *     {"checks": [{"name", "ok": true | false | null, "detail", "remedy"}]}
 *
 * GetPolicy() -> s
 *     The policy in force: {"mode", "on_unknown", "digest", "rules": [names], "text": [lines]}; the lines are
 * the merged policy, each with the file and line it comes from.
 *
 * Reload() -> s
 *     Reads the policy files again, and answers as GetPolicy() once they are in force. What is wrong with
 * them is org.vfiowatch1.Error.PolicyRejected with a message "FILE:LINE: what, what to write instead"; the
 * policy before stays in force. On the system bus for root only.
 *
 * ListDevices, ListCookies, ListMappings, ListConflicts, ListLint(a{sv} filter, t after, u max) -> as
 *     At most max rows (0: the daemon's limit, BUS_ROWS_MAX) with an id above `after`, in rising order of id.
 *
 * Explain(as words) -> s
 *     One object that tells all that is known of one byte, BAR or device. The words are those of the command
 *     line: "PID ADDR" or "BDF[:BAR[+OFF]]". What they must be is told by InvalidArgs.
 *
 * ReadEvents(t cursor, u max, b wait) -> (t next, t skipped, as rows)
 * ReadRecords(t cursor, u max, b wait) -> (t next, t skipped, ay records)
 *     Events since `cursor` (0: the oldest kept, BUS_CURSOR_NOW: only new ones), oldest first; `next` is the
 *     cursor to continue with and `skipped` the number that were already overwritten (with cursor 0 nothing
 * is skipped: it begins where the record begins). A cursor of the future is InvalidArgs. With `wait` an empty
 *     answer is held back until there is an event or BUS_WAIT_USEC have passed. Records are capture frames
 *     (daemon/capture.h).
 *
 * ReadState() -> (t cursor, ay records)
 *     The capture header, the frames that rebuild the present ledger, and the cursor at which to go on with
 *     ReadRecords.
 *
 * org.freedesktop.DBus.Error.LimitsExceeded: the limit below that the message names is reached; nothing was
 * done.
 */

#define BUS_NAME                  "org.vfiowatch1"
#define BUS_PATH                  "/org/vfiowatch1"
#define BUS_INTERFACE             "org.vfiowatch1"

#define BUS_ERROR_POLICY_REJECTED "org.vfiowatch1.Error.PolicyRejected"

#define BUS_SOCKET                "/run/vfiowatch/bus"

#define BUS_ROWS_MAX              4096U
#define BUS_CURSOR_NOW            UINT64_MAX

/* Below the 25 s after which sd-bus and busctl give up a call, so that plain clients may wait too. */
#define BUS_WAIT_USEC (20ULL * 1000 * 1000)

/* Calls held back at once, in all and of one client. When full: LimitsExceeded. */
#define BUS_WAITS_MAX        64U
#define BUS_WAITS_PER_CLIENT 8U

/* Connections on the peer-to-peer socket. When full: a new one is closed at once, and counted. */
#define BUS_PEERS_MAX 64U

/* Bytes of records in one answer of ReadState: below what D-Bus (64 MiB) and dbus-daemon (32 MiB) carry. When
 * the ledger is larger: LimitsExceeded. */
#define BUS_STATE_MAX (24U << 20)

/* Answers that a client has not read yet. When full: LimitsExceeded. */
#define BUS_QUEUED_MAX 4U

#endif
