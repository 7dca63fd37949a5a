/* SPDX-License-Identifier: GPL-2.0-or-later */

/* That a machine was registered or dropped, as systemd-machined leaves it in its directory. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/machines.h"

struct fixture {
	char directory[64], file[96], temporary[96], link[96];
	sd_event *loop;
	struct machines *machines;
	unsigned int calls;
	bool link_seen; /* at the last call */
};

static void on_changed(void *userdata)
{
	struct fixture *f = userdata;
	struct stat info;

	f->calls++;
	f->link_seen = lstat(f->link, &info) == 0;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/vfiowatch-machines.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->file, sizeof(f->file), "%s/tenant", f->directory);
	snprintf(f->temporary, sizeof(f->temporary), "%s/.#tenant", f->directory);
	snprintf(f->link, sizeof(f->link), "%s/unit:tenant.scope", f->directory);
	assert_int_equal(sd_event_new(&f->loop), 0);
	assert_int_equal(machines_new(&f->machines, f->loop, f->directory, on_changed, f), 0);
	assert_non_null(f->machines);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	machines_free(f->machines);
	sd_event_unref(f->loop);
	unlink(f->link);
	unlink(f->file);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

/* Runs the loop until it told of a change @calls times; fails when nothing comes for ten seconds. */
static void run_until(struct fixture *f, unsigned int calls)
{
	while (f->calls < calls)
		assert_true(sd_event_run(f->loop, 10000000) > 0);
}

static void save_file(struct fixture *f)
{
	int fd = open(f->temporary, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(f->temporary, f->file), 0);
}

/* The link comes last, and may come after the daemon looked. */
static void test_link_comes_later(void **state)
{
	struct fixture *f = *state;

	save_file(f);
	run_until(f, 1);
	assert_false(f->link_seen);
	assert_int_equal(symlink("tenant", f->link), 0);
	run_until(f, 2);
	assert_true(f->link_seen);
}

static void test_dropped(void **state)
{
	struct fixture *f = *state;

	save_file(f);
	assert_int_equal(symlink("tenant", f->link), 0);
	run_until(f, 1);
	assert_true(f->link_seen);
	unlink(f->link);
	run_until(f, 2);
	assert_false(f->link_seen);
}

/* However many come and go, the daemon looks once for all that waited, and once more after the last. */
static void test_many(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 40000; i++) {
		assert_int_equal(symlink("tenant", f->link), 0);
		unlink(f->link);
	}
	assert_int_equal(symlink("tenant", f->link), 0);
	run_until(f, 1);
	while (!f->link_seen)
		run_until(f, f->calls + 1);
	assert_true(f->calls < 1000);
}

static void test_no_systemd(void **state)
{
	struct fixture *f = *state;
	struct machines *machines;

	assert_int_equal(machines_new(&machines, f->loop, "/nonexistent/machines", on_changed, f), 0);
	assert_null(machines);
	assert_null(machines_free(machines));
	assert_int_equal(machines_new(&machines, f->loop, "/proc/self/stat", on_changed, f), -ENOTDIR);
	assert_null(machines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_link_comes_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_systemd, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("machines", tests, NULL, NULL);
}
