/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_CATALOG_H
#define VFIOWATCH_TESTS_CATALOG_H

/* The message catalog names fields of records: those that a class never has would be shown as nothing. */
#include "events.h"

#include <sys/uio.h>

#define CATALOG "systemd/vfiowatch.catalog" /* tests run at the top of the tree */

/* The classes of the records that a test program wrote, with the names of all fields they had: "@NAME@..". */
static struct class
{
	char id[33];
	char names[8192];
} classes[16];

static struct class *class_of(const char *id, size_t length)
{
	size_t i = 0;

	while (i < 16 && classes[i].id[0] && strncmp(classes[i].id, id, 32) != 0)
		i++;
	assert_true(i < 16 && length == 32);
	memcpy(classes[i].id, id, 32);
	return &classes[i];
}

static void catalog_note(const struct iovec *fields, int n)
{
	static const char prefix[] = "MESSAGE_ID=";
	struct class *class = NULL;

	for (int i = 0; i < n; i++)
		if (strncmp(fields[i].iov_base, prefix, strlen(prefix)) == 0)
			class = class_of((char *)fields[i].iov_base + strlen(prefix),
					 fields[i].iov_len - strlen(prefix));
	assert_non_null(class);
	for (int i = 0; i < n; i++) {
		const char *end = memchr(fields[i].iov_base, '=', fields[i].iov_len);
		char name[128];

		assert_non_null(end);
		snprintf(name, sizeof(name), "@%.*s@", (int)(end - (char *)fields[i].iov_base),
			 (char *)fields[i].iov_base);
		if (strstr(class->names, name))
			continue;
		assert_true(strlen(class->names) + strlen(name) < sizeof(class->names));
		strcat(class->names, name);
	}
}

/* Returns how many fields that @line of the entry of @class names are none of its records'. */
static int missing_fields(const struct class *class, const char *line)
{
	const char *begin, *end;
	int missing = 0;

	for (; (begin = strchr(line, '@')) && (end = strchr(begin + 1, '@')); line = end + 1) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)(end + 1 - begin), begin);
		if (!strstr(class->names, name)) {
			print_error("no record of %s has %s, which its entry names\n", class->id, name);
			missing++;
		}
	}
	return missing;
}

/* For the end of a group of tests: 0 if each class that was written has all that its entry names. */
static int catalog_matches(void **state)
{
	FILE *catalog = fopen(CATALOG, "re");
	const struct class *class = NULL;
	int missing = 0, entries = 0;
	char line[256];

	(void)state;
	assert_non_null(catalog);
	while (fgets(line, sizeof(line), catalog)) {
		if (strncmp(line, "-- ", 3) == 0) {
			class = NULL;
			for (size_t i = 0; i < 16; i++)
				if (classes[i].id[0] && strncmp(classes[i].id, line + 3, 32) == 0)
					class = &classes[i];
			entries += class != NULL;
		} else if (class) {
			missing += missing_fields(class, line);
		}
	}
	fclose(catalog);
	assert_true(entries > 0);
	return missing;
}

#endif
