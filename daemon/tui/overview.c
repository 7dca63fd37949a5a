/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Devices with who uses them, and in a tree each device with each of its processes. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "cli/text.h"
#include "cli/value.h"
#include "cli/when.h"
#include "tui/ui.h"

enum overview_column {
	COLUMN_DEVICE,
	COLUMN_DRIVER,
	COLUMN_OWNER,
	COLUMN_BARS,
	COLUMN_OPEN,
	COLUMN_COOKIES,
	COLUMN_MAPPINGS,
	COLUMN_BYTES,
	COLUMN_FINDINGS,
	COLUMN_ID,
	COLUMN_GROUP,
	COLUMN_EVENT,
	COLUMN_AT,
	OVERVIEW_COLUMNS,
};

static const struct field fields[] = {
	[COLUMN_DEVICE] = {{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_DRIVER] = {{.title = "DRIVER", .drop = 5}, "driver", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_OWNER] = {{.title = "OWNER", .shrink = true}, "owner", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_BARS] = {{.title = "BARS", .drop = 8}, "bars", CELL_BARS, FIELD_ALWAYS},
	[COLUMN_OPEN] = {{.title = "OPEN", .right = true, .drop = 7}, "open_files", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_COOKIES] = {{.title = "COOKIES", .right = true, .drop = 3},
			    "cookies",
			    CELL_TEXT,
			    FIELD_ALWAYS},
	[COLUMN_MAPPINGS] = {{.title = "MAPS", .right = true}, "mappings", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_BYTES] = {{.title = "MAPPED AS", .drop = 1}, "bytes", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_FINDINGS] = {{.title = "FINDINGS", .right = true}, "conflicts", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_ID] = {{.title = "ID", .drop = 10}, "vendor", CELL_MODEL, FIELD_ALWAYS},
	[COLUMN_GROUP] = {{.title = "GROUP", .right = true, .drop = 9},
			  "iommu_group",
			  CELL_TEXT,
			  FIELD_ALWAYS},
	[COLUMN_EVENT] = {{.title = "LAST EVENT", .drop = 2}, "event", CELL_TEXT, FIELD_ALWAYS},
	[COLUMN_AT] = {{.title = "AT", .drop = 6}, "time", CELL_TEXT, FIELD_ALWAYS},
};

const struct view overview_view = VIEW("device", fields, NULL, NULL);

uint64_t identity(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash >> 1 | 1; /* never that of a group, nor 0 */
}

/* What one process has of one device. */
struct use_key {
	const struct device *device;
	const struct process *process;
};

struct use {
	struct use_key key;
	uint64_t files, cookies, mappings, bytes[MEMTYPE_TYPES];
	UT_hash_handle hh;
};

/* NULL: out of memory. */
static struct use *use_of(struct use **uses, const struct device *device, const struct process *process)
{
	struct use_key key = {device, process};
	struct use *use;

	HASH_FIND(hh, *uses, &key, sizeof(key), use);
	if (use)
		return use;
	use = calloc(1, sizeof(*use));
	if (!use)
		return NULL;
	use->key = key;
	HASH_ADD(hh, *uses, key, sizeof(use->key), use);
	if (use->hh.tbl)
		return use;
	free(use);
	return NULL;
}

static void free_uses(struct use **uses)
{
	struct use *use, *next;

	HASH_ITER (hh, *uses, use, next) {
		HASH_DEL(*uses, use);
		free(use);
	}
}

static int use_files(struct use **uses, const struct device *device)
{
	const struct device_file *file;
	const struct cookie *cookie;
	const struct holder *holder;
	struct use *use;

	DL_FOREACH2 (device->file_list, file, device_next) {
		if (!file->holders && !file->holders_known && file->opener) {
			use = use_of(uses, device, file->opener);
			if (!use)
				return -ENOMEM;
			use->files++;
		}
		DL_FOREACH (file->holders, holder) {
			use = use_of(uses, device, holder->process);
			if (!use)
				return -ENOMEM;
			use->files++;
		}
		DL_FOREACH2 (file->cookie_list, cookie, file_next) {
			if (!cookie->live || !cookie_is_for_mmap(cookie))
				continue;
			use = use_of(uses, device, cookie->issuer);
			if (!use)
				return -ENOMEM;
			use->cookies++;
		}
	}
	return 0;
}

static int use_mappings(struct use **uses, const struct ledger *ledger, const struct device *device)
{
	const struct mapping *mapping;

	DL_FOREACH2 (device->mapping_list, mapping, device_next) {
		struct use *use = use_of(uses, device, mapping->owner);
		uint64_t cursor = 0;
		struct piece piece;

		if (!use)
			return -ENOMEM;
		use->mappings++;
		while (mapping_next_piece(ledger, mapping, &cursor, &piece))
			use->bytes[piece.type < MEMTYPE_TYPES ? piece.type : MEMTYPE_UNKNOWN] +=
				piece.end - piece.start;
	}
	return 0;
}

static void bytes_text(const uint64_t bytes[MEMTYPE_TYPES], char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (int type = 0; type < MEMTYPE_TYPES; type++) {
		char amount[SIZE_TEXT_MAX];
		const char *name = memtype_name(type);

		if (bytes[type] && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s %s", used ? ", " : "",
						 name ? name : "unknown", size_text(bytes[type], amount));
	}
}

static void owner_text(const struct process *process, char *out, size_t size)
{
	enum machine_source source;
	const char *machine = process ? process_machine(process, &source) : NULL;

	if (!process)
		snprintf(out, size, "-");
	else if (machine)
		snprintf(out, size, "%s%.127s (%.16s %" PRIu64 ")",
			 source == MACHINE_COMMAND_LINE ? "claim:" : "", machine, process->comm,
			 process->key.tgid);
	else
		snprintf(out, size, "%.16s %" PRIu64, process->comm[0] ? process->comm : "-",
			 process->key.tgid);
}

/* A row in the making: texts of numbers and sizes. */
struct overview_row {
	struct sheet_value values[OVERVIEW_COLUMNS];
	char numbers[4][24], bytes[256], at[WHEN_TEXT_MAX], owner[256];
};

static void set_number(struct overview_row *row, enum overview_column column, int place, uint64_t number)
{
	snprintf(row->numbers[place], sizeof(row->numbers[place]), "%" PRIu64, number);
	row->values[column].text = row->numbers[place];
}

static void set_use(struct overview_row *row, const struct use *use)
{
	uint64_t all = 0;

	set_number(row, COLUMN_OPEN, 0, use->files);
	set_number(row, COLUMN_COOKIES, 1, use->cookies);
	set_number(row, COLUMN_MAPPINGS, 2, use->mappings);
	bytes_text(use->bytes, row->bytes, sizeof(row->bytes));
	for (int type = 0; type < MEMTYPE_TYPES; type++)
		all += use->bytes[type];
	if (use->mappings || all)
		row->values[COLUMN_BYTES] = (struct sheet_value){row->bytes, all, true};
	row->values[COLUMN_OWNER].text = row->owner;
}

static int put_pair(struct list *list, const struct use *use)
{
	const struct process_key *who = use->key.process ? &use->key.process->key : NULL;
	struct overview_row row = {};
	struct {
		uint64_t device, tgid, start;
	} id = {use->key.device->id, who ? who->tgid : 0, who ? who->start_ns : 0};

	set_use(&row, use);
	owner_text(use->key.process, row.owner, sizeof(row.owner));
	row.values[COLUMN_DEVICE].text = use->key.device->name;
	if (use->key.device->facts_known)
		row.values[COLUMN_DRIVER].text = use->key.device->facts.driver;
	return sheet_put(list->sheet, identity(&id, sizeof(id)), false, row.values);
}

/* "qemu 812 +1": whoever has most of it, and how many more. */
static void sum_up(struct use *uses, const struct device *device, struct use *sum, struct overview_row *row)
{
	const struct use *best = NULL;
	struct use *use, *next;
	unsigned int n = 0;

	*sum = (struct use){.files = device->files, .cookies = 0, .mappings = device->mappings};
	HASH_ITER (hh, uses, use, next) {
		if (use->key.device != device)
			continue;
		sum->cookies += use->cookies;
		for (int type = 0; type < MEMTYPE_TYPES; type++)
			sum->bytes[type] += use->bytes[type];
		n++;
		if (!best || use->mappings > best->mappings ||
		    (use->mappings == best->mappings && use->files > best->files))
			best = use;
	}
	if (best)
		owner_text(best->key.process, row->owner, sizeof(row->owner));
	if (n > 1)
		snprintf(row->owner + strlen(row->owner), sizeof(row->owner) - strlen(row->owner), " +%u",
			 n - 1);
}

static void set_last(struct overview_row *row, const struct world *world, const char *device)
{
	const struct last_event *last = world_last_event(world, device);
	const char *time;

	if (!last)
		return;
	row->values[COLUMN_EVENT].text = last->text;
	when_text((int64_t)last->time_ns + world->ledger.clock.realtime_offset_ns, row->at);
	time = strchr(row->at, ' ');
	if (strrchr(row->at, '.') && strlen(strrchr(row->at, '.')) > 4)
		strrchr(row->at, '.')[4] = '\0'; /* milliseconds */
	row->values[COLUMN_AT].text = time ? time + 1 : row->at;
}

/* What the columns of `vfiowatch devices` tell. */
static void set_facts(struct overview_row *row, struct json_object *facts, char *texts[OVERVIEW_COLUMNS])
{
	static const enum overview_column columns[] = {COLUMN_DEVICE, COLUMN_DRIVER, COLUMN_BARS, COLUMN_ID,
						       COLUMN_GROUP};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		texts[columns[i]] = view_cell(facts, &fields[columns[i]]);
		row->values[columns[i]].text = texts[columns[i]];
	}
}

static int put_device(struct ui *ui, struct list *list, struct use *uses, struct json_object *facts)
{
	const char *name = row_string(facts, "device");
	const struct device *device = ledger_device_by_name(ui->world->ledger.model.ledger, name);
	char *texts[OVERVIEW_COLUMNS] = {};
	struct overview_row row = {};
	struct use sum;
	uint64_t count;
	int r;

	if (!device)
		return 0;
	set_facts(&row, facts, texts);
	sum_up(uses, device, &sum, &row);
	set_use(&row, &sum);
	set_last(&row, ui->world, device->name);
	if (world_findings_on(ui->world, name, &count))
		set_number(&row, COLUMN_FINDINGS, 3, count);
	r = sheet_put(list->sheet, identity(device->name, strlen(device->name)), false, row.values);
	for (size_t i = 0; i < OVERVIEW_COLUMNS; i++)
		free(texts[i]);
	return r;
}

static int put_devices(struct ui *ui, struct list *list, struct use *uses)
{
	struct json_object *rows = json_object_new_array();
	const struct row_filter filter = {.all = list->all};
	const struct world *world = ui->world;
	int r = rows ? list_rows(&world->ledger.model, ROWS_DEVICES, &filter, &world->ledger.clock, 0,
				 WORLD_EVENTS, rows)
		     : -ENOMEM;

	for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++)
		r = put_device(ui, list, uses, json_object_array_get_idx(rows, i));
	json_object_put(rows);
	return r;
}

int fill_overview(struct ui *ui, struct list *list)
{
	const struct ledger *ledger = ui->world->ledger.model.ledger;
	const struct device *devices[256];
	struct use *uses = NULL, *use, *next;
	uint64_t after = 0;
	size_t n;
	int r = 0;

	sheet_clear(list->sheet);
	do {
		n = ledger_list_devices(ledger, after, devices, 256);
		for (size_t i = 0; i < n && r == 0; i++) {
			after = devices[i]->id;
			r = use_files(&uses, devices[i]);
			if (r == 0)
				r = use_mappings(&uses, ledger, devices[i]);
		}
	} while (n == 256 && r == 0);
	if (r == 0 && !list->tree)
		r = put_devices(ui, list, uses);
	HASH_ITER (hh, uses, use, next)
		if (r == 0 && list->tree)
			r = put_pair(list, use);
	free_uses(&uses);
	return r;
}
