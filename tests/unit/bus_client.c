/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "bus_client.h"

#include <unistd.h>

int bus_setup(void **state)
{
	struct bus_fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/run/bus", fixture->directory);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(server_start(&fixture->server, fixture->socket, BUS_HISTORY, false), 0);
	*state = fixture;
	return 0;
}

/* Whatever a test leaves in the directory but the server's own makes rmdir fail. */
int bus_teardown(void **state)
{
	struct bus_fixture *fixture = *state;
	char path[128];

	server_stop(&fixture->server);
	snprintf(path, sizeof(path), "%s/run", fixture->directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

struct client *open_client(void)
{
	const struct options options = {};
	struct failure failure = {};
	struct client *client = NULL;

	assert_int_equal(client_open(&client, &options, &failure), EXIT_OK);
	return client;
}

struct json_object *get_rows(enum row_list list, const struct row_filter *filter)
{
	struct options options = {.filter = *filter};
	struct failure failure = {};
	struct json_object *rows = NULL;

	assert_int_equal(rows_get(list, &options, &rows, &failure), EXIT_OK);
	return rows;
}

size_t count_rows(enum row_list list, struct row_filter filter)
{
	struct json_object *rows = get_rows(list, &filter);
	size_t n = json_object_array_length(rows);

	json_object_put(rows);
	return n;
}

size_t count_strings(sd_bus_message *answer)
{
	const char *text;
	size_t n = 0;

	assert_true(sd_bus_message_enter_container(answer, 'a', "s") > 0);
	while (sd_bus_message_read(answer, "s", &text) > 0)
		n++;
	return n;
}

void await_stats(struct server *server, uint64_t peers, uint64_t waits)
{
	struct server_report report;

	do
		report = server_order(server, SERVER_TELL, 0);
	while (report.stats.peers != peers || report.stats.waits != waits);
}
