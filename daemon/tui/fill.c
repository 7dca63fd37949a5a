/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Sheets from the world: only those of the present screen, and of mappings and cookies only the rows that
 * changed. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "core/snapshot_finding.h"
#include "tui/ui.h"

#define CHUNK 1024

/* As snapshot_mappings() has it: what is not known to be of a device may be any memory. */
static bool shows_mapping(const struct mapping *mapping, bool all, const struct device *device)
{
	return mapping && (all || mapping->live) &&
	       (all || mapping->device || mapping->source != SOURCE_DEVMEM) &&
	       (!device || mapping->device == device);
}

static bool shows_cookie(const struct cookie *cookie, bool all, const struct device *device)
{
	return cookie && (all || (cookie->live && cookie_is_for_mmap(cookie))) &&
	       (!device || cookie->file->device == device);
}

static int put_row(struct list *list, uint64_t id, struct json_object *row)
{
	int r = row ? sheet_put_row(list->sheet, id, row) : -ENOMEM;

	json_object_put(row);
	return r;
}

static int put_mapping(const struct world *world, struct list *list, const struct mapping *mapping)
{
	const struct model *model = &world->ledger.model;

	return put_row(list, mapping->id,
		       snapshot_mapping_row(model->ledger, model->policy, mapping, &world->ledger.clock));
}

static int put_cookie(const struct world *world, struct list *list, const struct cookie *cookie)
{
	return put_row(list, cookie->id,
		       snapshot_cookie_row(world->ledger.model.ledger, cookie, &world->ledger.clock));
}

static int all_mappings(const struct world *world, struct list *list, const struct device *device)
{
	const struct mapping *chunk[CHUNK];
	uint64_t after = 0;
	size_t n;
	int r = 0;

	sheet_clear(list->sheet);
	do {
		n = ledger_list_mappings(world->ledger.model.ledger, list->all, after, chunk, CHUNK);
		for (size_t i = 0; i < n && r == 0; i++) {
			after = chunk[i]->id;
			if (shows_mapping(chunk[i], list->all, device))
				r = put_mapping(world, list, chunk[i]);
		}
	} while (n == CHUNK && r == 0);
	return r;
}

static int all_cookies(const struct world *world, struct list *list, const struct device *device)
{
	const struct cookie *chunk[CHUNK];
	uint64_t after = 0;
	size_t n;
	int r = 0;

	sheet_clear(list->sheet);
	do {
		n = ledger_list_cookies(world->ledger.model.ledger, list->all, after, chunk, CHUNK);
		for (size_t i = 0; i < n && r == 0; i++) {
			after = chunk[i]->id;
			if (shows_cookie(chunk[i], list->all, device))
				r = put_cookie(world, list, chunk[i]);
		}
	} while (n == CHUNK && r == 0);
	return r;
}

static int changed_mappings(const struct world *world, struct list *list, const struct device *device)
{
	int r = 0;

	for (size_t i = 0; i < world->mappings.n && r == 0; i++) {
		uint64_t id = world->mappings.ids[i];
		const struct mapping *mapping = ledger_mapping(world->ledger.model.ledger, id);

		if (shows_mapping(mapping, list->all, device))
			r = put_mapping(world, list, mapping);
		else
			sheet_remove(list->sheet, id);
	}
	return r;
}

static int changed_cookies(const struct world *world, struct list *list, const struct device *device)
{
	int r = 0;

	for (size_t i = 0; i < world->cookies.n && r == 0; i++) {
		uint64_t id = world->cookies.ids[i];
		const struct cookie *cookie = ledger_cookie(world->ledger.model.ledger, id);

		if (shows_cookie(cookie, list->all, device))
			r = put_cookie(world, list, cookie);
		else
			sheet_remove(list->sheet, id);
	}
	return r;
}

typedef int (*filler)(const struct world *world, struct list *list, const struct device *device);

/* @all and @changed of one kind; what @list saw before says which. Of no device: nothing. */
static int fill(struct ui *ui, struct list *list, struct seen *seen, const struct world_changes *changes,
		bool of_device, filler all, filler changed)
{
	const struct world *world = ui->world;
	const struct device *device = of_device ? device_shown(ui) : NULL;
	int r;

	if (of_device && !device) {
		sheet_clear(list->sheet);
		seen->made = false;
		return 0;
	}
	if (seen->made && !changes->all && seen->all == list->all &&
	    (!of_device || strcmp(seen->device, ui->device.name) == 0))
		r = changed(world, list, device);
	else
		r = all(world, list, device);
	seen->made = r == 0;
	seen->all = list->all;
	memcpy(seen->device, ui->device.name, sizeof(seen->device));
	return r;
}

/* Whoever did not look at these changes has to look at everything the next time. */
static void changes_done(struct ui *ui, struct world_changes *changes, const struct seen *a,
			 const struct seen *b, const struct seen *looked)
{
	if (changes->n || changes->all) {
		if (a != looked)
			ui->seen[a - ui->seen].made = false;
		if (b != looked)
			ui->seen[b - ui->seen].made = false;
	}
	changes->n = 0;
	changes->all = false;
}

static int refresh_mappings(struct ui *ui, enum screen_id screen)
{
	struct seen *seen = &ui->seen[screen];
	int r = fill(ui, &ui->lists[screen], seen, &ui->world->mappings, screen == SCREEN_DEVICE,
		     all_mappings, changed_mappings);

	changes_done(ui, &ui->world->mappings, &ui->seen[SCREEN_MAPPINGS], &ui->seen[SCREEN_DEVICE], seen);
	return r;
}

static int refresh_cookies(struct ui *ui, struct list *list, struct seen *seen, bool of_device)
{
	int r = fill(ui, list, seen, &ui->world->cookies, of_device, all_cookies, changed_cookies);

	changes_done(ui, &ui->world->cookies, &ui->seen[SCREEN_COOKIES], &ui->seen[SCREENS], seen);
	return r;
}

/* Sheets that are made as a whole when something changed. */
static int refresh_whole(struct ui *ui, enum screen_id screen)
{
	const struct world *world = ui->world;
	struct list *list = &ui->lists[screen];
	struct seen *seen = &ui->seen[screen], now = {true,
						      list->all,
						      world->ledger_changes,
						      world->finding_changes,
						      world->status_changes,
						      ""};
	int r;

	now.device[0] = (char)('0' + list->tree);
	if (screen == SCREEN_FINDINGS)
		now.ledger = now.status = 0;
	else
		now.status = 0;
	if (memcmp(seen, &now, sizeof(now)) == 0)
		return 0;
	r = screen == SCREEN_OVERVIEW ? fill_overview(ui, list) : fill_findings(ui, list);
	if (r == 0)
		memcpy(seen, &now, sizeof(now));
	return r;
}

int ui_refresh(struct ui *ui)
{
	struct list *list;
	int r = 0;

	if (ui->world->has_ledger) {
		switch (ui->screen) {
		case SCREEN_OVERVIEW:
		case SCREEN_FINDINGS:
			r = refresh_whole(ui, ui->screen);
			break;
		case SCREEN_DEVICE:
			choose_device(ui);
			r = ui->device.cookies
				    ? refresh_cookies(ui, &ui->device_cookies, &ui->seen[SCREENS], true)
				    : refresh_mappings(ui, SCREEN_DEVICE);
			break;
		case SCREEN_MAPPINGS:
			r = refresh_mappings(ui, SCREEN_MAPPINGS);
			break;
		case SCREEN_COOKIES:
			r = refresh_cookies(ui, &ui->lists[SCREEN_COOKIES], &ui->seen[SCREEN_COOKIES], false);
			break;
		default:
			break;
		}
	}
	if (ui->screen == SCREEN_HEALTH)
		fill_health(ui);
	list = ui_list(ui);
	if (r == 0 && list)
		r = list_update(list);
	return r;
}
