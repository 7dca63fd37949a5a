/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The files that tell others of the interface say what the daemon has. */

#include "bus_client.h"

#include <systemd/sd-bus.h>

#include "sink/bus_internal.h"

/* Tests run in the top directory. */
static char *read_file(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *file = fopen(path, "re");

	assert_non_null(text);
	if (!file)
		fail_msg("there is no %s", path);
	assert_true(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	return text;
}

/* Without comments, and without space between tags. */
static void normalise(char *xml)
{
	char *to = xml;

	for (const char *from = xml; *from;) {
		if (strncmp(from, "<!--", 4) == 0) {
			const char *end = strstr(from, "-->");

			assert_non_null(end);
			from = end + 3;
		} else if (strchr(" \t\n", *from) && (to == xml || to[-1] == '>')) {
			from++;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* The interface of ours in @xml, which is cut up. */
static char *find_interface(char *xml)
{
	char *begin, *end;

	normalise(xml);
	begin = strstr(xml, "<interface name=\"" BUS_INTERFACE "\">");
	assert_non_null(begin);
	end = strstr(begin, "</interface>");
	assert_non_null(end);
	end[strlen("</interface>")] = '\0';
	return begin;
}

static char *introspect(void)
{
	struct client *client = open_client();
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *answer = NULL;
	const char *text;
	char *copy;

	assert_true(sd_bus_call_method(client->bus, NULL, BUS_PATH, "org.freedesktop.DBus.Introspectable",
				       "Introspect", &error, &answer, "") >= 0);
	assert_true(sd_bus_message_read(answer, "s", &text) >= 0);
	copy = strdup(text);
	assert_non_null(copy);
	sd_bus_message_unref(answer);
	client_close(client);
	return copy;
}

static void test_installed_introspection(void **state)
{
	char *installed = read_file("systemd/org.vfiowatch1.xml"), *served = introspect();

	(void)state;
	assert_string_equal(find_interface(installed), find_interface(served));
	free(installed);
	free(served);
}

/* Every method has its entry in the gate, names all its arguments, and there is nothing beside methods. */
static void test_every_method_is_gated(void **state)
{
	char *served = introspect(), *xml = find_interface(served), *at = xml;
	unsigned int methods = 0;

	(void)state;
	while ((at = strstr(at, "<method name=\""))) {
		char name[64];

		at += strlen("<method name=\"");
		assert_int_equal(sscanf(at, "%63[^\"]", name), 1);
		if (!bus_method(name))
			fail_msg("%s is not in the gate's table", name);
		methods++;
	}
	assert_true(methods > 0);
	for (at = xml; (at = strstr(at, "<arg ")); at++) {
		const char *name = strstr(at, "name=\"");

		assert_non_null(name);
		assert_true(name < strchr(at, '>'));
	}
	assert_null(strstr(xml, "<property "));
	assert_null(strstr(xml, "<signal "));
	free(served);
}

static void test_names_in_files(void **state)
{
	static const struct {
		const char *path, *text;
	} wanted[] = {
		{"systemd/org.vfiowatch1.policy", "<action id=\"" BUS_ACTION_READ "\">"},
		{"systemd/org.vfiowatch1.policy", "<action id=\"" BUS_ACTION_CHANGE "\">"},
		{"systemd/org.vfiowatch1.conf", "<policy group=\"" BUS_GROUP "\">"},
		{"systemd/org.vfiowatch1.conf", "<allow own=\"" BUS_NAME "\"/>"},
		{"systemd/org.vfiowatch1.service", "\nName=" BUS_NAME "\n"},
		{"systemd/org.vfiowatch1.service", "\nSystemdService=dbus-" BUS_NAME ".service\n"},
		{"systemd/vfiowatchd.service", "\nAlias=dbus-" BUS_NAME ".service\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char *text = read_file(wanted[i].path);

		if (!strstr(text, wanted[i].text))
			fail_msg("%s has no %s", wanted[i].path, wanted[i].text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_installed_introspection),
		BUS_TEST(test_every_method_is_gated),
		cmocka_unit_test(test_names_in_files),
	};

	return cmocka_run_group_tests_name("bus_interface", tests, NULL, NULL);
}
