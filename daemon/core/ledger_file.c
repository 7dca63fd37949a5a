/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

struct device_file *file_find(const struct ledger *ledger, uint64_t id)
{
	struct device_file *file = NULL;

	HASH_FIND(hh, ledger->files, &id, sizeof(id), file);
	return file;
}

const struct device_file *ledger_file(const struct ledger *ledger, uint64_t id)
{
	return file_find(ledger, id);
}

static void history_enter(struct ledger *ledger, struct device_file *file)
{
	DL_APPEND2(ledger->closed_files, file, previous, next);
	ledger->n_closed_files++;
}

static void history_leave(struct ledger *ledger, struct device_file *file)
{
	DL_DELETE2(ledger->closed_files, file, previous, next);
	ledger->n_closed_files--;
}

static void live_enter(struct ledger *ledger, struct device_file *file)
{
	file->live = true;
	file->born = ledger->readings[READING_HOLDERS].number;
	ledger->counts.files++;
	if (!file->device)
		return;
	file->device->files++;
	DL_APPEND2(file->device->file_list, file, device_previous, device_next);
}

static void live_leave(struct ledger *ledger, struct device_file *file)
{
	file->live = false;
	ledger->counts.files--;
	if (!file->device)
		return;
	file->device->files--;
	DL_DELETE2(file->device->file_list, file, device_previous, device_next);
}

/* Makes a file of unknown device: live, or closed if its end was told before. */
int file_new(struct ledger *ledger, uint64_t id, struct device_file **ret)
{
	const struct tombstone *ended = tombstone_find(ledger->ended_files, id);
	struct device_file *file;

	if (!ended && ledger->counts.files >= ledger->entries_max)
		return -ENOSPC;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->id = id;
	file->seen = ledger->readings[READING_FILES].number;
	HASH_ADD(hh, ledger->files, id, sizeof(file->id), file);
	if (!file->hh.tbl) {
		free(file);
		return -ENOMEM;
	}
	if (ended) {
		file->gone = true;
		file->closed_ns = ended->time_ns;
		history_enter(ledger, file);
		tombstone_drop(&ledger->ended_files, id);
	} else {
		live_enter(ledger, file);
	}
	*ret = file;
	return 0;
}

/* Frees a file that nothing references, be it in history or one just made that cannot be kept. */
void file_forget(struct ledger *ledger, struct device_file *file)
{
	if (file->live)
		live_leave(ledger, file);
	else
		history_leave(ledger, file);
	if (ledger->next_file == file)
		ledger->next_file = file->hh.next;
	HASH_DEL(ledger->files, file);
	process_release(ledger, file->opener);
	device_release(ledger, file->device);
	free(file);
}

int file_acquire(struct ledger *ledger, uint64_t id, struct device_file **ret)
{
	struct device_file *file = file_find(ledger, id);
	int r;

	if (!file) {
		r = file_new(ledger, id, &file);
		if (r < 0)
			return r;
	}
	if (!file->live && !file->references)
		history_leave(ledger, file);
	file->references++;
	*ret = file;
	return 0;
}

void file_release(struct ledger *ledger, struct device_file *file)
{
	if (file && !--file->references && !file->live)
		history_enter(ledger, file);
}

static void file_revive(struct ledger *ledger, struct device_file *file)
{
	if (!file->references)
		history_leave(ledger, file);
	file->closed_ns = 0;
	file->holders_known = false;
	live_enter(ledger, file);
}

/* The cookies of a file end with it. A DMABUF is a file of its own and goes on. */
/*
 * With the last file of a device all DMABUFs of it are revoked, for ever (vfio_pci_dma_buf_cleanup() of
 * drivers/vfio/pci/vfio_pci_dmabuf.c).
 */
static void revoke_dma_bufs(struct ledger *ledger, const struct device *device, uint64_t time_ns)
{
	struct cookie *cookie;

	for (cookie = ledger->cookies; cookie; cookie = cookie->hh.next)
		if (cookie->dialect == DIALECT_DMA_BUF && cookie->file->device == device)
			cookie_revoke(ledger, cookie, time_ns);
}

static void file_close(struct ledger *ledger, struct device_file *file, uint64_t time_ns, bool gone)
{
	struct cookie *cookie;

	live_leave(ledger, file);
	if (gone && file->device && !file->device->files)
		revoke_dma_bufs(ledger, file->device, time_ns);
	file->gone = gone;
	file->closed_ns = time_ns;
	while (file->holders)
		holder_remove(ledger, file->holders);
	DL_FOREACH2 (file->cookie_list, cookie, file_next)
		if (cookie->live && cookie->dialect != DIALECT_DMA_BUF)
			cookie_close(ledger, cookie, time_ns, gone);
	if (!file->references)
		history_enter(ledger, file);
}

static void file_set_device(struct ledger *ledger, struct device_file *file, struct device *device)
{
	file->device = device;
	device->cookies += file->cookies;
	if (file->live) {
		device->files++;
		DL_APPEND2(device->file_list, file, device_previous, device_next);
	}
	file_place_mappings(ledger, file);
}

/* Takes what the event adds to what is known. References to @device and @opener pass to the file. */
static bool file_describe(struct ledger *ledger, struct device_file *file, const struct event *event,
			  struct device *device, struct process *opener)
{
	const struct event_file *told = &event->file;
	bool from_scan = told->flags & EVENT_FILE_FROM_SCAN, is_cdev = told->flags & EVENT_FILE_IS_CDEV;
	bool changed = device || opener;

	if (device)
		file_set_device(ledger, file, device);
	if (opener)
		file->opener = opener;
	if (!file->opened_ns && told->opened_ns) {
		file->opened_ns = told->opened_ns;
		changed = true;
	}
	if (file_names_device(told) && (file->from_scan != from_scan || file->is_cdev != is_cdev)) {
		file->from_scan = from_scan;
		file->is_cdev = is_cdev;
		changed = true;
	}
	if (event->header.type == EVENT_FILE && told->flags & EVENT_FILE_HOLDERS_KNOWN)
		file->holders_known = true;
	if (event->header.type == EVENT_FILE && told->flags & EVENT_FILE_COOKIES_UNCERTAIN)
		file->cookies_uncertain = true;
	return changed;
}

/* EVENT_OPEN, EVENT_FILE */
int apply_file(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_file *told = &event->file;
	struct device_file *file = file_find(ledger, told->file_id);
	bool is_new = !file, is_scan = event->header.type == EVENT_FILE;
	bool revives = file && !file->live && !file->gone && is_scan;
	struct process *opener = NULL;
	struct device *device = NULL;
	int r;

	if (!told->file_id || (told->flags & EVENT_DEVICE_IS_PCI && told->pci_address >> PCI_ADDRESS_BITS))
		return -EBADMSG;
	if (file && file->device && file_names_device(told) && !device_is(file->device, told))
		return -EBADMSG;
	if (revives && ledger->counts.files >= ledger->entries_max)
		return -ENOSPC;
	if (is_new && is_scan && tombstone_find(ledger->ended_files, told->file_id))
		return 0;

	if (is_new || !file->opener) {
		r = process_acquire(ledger, &event->header.who, event->header.time_ns, &opener);
		if (r < 0)
			return r;
	}
	if (is_new || !file->device) {
		r = device_acquire(ledger, told, &device);
		if (r < 0)
			goto fail;
	}
	if (is_new) {
		r = file_new(ledger, told->file_id, &file);
		if (r < 0)
			goto fail;
	}
	if (file_describe(ledger, file, event, device, opener) || is_new || revives)
		change->kind = CHANGE_FILE_OPENED;
	if (revives)
		file_revive(ledger, file);
	file->seen = ledger->readings[READING_FILES].number;
	change->file = file;
	change->device = file->device;
	return 0;
fail:
	device_release(ledger, device);
	process_release(ledger, opener);
	return r;
}

int apply_release(struct ledger *ledger, const struct event *event, struct change *change)
{
	uint64_t id = event->file.file_id;
	struct device_file *file = file_find(ledger, id);

	if (!id)
		return -EBADMSG;
	if (!file)
		return origin_is_kernel(event) ? tombstone_add(ledger, &ledger->ended_files, event, id) : 0;
	change->file = file;
	change->device = file->device;
	if (file->live) {
		file_close(ledger, file, event->header.time_ns, origin_is_kernel(event));
		change->kind = CHANGE_FILE_CLOSED;
	} else if (origin_is_kernel(event)) {
		file->gone = true;
	}
	return 0;
}
