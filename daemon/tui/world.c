/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "cli/connect.h"
#include "cli/event_row.h"
#include "cli/value.h"
#include "lists.h"
#include "tui/world.h"
#include "vfiowatch/bus.h"

static const struct field event_fields[] = {
	{{.title = "TIME", .drop = 3}, "time", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "EVENT"}, "event", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE", .drop = 1}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true, .drop = 2}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true, .drop = 5}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SIZE", .right = true, .drop = 4}, "size", CELL_SIZE, FIELD_ALWAYS},
	{{.title = "TYPE", .shrink = true}, NULL, CELL_TEXT, FIELD_ALWAYS},
};

_Static_assert(sizeof(event_fields) / sizeof(event_fields[0]) == EVENT_COLUMNS, "one for each cell");

const struct view event_view = VIEW("event", event_fields, NULL, NULL);

void world_init(struct world *world)
{
	*world = (struct world){.events.view = &event_view, .next_event = 1, .first_event = 1};
	world->mappings.all = world->cookies.all = true;
}

static void forget_last(struct world *world)
{
	struct last_event *last, *next;

	HASH_ITER (hh, world->last, last, next) {
		HASH_DEL(world->last, last);
		free(last);
	}
}

static void drop_events(struct world *world)
{
	sheet_clear(&world->events);
	for (size_t i = 0; i < WORLD_EVENTS; i++) {
		free(world->event_texts[i]);
		world->event_texts[i] = NULL;
	}
	world->next_event = world->first_event = 1;
}

static void drop_ledger(struct world *world)
{
	if (world->has_ledger)
		replay_close(&world->ledger);
	world->has_ledger = false;
	world->mappings.all = world->cookies.all = true;
	world->ledger_changes++;
	world->finding_changes++;
}

void world_done(struct world *world)
{
	drop_ledger(world);
	forget_last(world);
	drop_events(world);
	json_object_put(world->status);
	json_object_put(world->findings);
	json_object_put(world->lint);
	policy_free(world->policy);
	*world = (struct world){};
}

static void add_dirty(struct world_changes *changes, uint64_t id)
{
	if (changes->n && changes->ids[changes->n - 1] == id)
		return;
	if (changes->n == WORLD_DIRTY)
		changes->all = true;
	else
		changes->ids[changes->n++] = id;
}

/* The mappings of a device; without one: of all. */
static void device_dirty(struct world *world, const struct device *device)
{
	const struct mapping *mapping;

	if (!device) {
		world->mappings.all = true;
		return;
	}
	DL_FOREACH2 (device->mapping_list, mapping, device_next)
		add_dirty(&world->mappings, mapping->id);
}

/* What is said of those that came later may be said because of this one. */
static void peers_dirty(struct world *world, const struct mapping *changed)
{
	const struct ledger *ledger = world->ledger.model.ledger;
	const struct mapping *mapping;

	if (!changed || !world_verdicts_depend(world))
		return;
	if (!changed->device) {
		world->mappings.all = true;
		return;
	}
	DL_FOREACH2 (changed->device->mapping_list, mapping, device_next)
		if (mapping->id > changed->id &&
		    ledger_requested(ledger, mapping) != ledger_requested(ledger, changed))
			add_dirty(&world->mappings, mapping->id);
}

/* Rows show the names of their process. */
static void process_dirty(struct world *world, const struct process *process)
{
	const struct ledger *ledger = world->ledger.model.ledger;
	const struct mapping *mapping = NULL;

	while (process && (mapping = ledger_next_live(ledger, mapping)))
		if (mapping->owner == process)
			add_dirty(&world->mappings, mapping->id);
	world->cookies.all = true;
	if (world_verdicts_depend(world))
		world->mappings.all = true;
}

static void note_change(struct world *world, const struct change *change)
{
	world->ledger_changes++;
	switch (change->kind) {
	case CHANGE_MAPPED:
	case CHANGE_COPIED:
	case CHANGE_MAPPING:
	case CHANGE_UNMAPPED:
	case CHANGE_PAGES:
		if (change->mapping)
			add_dirty(&world->mappings, change->mapping->id);
		peers_dirty(world, change->mapping);
		break;
	case CHANGE_RESERVED:
		if (world->policy)
			device_dirty(world, change->device);
		break;
	case CHANGE_REVOKED:
	case CHANGE_DEVICE:
		device_dirty(world, change->kind == CHANGE_DEVICE ? change->device : NULL);
		break;
	case CHANGE_COOKIE_ISSUED:
	case CHANGE_COOKIE_REISSUED:
	case CHANGE_COOKIE_CLOSED:
		if (change->cookie)
			add_dirty(&world->cookies, change->cookie->id);
		if (change->kind != CHANGE_COOKIE_REISSUED)
			device_dirty(world, change->device);
		break;
	case CHANGE_FILE_OPENED:
	case CHANGE_FILE_CLOSED:
		world->cookies.all = true;
		device_dirty(world, change->device);
		break;
	case CHANGE_PROCESS:
		process_dirty(world, change->process);
		break;
	case CHANGE_LOST:
		world->mappings.all = world->cookies.all = true;
		break;
	default:
		break;
	}
}

static void note_last(struct world *world, const char *device, uint64_t time_ns, const char *name)
{
	struct last_event *last;

	HASH_FIND_STR(world->last, device, last);
	if (!last && HASH_COUNT(world->last) < WORLD_EVENTS && strlen(device) <= EVENT_NAME_LEN) {
		last = calloc(1, sizeof(*last));
		if (!last)
			return;
		strcpy(last->device, device);
		HASH_ADD_STR(world->last, device, last);
		if (!last->hh.tbl) {
			free(last);
			return;
		}
	}
	if (!last)
		return;
	last->time_ns = time_ns;
	snprintf(last->text, sizeof(last->text), "%s", name);
}

/* The event gets the next number; the oldest one goes when there are too many. */
static int add_event(struct world *world, bool fact, const struct sheet_value *values,
		     struct json_object *row)
{
	char **text = &world->event_texts[world->next_event % WORLD_EVENTS];
	const char *json;
	int r = sheet_put(&world->events, world->next_event, fact, values);

	if (r < 0)
		return r;
	json = json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	free(*text);
	*text = row && json ? strdup(json) : NULL;
	world->next_event++;
	while (world->next_event - world->first_event > WORLD_EVENTS)
		sheet_remove(&world->events, world->first_event++);
	return 0;
}

/* The time of the day is shown, and sorted by with the day. */
static void set_time(struct sheet_value *value, int64_t when_ns, char text[WHEN_TEXT_MAX])
{
	const char *time = strchr(when_text(when_ns, text), ' ');

	if (when_ns > 0)
		*value = (struct sheet_value){time ? time + 1 : text, (uint64_t)when_ns, true};
}

static int put_event(struct world *world, struct json_object *row, const struct event_cells *cells)
{
	struct sheet_value values[EVENT_COLUMNS] = {};
	char time[WHEN_TEXT_MAX];
	int64_t when;

	for (size_t i = 0; i < EVENT_COLUMNS; i++)
		values[i].text = cells->cells[i];
	values[7].numeric = row_number(row, "size", &values[7].number);
	if (event_time_ns(row, &when))
		set_time(&values[0], when, time);
	return add_event(world, event_is_fact(row), values, row);
}

const char *world_event_json(const struct world *world, uint64_t id)
{
	return id >= world->first_event && id < world->next_event ? world->event_texts[id % WORLD_EVENTS]
								  : NULL;
}

static bool is_denial(const struct event *event, const struct change *change)
{
	return change->kind == CHANGE_REQUEST && event->request.denied;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

/* What is to be said at once, whatever the screen. */
static void raise_alarm(struct world *world, const struct event *event, const struct change *change,
			const struct event_cells *cells)
{
	const char *const *cell = cells->cells;

	if (!world->live)
		return;
	if (change->kind == CHANGE_LOST)
		snprintf(world->alarm, sizeof(world->alarm), "%s: everything is read anew",
			 or_dash(cell[EVENT_COLUMNS - 1]));
	else if (is_denial(event, change))
		snprintf(world->alarm, sizeof(world->alarm), "%s: PID %s %s, %s BAR %s: %s", or_dash(cell[1]),
			 or_dash(cell[3]), or_dash(cell[4]), or_dash(cell[2]), or_dash(cell[5]),
			 or_dash(cell[EVENT_COLUMNS - 1]));
	else
		return;
	world->alarm_due = true;
}

static enum world_outcome log_event(struct world *world, const struct event *event,
				    const struct change *change)
{
	struct json_object *row =
		snapshot_event(world->ledger.model.ledger, &world->ledger.clock, event, change);
	struct event_cells cells;
	uint64_t number;
	char text[64];
	int r;

	if (!row)
		return WORLD_MEMORY;
	event_cells(row, &cells);
	if (event->header.type == EVENT_LOST && row_number(row, "count", &number)) {
		snprintf(text, sizeof(text), "%llu lost: %.32s", (unsigned long long)number,
			 row_string(row, "lost_event") ? row_string(row, "lost_event") : "of any kind");
		cells.cells[EVENT_COLUMNS - 1] = text;
	}
	raise_alarm(world, event, change, &cells);
	if (cells.cells[2] && cells.cells[1] && !event_is_fact(row))
		note_last(world, cells.cells[2], event->header.time_ns, cells.cells[1]);
	r = put_event(world, row, &cells);
	json_object_put(row);
	return r < 0 ? WORLD_MEMORY : WORLD_OK;
}

static void on_finding(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	struct world *world = userdata;

	(void)what, (void)finding;
	world->findings_due = true;
	if (!world->live)
		world->finding_changes++;
}

enum world_outcome world_apply(struct world *world, const struct event *event)
{
	struct model_change change;

	if (!world->has_ledger)
		return WORLD_BAD;
	if (model_apply(&world->ledger.model, event, &change, on_finding, world) < 0)
		return WORLD_MEMORY;
	if (change.lint) {
		world->lint_due = true;
		world->finding_changes += !world->live;
	}
	replay_count(&world->ledger, event);
	world->last_ns = event->header.time_ns;
	note_change(world, &change.change);
	return log_event(world, event, &change.change);
}

enum world_outcome world_take_state(struct world *world, const void *data, size_t size)
{
	struct failure failure = {};
	struct replay ledger;
	enum exit_code code = replay_open_state(&ledger, data, size, &failure);

	if (code == EXIT_OK)
		code = replay_all(&ledger, &failure);
	if (code != EXIT_OK) {
		replay_close(&ledger);
		return WORLD_BAD;
	}
	replay_drop_source(&ledger);
	drop_ledger(world);
	world->ledger = ledger;
	world->ledger.model.policy = world->policy;
	world->has_ledger = true;
	world->live = true;
	world->findings_due = world->lint_due = true;
	return WORLD_OK;
}

/* Events that are not here; @count 0: nobody knows how many. */
static void put_gap(struct world *world, const char *text, uint64_t count, const char *why)
{
	struct sheet_value values[EVENT_COLUMNS] = {[1] = {.text = "lost"},
						    [EVENT_COLUMNS - 1] = {.text = text}};
	struct json_object *row = json_object_new_object();
	char time[WHEN_TEXT_MAX];

	/* They came after the last one that is. */
	if (world->last_ns)
		set_time(&values[0], (int64_t)world->last_ns + world->ledger.clock.realtime_offset_ns, time);
	json_object_object_add(row, "event", json_object_new_string("lost"));
	json_object_object_add(row, "count", count ? json_object_new_uint64(count) : NULL);
	json_object_object_add(row, "detail", json_object_new_string(why));
	add_event(world, false, values, row);
	json_object_put(row);
}

static void note_skipped(struct world *world, uint64_t skipped)
{
	char text[96];

	if (!skipped)
		return;
	world->skipped += skipped;
	snprintf(text, sizeof(text), "%llu lost: overwritten before they were read",
		 (unsigned long long)skipped);
	put_gap(world, text, skipped, "overwritten before they were read");
}

enum world_outcome world_take_records(struct world *world, uint64_t skipped, const void *data, size_t size)
{
	const uint8_t *frame = data;
	enum world_outcome outcome = WORLD_OK;
	struct event event;

	note_skipped(world, skipped);
	while (size > 0 && outcome == WORLD_OK) {
		size_t length = capture_frame_size(frame, size);

		if (!length || !capture_frame_event(frame, &event))
			return WORLD_BAD;
		outcome = world_apply(world, &event);
		frame += length;
		size -= length;
	}
	if (outcome == WORLD_OK && world->has_ledger &&
	    model_settle(&world->ledger.model, on_finding, world) < 0)
		return WORLD_MEMORY;
	return outcome;
}

enum world_outcome world_take_status(struct world *world, const char *text)
{
	struct json_object *status = parse_row(text);

	if (!status)
		return WORLD_BAD;
	json_object_put(world->status);
	world->status = status;
	world->status_changes++;
	return WORLD_OK;
}

enum world_outcome world_take_rows(struct world *world, enum row_list list, struct json_object *rows)
{
	struct json_object **place = list == ROWS_CONFLICTS ? &world->findings : &world->lint;

	if (!json_object_is_type(rows, json_type_array)) {
		json_object_put(rows);
		return WORLD_BAD;
	}
	json_object_put(*place);
	*place = rows;
	world->finding_changes++;
	return WORLD_OK;
}

enum exit_code world_open(struct world *world, const char *path, struct failure *failure)
{
	struct replay ledger;
	enum exit_code code = replay_open(&ledger, path, failure);

	if (code != EXIT_OK) {
		replay_close(&ledger);
		return code;
	}
	drop_ledger(world);
	drop_events(world);
	forget_last(world);
	world->ledger = ledger;
	world->has_ledger = true;
	world->link = LINK_REPLAY;
	world->live = false;
	world->last_ns = 0;
	return EXIT_OK;
}

void world_silent(struct world *world, int64_t since_ns)
{
	if (world->link != LINK_LIVE)
		return;
	world->link = LINK_SILENT;
	world->lost_at_ns = since_ns;
	world->status_changes++;
}

void world_heard(struct world *world)
{
	if (world->link == LINK_SILENT)
		world_found(world);
}

void world_lost(struct world *world, int64_t now_ns, const char *why)
{
	if (!world_is_stale(world))
		world->lost_at_ns = now_ns;
	world->link = LINK_LOST;
	snprintf(world->link_text, sizeof(world->link_text), "%s", why);
	world->status_changes++;
}

void world_back(struct world *world)
{
	if (world->link != LINK_LOST)
		return;
	world->link = LINK_BACK;
	world->status_changes++;
}

void world_found(struct world *world)
{
	if (world->link == LINK_LOST || world->link == LINK_BACK)
		put_gap(world, "some may not be here: the daemon was away", 0, "the daemon was away");
	world->link = LINK_LIVE;
	world->link_text[0] = '\0';
	world->lost_at_ns = 0;
	world->status_changes++;
}

void world_take_history(struct world *world, struct json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const int64_t offset = world->ledger.clock.realtime_offset_ns;
		struct event_cells cells;
		int64_t when;

		event_cells(row, &cells);
		if (event_time_ns(row, &when) && when > offset) {
			world->last_ns = (uint64_t)(when - offset);
			if (cells.cells[1] && cells.cells[2] && !event_is_fact(row))
				note_last(world, cells.cells[2], world->last_ns, cells.cells[1]);
		}
		if (put_event(world, row, &cells) < 0)
			return;
	}
	world->ledger_changes++;
}

/* Of our own model, made anew when it changed. */
static struct json_object *own_rows(struct world *world, enum row_list list, bool all)
{
	struct json_object **place = list == ROWS_CONFLICTS ? &world->findings : &world->lint;
	const struct row_filter filter = {.all = all};
	struct json_object *rows;

	if (!world->has_ledger)
		return NULL;
	rows = json_object_new_array();
	if (!rows ||
	    list_rows(&world->ledger.model, list, &filter, &world->ledger.clock, 0, BUS_ROWS_MAX, rows) < 0) {
		json_object_put(rows);
		return NULL;
	}
	json_object_put(*place);
	*place = rows;
	return rows;
}

struct json_object *world_rows(struct world *world, enum row_list list, bool all)
{
	if (!world->live)
		return own_rows(world, list, all);
	return list == ROWS_CONFLICTS ? world->findings : world->lint;
}

const struct last_event *world_last_event(const struct world *world, const char *device)
{
	struct last_event *last;

	HASH_FIND_STR(world->last, device, last);
	return last;
}

bool world_findings_on(const struct world *world, const char *device, uint64_t *ret)
{
	*ret = 0;
	if (!world->live) {
		if (world->has_ledger)
			*ret = findings_of_device(world->ledger.model.findings, device);
		return world->has_ledger;
	}
	for (size_t i = 0; world->findings && i < json_object_array_length(world->findings); i++) {
		struct json_object *row = json_object_array_get_idx(world->findings, i);
		const char *name = row_string(row, "device");

		*ret += name && strcmp(name, device) == 0 && row_true(row, "active");
	}
	return world->findings;
}
