// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * What is left of each mmap, and where: so that a command names bytes by their place in the original
 * mapping, and never touches what the kernel has put into a hole since.
 */

#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The part of p that begins `skip` bytes into it. */
static struct piece piece_part(const struct piece *p, uint64_t skip, uint64_t length)
{
	return (struct piece){p->offset + skip, length, p->file_offset + skip, p->address + skip};
}

int pieces_add(struct client *c, struct map *m, const struct piece *piece)
{
	size_t i = m->n_pieces;

	if (m->n_pieces == MAX_PIECES)
		return wrong(c, "%s: more than %d pieces", m->name, MAX_PIECES);
	for (; i > 0 && m->pieces[i - 1].offset > piece->offset; i--)
		m->pieces[i] = m->pieces[i - 1];
	m->pieces[i] = *piece;
	m->n_pieces++;
	return 0;
}

/* Forgets [offset, offset + length). */
int pieces_cut(struct client *c, struct map *m, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	for (size_t i = 0; i < m->n_pieces;) {
		struct piece p = m->pieces[i], part;
		uint64_t piece_end = p.offset + p.length;
		int r = 0;

		if (piece_end <= offset || p.offset >= end) {
			i++;
			continue;
		}
		memmove(&m->pieces[i], &m->pieces[i + 1], (m->n_pieces - i - 1) * sizeof(p));
		m->n_pieces--;
		if (p.offset < offset) {
			part = piece_part(&p, 0, offset - p.offset);
			r = pieces_add(c, m, &part);
			i++;
		}
		if (r == 0 && piece_end > end) {
			part = piece_part(&p, end - p.offset, piece_end - end);
			r = pieces_add(c, m, &part);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The next piece that overlaps [offset, offset + length), cut to it; start with *cursor = 0. */
const struct piece *pieces_next(const struct map *m, uint64_t offset, uint64_t length, size_t *cursor,
				struct piece *ret)
{
	uint64_t end = offset + length;

	while (*cursor < m->n_pieces) {
		const struct piece *p = &m->pieces[(*cursor)++];
		uint64_t from = p->offset > offset ? p->offset : offset;
		uint64_t to = p->offset + p->length < end ? p->offset + p->length : end;

		if (from >= to)
			continue;
		*ret = piece_part(p, from - p->offset, to - from);
		return ret;
	}
	return NULL;
}

/* One line per piece: "PID START END BDF REGION FILE-OFFSET"; region -1 when it was mapped by file offset
 * alone. */
static int write_own(struct client *c, int fd)
{
	struct map *m;

	LIST_FOREACH(m, &c->maps, link)
	for (size_t i = 0; i < m->n_pieces && m->device[0]; i++) {
		const struct piece *p = &m->pieces[i];

		if (dprintf(fd, "%d %llx %llx %s %d %llx\n", getpid(),
			    (unsigned long long)(uintptr_t)p->address,
			    (unsigned long long)(uintptr_t)p->address + p->length, m->device, m->region,
			    (unsigned long long)p->file_offset) < 0)
			return fail(c, errno, "write the list of pieces");
	}
	return 0;
}

/* Children append to the same open file. Those that are busy or run another program are left out. */
static int write_all(struct client *c, int fd)
{
	int r = write_own(c, fd);

	for (struct child *ch = LIST_FIRST(&c->children); ch && r == 0; ch = LIST_NEXT(ch, link)) {
		if (ch->fd < 0 || ch->pending)
			continue;
		r = child_request(c, ch, "pieces", fd);
		if (r == 0)
			r = child_answer(c, ch);
	}
	return r;
}

int cmd_pieces(struct client *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return c->received < 0 ? write_all(c, STDOUT_FILENO) : write_all(c, c->received);
}

/*
 * For the program that `run` starts: $VFIO_CLIENT_PIECES names a file that says what this process and its
 * children mapped. The file lives as long as the descriptor that this returns.
 */
int pieces_export(struct client *c)
{
	char path[64];
	int fd = memfd_create("vfio-client-pieces", MFD_CLOEXEC), r;

	if (fd < 0)
		return fail(c, errno, "memfd_create");
	r = write_all(c, fd);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	if (r == 0 && setenv("VFIO_CLIENT_PIECES", path, 1) < 0)
		r = fail(c, ENOMEM, "set VFIO_CLIENT_PIECES");
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
