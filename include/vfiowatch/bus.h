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
 * GetMetrics(s format) -> s
 *     Metrics as text: the format is "openmetrics" (OpenMetrics 1.0) or "prometheus" (Prometheus text 0.0.4,
 * as node_exporter takes it). Any other is InvalidArgs.
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
 * policy before stays in force.
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
 *
 * Who may call: on the socket root, and nobody else gets there. On the system bus root; to read also the
 * group BUS_GROUP; all others, and to change something (Reload) everybody but root, if polkit says so: the
 * actions BUS_ACTION_READ and BUS_ACTION_CHANGE. The policy of the message bus comes before all that. A no is
 * org.freedesktop.DBus.Error.AccessDenied, or InteractiveAuthorizationRequired where an administrator could
 * have been asked. There are neither properties nor signals.
 *
 * A call that may not be served yet is held, within the limits below. A call to read that wants no reply is
 * ignored.
 */

#define BUS_NAME      "org.vfiowatch1"
#define BUS_PATH      "/org/vfiowatch1"
#define BUS_INTERFACE "org.vfiowatch1"

/* As in systemd/org.vfiowatch1.policy and systemd/org.vfiowatch1.conf, which a test compares. */
#define BUS_GROUP                 "vfiowatch"
#define BUS_ACTION_READ           "org.vfiowatch1.read"
#define BUS_ACTION_CHANGE         "org.vfiowatch1.change"

#define BUS_ERROR_POLICY_REJECTED "org.vfiowatch1.Error.PolicyRejected"

#define BUS_SOCKET                "/run/vfiowatch/bus"

#define BUS_ROWS_MAX              4096U
#define BUS_CURSOR_NOW            UINT64_MAX

/* Below the 25 s after which sd-bus and busctl give up a call, so that plain clients may wait too. */
#define BUS_WAIT_USEC (20ULL * 1000 * 1000)

/* Calls that wait for events at once, in all, of one client, and of one user of the system bus. When full:
 * LimitsExceeded. */
#define BUS_WAITS_MAX        64U
#define BUS_WAITS_PER_CLIENT 8U
#define BUS_WAITS_PER_USER   32U

/*
 * Calls that wait for their turn at once, in all, of one client, and of one user of the system bus. When
 * full, and for one that had no turn within BUS_WAIT_USEC: LimitsExceeded. A client (on the system bus a
 * user, on the socket a connection) may use one second of CPU time at once, and a quarter of a CPU over
 * longer times; and it has no turn while it leaves an answer unread.
 */
#define BUS_HELD_MAX        64U
#define BUS_HELD_PER_CLIENT 8U
#define BUS_HELD_PER_USER   32U

/* Bytes of arguments of a call that waits for its turn. What is longer: LimitsExceeded. */
#define BUS_ARGUMENTS_MAX 4096U

/* Connections on the peer-to-peer socket. When full: a new one is closed at once, and counted. */
#define BUS_PEERS_MAX 64U

/* Bytes of records in one answer of ReadState: below what D-Bus (64 MiB) and dbus-daemon (32 MiB) carry. When
 * the ledger is larger: LimitsExceeded. */
#define BUS_STATE_MAX (24U << 20)

/* Bytes of answers that are unread in all. When there may be no room for another: calls wait for their turn,
 * and the connection that took nothing for longest, and for 10 s, is ended. */
#define BUS_UNREAD_MAX (64U << 20)

/* Messages to a client that it has not read yet: one answer and errors. When full: its connection is ended.
 */
#define BUS_QUEUED_MAX 1024U

#endif
