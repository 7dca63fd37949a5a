/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The interface: checks the arguments of a call, has the ledger made current, and hands over to bus_answer.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain.h"
#include "lists.h"
#include "sink/bus_internal.h"

static int invalid(sd_bus_error *error, const char *format, const char *what)
{
	return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, format, what);
}

/* Puts the string of the variant at the cursor into @out, which has room for @size bytes. */
static int read_text(sd_bus_message *call, const char *key, char *out, size_t size, sd_bus_error *error)
{
	const char *text;
	int r = sd_bus_message_read(call, "v", "s", &text);

	if (r < 0)
		return r;
	if (!*text || strlen(text) >= size)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Filter '%s' needs 1 to %zu bytes",
					 key, size - 1);
	strcpy(out, text);
	return 0;
}

static int read_type(sd_bus_message *call, struct row_filter *filter, sd_bus_error *error)
{
	char name[16];
	int r = read_text(call, "type", name, sizeof(name), error);

	if (r < 0)
		return r;
	for (enum memtype type = MEMTYPE_UNKNOWN + 1; type < MEMTYPE_TYPES; type++)
		if (strcmp(memtype_name(type), name) == 0) {
			filter->type = type;
			return 0;
		}
	return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
				"Filter 'type' is none of uc, uc-, device, wc, wt, wp, wb");
}

static int read_pid(sd_bus_message *call, struct row_filter *filter, sd_bus_error *error)
{
	int r = sd_bus_message_read(call, "v", "u", &filter->pid);

	if (r < 0)
		return r;
	return filter->pid ? 0 : invalid(error, "Filter '%s' cannot be 0", "pid");
}

static int read_all(sd_bus_message *call, struct row_filter *filter)
{
	int all, r = sd_bus_message_read(call, "v", "b", &all);

	if (r >= 0)
		filter->all = all;
	return r;
}

static const struct {
	const char *key, *signature;
} filter_keys[] = {
	{"device", "s"},
	{"pid", "u"},
	{"type", "s"},
	{"all", "b"},
};

/* Reads one value; @seen has a bit per key that was given already. */
static int read_filter_entry(sd_bus_message *call, const char *key, unsigned int *seen,
			     struct row_filter *filter, sd_bus_error *error)
{
	const size_t n = sizeof(filter_keys) / sizeof(filter_keys[0]);
	const char *signature;
	size_t i;
	int r;

	for (i = 0; i < n && strcmp(filter_keys[i].key, key); i++)
		;
	if (i == n)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
					 "Unknown filter '%.64s': there are device, pid, type, all", key);
	if (*seen & 1U << i)
		return invalid(error, "Filter '%s' is given twice", key);
	*seen |= 1U << i;

	r = sd_bus_message_peek_type(call, NULL, &signature);
	if (r < 0)
		return r;
	if (strcmp(signature, filter_keys[i].signature))
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
					 "Filter '%s' has type '%s', not '%.64s'", key,
					 filter_keys[i].signature, signature);
	switch (key[0]) {
	case 'd':
		return read_text(call, key, filter->device, sizeof(filter->device), error);
	case 'p':
		return read_pid(call, filter, error);
	case 't':
		return read_type(call, filter, error);
	default:
		return read_all(call, filter);
	}
}

static int read_filter(sd_bus_message *call, struct row_filter *ret, sd_bus_error *error)
{
	unsigned int seen = 0;
	int r = sd_bus_message_enter_container(call, 'a', "{sv}");

	*ret = (struct row_filter){};
	while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
		const char *key;

		r = sd_bus_message_read(call, "s", &key);
		if (r >= 0)
			r = read_filter_entry(call, key, &seen, ret, error);
		if (r >= 0)
			r = sd_bus_message_exit_container(call);
	}
	return r < 0 ? r : sd_bus_message_exit_container(call);
}

/* 0 asks for as many rows as there may be. */
static int read_max(sd_bus_message *call, uint32_t *ret, sd_bus_error *error)
{
	int r = sd_bus_message_read(call, "u", ret);

	if (r < 0)
		return r;
	if (*ret > BUS_ROWS_MAX)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
					 "At most %u rows in one answer, not %u", BUS_ROWS_MAX, *ret);
	if (*ret == 0)
		*ret = BUS_ROWS_MAX;
	return 0;
}

/* Refuses a client that does not read its answers, then makes the ledger current. */
static int prepare(struct bus *bus, sd_bus_message *call, unsigned int what, sd_bus_error *error)
{
	uint64_t queued = 0;
	int r = sd_bus_get_n_queued_write(sd_bus_message_get_bus(call), &queued);

	if (r < 0)
		return r;
	bus->calls++;
	if (queued >= BUS_QUEUED_MAX)
		return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
					 "%u answers wait to be read: read them before asking for more",
					 BUS_QUEUED_MAX);
	if (!what)
		return 0;
	r = bus->backend.refresh(bus->backend.userdata, what);
	if (r < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Cannot bring the ledger up to date: %s",
					 strerror(-r));
	return 0;
}

/* Takes @object; NULL: out of memory. */
static int answer_object(sd_bus_message *call, struct json_object *object)
{
	int r;

	if (!object)
		return -ENOMEM;
	r = sd_bus_reply_method_return(
		call, "s", json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return r;
}

static int method_get_status(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	struct finding_counts findings;
	struct ledger_counts counts;
	const struct model *model;
	struct json_object *object;
	struct status *status;
	int r = prepare(bus, call, BUS_REFRESH_EVENTS, error);

	if (r < 0)
		return r;
	status = calloc(1, sizeof(*status));
	if (!status)
		return -ENOMEM;
	bus->backend.status(bus->backend.userdata, status);
	model = bus->backend.model(bus->backend.userdata);
	ledger_counts(model->ledger, &counts);
	finding_counts(model->findings, &findings);
	object = status_to_json(status, &counts, &findings);
	free(status);
	return answer_object(call, object);
}

static int method_probe(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	char *text = NULL;
	int r = prepare(bus, call, 0, error);

	if (r < 0)
		return r;
	if (!bus->backend.probe)
		return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED,
					"This daemon cannot probe the kernel");
	r = bus->backend.probe(bus->backend.userdata, &text);
	if (r < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Cannot probe the kernel: %s",
					 strerror(-r));
	r = sd_bus_reply_method_return(call, "s", text);
	free(text);
	return r;
}

/* Answers with the policy in force. */
static int answer_policy(struct bus *bus, sd_bus_message *call)
{
	return answer_object(call, snapshot_policy(bus->backend.model(bus->backend.userdata)->policy));
}

static int method_get_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	int r = prepare(userdata, call, 0, error);

	return r < 0 ? r : answer_policy(userdata, call);
}

static int method_reload(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	char text[POLICY_ERROR_LEN] = "";
	enum policy_outcome outcome = POLICY_OK;
	int r = prepare(bus, call, 0, error);

	if (r < 0)
		return r;
	if (!bus->backend.reload)
		return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "This daemon has no policy");
	r = bus->backend.reload(bus->backend.userdata, &outcome, text);
	if (r < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Cannot reload the policy: %s",
					 strerror(-r));
	if (outcome != POLICY_OK)
		return sd_bus_error_set(error, BUS_ERROR_POLICY_REJECTED, text);
	return answer_policy(bus, call);
}

static int list(sd_bus_message *call, struct bus *bus, unsigned int what, enum row_list list,
		sd_bus_error *error)
{
	struct snapshot_clock clock;
	struct json_object *rows;
	struct row_filter filter;
	uint64_t after;
	uint32_t max;
	int r;

	if ((r = read_filter(call, &filter, error)) < 0 || (r = sd_bus_message_read(call, "t", &after)) < 0 ||
	    (r = read_max(call, &max, error)) < 0 || (r = prepare(bus, call, what, error)) < 0)
		return r;

	rows = json_object_new_array();
	if (!rows)
		return -ENOMEM;
	bus->backend.clock(bus->backend.userdata, &clock);
	r = list_rows(bus->backend.model(bus->backend.userdata), list, &filter, &clock, after, max, rows);
	if (r >= 0)
		r = answer_rows(call, rows);
	json_object_put(rows);
	return r;
}

static int method_list_devices(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	/* A device row counts its mappings and conflicts, too. */
	return list(call, userdata, BUS_REFRESH_ALL, ROWS_DEVICES, error);
}

static int method_list_cookies(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return list(call, userdata, BUS_REFRESH_EVENTS | BUS_REFRESH_COOKIES, ROWS_COOKIES, error);
}

static int method_list_mappings(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	/* A mapping names its cookie. */
	return list(call, userdata,
		    BUS_REFRESH_EVENTS | BUS_REFRESH_COOKIES | BUS_REFRESH_MAPPINGS | BUS_REFRESH_PAGES,
		    ROWS_MAPPINGS, error);
}

static int method_list_conflicts(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return list(call, userdata, BUS_REFRESH_EVENTS | BUS_REFRESH_MAPPINGS | BUS_REFRESH_PAGES,
		    ROWS_CONFLICTS, error);
}

static int method_list_lint(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return list(call, userdata, BUS_REFRESH_EVENTS | BUS_REFRESH_COOKIES, ROWS_LINT, error);
}

/* Words to look at: one more than any question has, so that it is told that there are too many. */
#define EXPLAIN_WORDS 3

static int read_subject(sd_bus_message *call, struct explain_subject *ret, sd_bus_error *error)
{
	char *words[EXPLAIN_WORDS], *word;
	const char *wrong;
	size_t n = 0;
	int r = sd_bus_message_enter_container(call, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(call, "s", &word)) > 0)
		if (n < EXPLAIN_WORDS)
			words[n++] = word;
	if (r >= 0)
		r = sd_bus_message_exit_container(call);
	if (r < 0)
		return r;
	wrong = explain_parse(words, n, ret);
	return wrong ? sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, wrong) : 0;
}

static int method_explain(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	struct explain_subject subject;
	struct snapshot_clock clock;
	int r;

	if ((r = read_subject(call, &subject, error)) < 0 ||
	    (r = prepare(bus, call, BUS_REFRESH_ALL, error)) < 0)
		return r;
	bus->backend.clock(bus->backend.userdata, &clock);
	return answer_object(call, explain(bus->backend.model(bus->backend.userdata), &clock, &subject));
}

static int hold_back(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records,
		     sd_bus_error *error)
{
	int r = wait_add(bus, call, cursor, max, records);

	if (r == -ENOBUFS)
		return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
					 "Too many calls wait for events: at most %u, and %u of one client",
					 BUS_WAITS_MAX, BUS_WAITS_PER_CLIENT);
	return r < 0 ? r : 1;
}

static int read_history(sd_bus_message *call, struct bus *bus, bool records, sd_bus_error *error)
{
	uint64_t cursor, end;
	uint32_t max;
	int r, wait;

	if ((r = sd_bus_message_read(call, "t", &cursor)) < 0 || (r = read_max(call, &max, error)) < 0 ||
	    (r = sd_bus_message_read(call, "b", &wait)) < 0 ||
	    (r = prepare(bus, call, BUS_REFRESH_EVENTS, error)) < 0)
		return r;

	end = history_end(bus->backend.history(bus->backend.userdata));
	if (cursor == BUS_CURSOR_NOW)
		cursor = end;
	if (cursor > end)
		return sd_bus_error_setf(
			error, SD_BUS_ERROR_INVALID_ARGS,
			"Cursor %llu is not reached yet, the next event gets %llu: begin again",
			(unsigned long long)cursor, (unsigned long long)end);
	/* Cursors start at 1: with cursor 0 and an empty history there is nothing either. */
	if (wait && (cursor == end || end <= 1))
		return hold_back(bus, call, cursor, max, records, error);
	return answer_history(bus, call, cursor, max, records);
}

static int method_read_events(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return read_history(call, userdata, false, error);
}

static int method_read_records(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return read_history(call, userdata, true, error);
}

static int method_read_state(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	int r = prepare(bus, call, BUS_REFRESH_ALL, error);

	return r < 0 ? r : answer_state(bus, call, error);
}

/* Who may call is up to the socket's mode and to the bus policy, hence "unprivileged" throughout. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", status), method_get_status,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Probe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", checks), method_probe,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetPolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", policy), method_get_policy,
				SD_BUS_VTABLE_UNPRIVILEGED),
	/* sd-bus itself lets root in, and nobody else, whatever the rules of the system bus say. */
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", policy), method_reload, 0),
	SD_BUS_METHOD_WITH_ARGS("ListDevices", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), method_list_devices, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListCookies", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), method_list_cookies, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListMappings", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), method_list_mappings, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListConflicts", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), method_list_conflicts, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListLint", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), method_list_lint, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("as", words), SD_BUS_RESULT("s", explanation),
				method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadEvents", SD_BUS_ARGS("t", cursor, "u", max, "b", wait),
				SD_BUS_RESULT("t", next, "t", skipped, "as", rows), method_read_events,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadRecords", SD_BUS_ARGS("t", cursor, "u", max, "b", wait),
				SD_BUS_RESULT("t", next, "t", skipped, "ay", records), method_read_records,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadState", SD_BUS_NO_ARGS, SD_BUS_RESULT("t", cursor, "ay", records),
				method_read_state, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int bus_export(struct bus *bus, sd_bus *connection)
{
	return sd_bus_add_object_vtable(connection, NULL, BUS_PATH, BUS_INTERFACE, vtable, bus);
}

int bus_new(struct bus **ret, sd_event *event, const struct bus_parameters *parameters,
	    const struct bus_backend *backend)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->event = sd_event_ref(event);
	bus->backend = *backend;
	bus->server.fd = bus->server.lock_fd = -EBADF;
	bus->system.wanted = parameters->system_bus;

	if ((r = wait_start(bus)) < 0 ||
	    (r = peer_server_open(bus, parameters->socket ? parameters->socket : BUS_SOCKET)) < 0 ||
	    (r = system_bus_start(bus)) < 0) {
		bus_free(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

struct bus *bus_free(struct bus *bus)
{
	if (!bus)
		return NULL;
	wait_stop(bus);
	peer_server_close(bus);
	system_bus_stop(bus);
	sd_event_unref(bus->event);
	free(bus);
	return NULL;
}

void bus_stats(const struct bus *bus, struct bus_stats *ret)
{
	*ret = (struct bus_stats){
		.peers = bus->server.n_peers,
		.peers_refused = bus->server.refused,
		.waits = bus->waiting.n_waits,
		.waits_refused = bus->waiting.refused,
		.calls = bus->calls,
		.system = bus->system.state,
	};
}
