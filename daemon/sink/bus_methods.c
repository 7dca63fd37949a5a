/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The interface: each method checks its arguments, has the ledger made current, and hands over to
 * bus_answer.c. */

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

/* Makes the ledger current. */
static int refresh(struct bus *bus, unsigned int what, sd_bus_error *error)
{
	int r = bus->backend.refresh(bus->backend.userdata, what);

	if (r < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Cannot bring the ledger up to date: %s",
					 strerror(-r));
	return 0;
}

/* Takes @object; NULL: out of memory. */
static int answer_object(struct bus *bus, sd_bus_message *call, struct json_object *object)
{
	int r;

	if (!object)
		return -ENOMEM;
	r = answer_text(bus, call, json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
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
	int r = refresh(bus, BUS_REFRESH_EVENTS | BUS_REFRESH_DEVICES, error);

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
	return answer_object(bus, call, object);
}

static int read_format(sd_bus_message *call, enum metrics_format *ret, sd_bus_error *error)
{
	const char *name;
	int r = sd_bus_message_read(call, "s", &name);

	if (r < 0)
		return r;
	for (*ret = 0; *ret < METRICS_FORMATS; ++*ret)
		if (strcmp(metrics_format_name(*ret), name) == 0)
			return 0;
	return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
				"The format is neither openmetrics nor prometheus");
}

static int method_get_metrics(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	enum metrics_format format;
	int r = read_format(call, &format, error);

	if (r >= 0)
		r = refresh(bus, BUS_REFRESH_ALL, error);
	return r < 0 ? r : answer_metrics(bus, call, format);
}

static int method_probe(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	char *text = NULL;
	int r;

	if (!bus->backend.probe)
		return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED,
					"This daemon cannot probe the kernel");
	r = bus->backend.probe(bus->backend.userdata, &text);
	if (r < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "Cannot probe the kernel: %s",
					 strerror(-r));
	r = answer_text(bus, call, text);
	free(text);
	return r;
}

/* Answers with the policy in force. */
static int answer_policy(struct bus *bus, sd_bus_message *call)
{
	return answer_object(bus, call, snapshot_policy(bus->backend.model(bus->backend.userdata)->policy));
}

static int method_get_policy(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	(void)error;
	return answer_policy(userdata, call);
}

static int method_reload(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	char text[POLICY_ERROR_LEN] = "";
	enum policy_outcome outcome = POLICY_OK;
	int r;

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
	    (r = read_max(call, &max, error)) < 0 || (r = refresh(bus, what, error)) < 0)
		return r;

	rows = json_object_new_array();
	if (!rows)
		return -ENOMEM;
	bus->backend.clock(bus->backend.userdata, &clock);
	r = list_rows(bus->backend.model(bus->backend.userdata), list, &filter, &clock, after, max, rows);
	if (r >= 0)
		r = answer_rows(bus, call, rows);
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

	if ((r = read_subject(call, &subject, error)) < 0 || (r = refresh(bus, BUS_REFRESH_ALL, error)) < 0)
		return r;
	bus->backend.clock(bus->backend.userdata, &clock);
	return answer_object(bus, call, explain(bus->backend.model(bus->backend.userdata), &clock, &subject));
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
	    (r = refresh(bus, BUS_REFRESH_EVENTS, error)) < 0)
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
	int r = refresh(bus, BUS_REFRESH_ALL, error);

	return r < 0 ? r : answer_state(bus, call, error);
}

/* What becomes of a call that was let in. */
static const struct method methods[] = {
	{"GetStatus", ACCESS_READ, false, false, method_get_status},
	{"GetMetrics", ACCESS_READ, true, false, method_get_metrics},
	{"Probe", ACCESS_READ, false, false, method_probe},
	{"GetPolicy", ACCESS_READ, false, false, method_get_policy},
	{"Reload", ACCESS_CHANGE, false, false, method_reload},
	{"ListDevices", ACCESS_READ, true, false, method_list_devices},
	{"ListCookies", ACCESS_READ, true, false, method_list_cookies},
	{"ListMappings", ACCESS_READ, true, false, method_list_mappings},
	{"ListConflicts", ACCESS_READ, true, false, method_list_conflicts},
	{"ListLint", ACCESS_READ, true, false, method_list_lint},
	{"Explain", ACCESS_READ, false, false, method_explain},
	{"ReadEvents", ACCESS_READ, true, true, method_read_events},
	{"ReadRecords", ACCESS_READ, true, true, method_read_records},
	{"ReadState", ACCESS_READ, true, false, method_read_state},
};

const struct method *bus_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/*
 * Every call goes through gate_call(). "Unprivileged" keeps sd-bus from asking who calls: it would block the
 * daemon until the message bus answers. For the same reason there are no properties: sd-bus itself answers
 * those.
 */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", status), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetMetrics", SD_BUS_ARGS("s", format), SD_BUS_RESULT("s", metrics),
				gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Probe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", checks), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetPolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", policy), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", policy), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListDevices", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListCookies", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListMappings", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListConflicts", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListLint", SD_BUS_ARGS("a{sv}", filter, "t", after, "u", max),
				SD_BUS_RESULT("as", rows), gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("as", words), SD_BUS_RESULT("s", explanation),
				gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadEvents", SD_BUS_ARGS("t", cursor, "u", max, "b", wait),
				SD_BUS_RESULT("t", next, "t", skipped, "as", rows), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadRecords", SD_BUS_ARGS("t", cursor, "u", max, "b", wait),
				SD_BUS_RESULT("t", next, "t", skipped, "ay", records), gate_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ReadState", SD_BUS_NO_ARGS, SD_BUS_RESULT("t", cursor, "ay", records),
				gate_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int bus_export(struct bus *bus, sd_bus *connection)
{
	return sd_bus_add_object_vtable(connection, NULL, BUS_PATH, BUS_INTERFACE, vtable, bus);
}
