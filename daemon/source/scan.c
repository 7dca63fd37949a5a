// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/scan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/* Collects the single descriptors of ITERATOR_HOLDERS. */
struct holder_rows {
	struct event *rows;
	size_t n, allocated;
};

static int holder_add(struct holder_rows *all, const struct event *event)
{
	struct event *grown;
	size_t size;

	if (all->n == all->allocated) {
		size = all->allocated ? 2 * all->allocated : 64;
		grown = reallocarray(all->rows, size, sizeof(*all->rows));
		if (!grown)
			return -ENOMEM;
		all->rows = grown;
		all->allocated = size;
	}
	all->rows[all->n++] = *event;
	return 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_holders(const void *left, const void *right)
{
	const struct event *a = left, *b = right;
	int r = compare_u64(a->holder.file_id, b->holder.file_id);

	if (r == 0)
		r = compare_u64(a->header.who.tgid, b->header.who.tgid);
	if (r == 0)
		r = compare_u64(a->header.who.start_ns, b->header.who.start_ns);
	return r;
}

static void holders_hand_over(struct holder_rows *all, scan_row row, void *userdata)
{
	if (all->n == 0)
		return;
	qsort(all->rows, all->n, sizeof(*all->rows), compare_holders);
	for (size_t i = 0; i < all->n; i++) {
		if (i + 1 < all->n && compare_holders(&all->rows[i], &all->rows[i + 1]) == 0)
			all->rows[i + 1].holder.fds += all->rows[i].holder.fds;
		else
			row(userdata, &all->rows[i]);
	}
}

/* Hands over the whole rows at the start of @buffer and returns how many bytes they took, or a negative
 * errno. */
static ssize_t take_rows(const uint8_t *buffer, size_t length, struct holder_rows *holders, scan_row row,
			 void *userdata)
{
	struct event_header header;
	struct event event;
	size_t used = 0;

	while (length - used >= sizeof(header)) {
		memcpy(&header, buffer + used, sizeof(header));
		if (header.size < sizeof(header) || header.size > sizeof(event) ||
		    header.version != EVENT_VERSION)
			return -EBADMSG;
		if (length - used < header.size)
			break;
		memset(&event, 0, sizeof(event));
		memcpy(&event, buffer + used, header.size);
		used += header.size;
		if (holders) {
			if (holder_add(holders, &event) < 0)
				return -ENOMEM;
		} else {
			row(userdata, &event);
		}
	}
	return used;
}

int scan_read(struct probes *probes, enum probes_iterator which, scan_row row, void *userdata)
{
	_cleanup_(closefd) int fd = probes_iterator_open(probes, which);
	struct holder_rows holders = {};
	uint8_t buffer[64 * 1024];
	size_t filled = 0;
	ssize_t n, used = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		n = read(fd, buffer + filled, sizeof(buffer) - filled);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			break;
		filled += n;
		used = take_rows(buffer, filled, which == ITERATOR_HOLDERS ? &holders : NULL, row, userdata);
		if (used < 0)
			break;
		filled -= used;
		memmove(buffer, buffer + used, filled);
	}
	if (n < 0)
		used = -errno;
	else if (used >= 0)
		holders_hand_over(&holders, row, userdata);
	free(holders.rows);
	return used < 0 ? used : 0;
}
