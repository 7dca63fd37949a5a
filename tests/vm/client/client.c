// SPDX-License-Identifier: GPL-2.0-or-later

/* State of one client process, its messages, names and numbers. */

#include "client.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_init(struct client *c)
{
	memset(c, 0, sizeof(*c));
	LIST_INIT(&c->files);
	LIST_INIT(&c->groups);
	LIST_INIT(&c->maps);
	LIST_INIT(&c->children);
	LIST_INIT(&c->definitions);
	c->container = c->iommufd = c->up = c->received = -1;
}

/* In a new child: files and mappings are really inherited, the parent's other children are not ours. */
void client_after_fork(struct client *c, int up)
{
	struct child *ch;

	while ((ch = LIST_FIRST(&c->children))) {
		LIST_REMOVE(ch, link);
		closep(&ch->fd);
		free(ch);
	}
	closep(&c->up);
	c->up = up;
	c->depth = 0;
	c->quit = false;
	c->status = 0;
}

int answer(struct client *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->answer, sizeof(c->answer), format, ap);
	va_end(ap);
	return 0;
}

int fail(struct client *c, int error, const char *format, ...)
{
	char what[TEXT_SIZE - 128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	snprintf(c->error, sizeof(c->error), "%s: %s (%s)", what, strerror(error),
		 strerrorname_np(error) ?: "?");
	return -error;
}

int wrong(struct client *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->error, sizeof(c->error), format, ap);
	va_end(ap);
	return SCRIPT_ERROR;
}

/* Variables are environment variables, so that `run` and children see them too. */
static int set_variable(struct client *c, const char *prefix, const char *name, const char *text)
{
	char variable[2 * NAME_SIZE];

	snprintf(variable, sizeof(variable), "%s%s", prefix, name);
	return setenv(variable, text, 1) < 0 ? fail(c, errno, "set '%s'", variable) : 0;
}

int set_address(struct client *c, const char *prefix, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	return set_variable(c, prefix, name, text);
}

int set_pid(struct client *c, const char *prefix, const char *name, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	return set_variable(c, prefix, name, text);
}

int check_name(struct client *c, const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= NAME_SIZE)
		return wrong(c, "name '%s': must have 1 to %d characters", name, NAME_SIZE - 1);
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return wrong(c, "name '%s': only letters, digits and '_' are allowed", name);
	return 0;
}

struct file *file_find(struct client *c, const char *name)
{
	struct file *f;

	LIST_FOREACH(f, &c->files, link)
	if (strcmp(f->name, name) == 0)
		return f;
	return NULL;
}

struct map *map_find(struct client *c, const char *name)
{
	struct map *m;

	LIST_FOREACH(m, &c->maps, link)
	if (strcmp(m->name, name) == 0)
		return m;
	return NULL;
}

struct child *child_find(struct client *c, const char *name)
{
	struct child *ch;

	LIST_FOREACH(ch, &c->children, link)
	if (strcmp(ch->name, name) == 0)
		return ch;
	return NULL;
}

/* Takes over fd, also on failure. */
struct file *file_add(struct client *c, const char *name, enum file_kind kind, const char *device, int fd)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f) {
		close(fd);
		return NULL;
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->device, sizeof(f->device), "%s", device);
	f->kind = kind;
	f->fd = fd;
	LIST_INSERT_HEAD(&c->files, f, link);
	return f;
}

int file_get(struct client *c, const char *name, struct file **ret)
{
	*ret = file_find(c, name);
	return *ret ? 0 : wrong(c, "no open file is named '%s'", name);
}

int device_get(struct client *c, const char *name, struct file **ret)
{
	int r = file_get(c, name, ret);

	if (r < 0)
		return r;
	return (*ret)->kind == FILE_DEVICE ? 0 : wrong(c, "'%s' is not a VFIO device file", name);
}

int map_get(struct client *c, const char *name, struct map **ret)
{
	*ret = map_find(c, name);
	return *ret ? 0 : wrong(c, "no mapping is named '%s'", name);
}

int child_get(struct client *c, const char *name, struct child **ret)
{
	*ret = child_find(c, name);
	return *ret ? 0 : wrong(c, "no child is named '%s'", name);
}

/* Decimal, 0x.. or 0.., with one suffix: K, M, G (powers of 1024) or p (pages); A+B adds. */
int parse_number(struct client *c, const char *what, const char *text, uint64_t *ret)
{
	uint64_t sum = 0;
	const char *p = text;

	for (;;) {
		unsigned long long value, scale = 1;
		char *end;

		if (!isdigit((unsigned char)*p))
			return wrong(c, "%s '%s': not a number", what, text);
		errno = 0;
		value = strtoull(p, &end, 0);
		if (errno)
			return wrong(c, "%s '%s': out of range", what, text);
		switch (*end) {
		case 'K':
			scale = 1ULL << 10;
			break;
		case 'M':
			scale = 1ULL << 20;
			break;
		case 'G':
			scale = 1ULL << 30;
			break;
		case 'p':
			scale = (unsigned long long)sysconf(_SC_PAGESIZE);
			break;
		}
		if (scale > 1)
			end++;
		if (__builtin_mul_overflow(value, scale, &value) || __builtin_add_overflow(sum, value, &sum))
			return wrong(c, "%s '%s': out of range", what, text);
		if (*end == '\0')
			break;
		if (*end != '+')
			return wrong(c, "%s '%s': not a number (suffixes are K, M, G, p for pages)", what,
				     text);
		p = end + 1;
	}
	*ret = sum;
	return 0;
}

void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
