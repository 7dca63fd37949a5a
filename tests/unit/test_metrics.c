/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The text of metrics: names and values, what is unknown, quoting, limits; what is written about them. */

#include "events.h"

#include <ctype.h>
#include <json-c/json.h>

#include "core/metrics.h"

#define EPOCH 1700000000000000000LL

static int setup(void **state)
{
	struct model *model = calloc(1, sizeof(*model));

	*state = model;
	return !model || model_init(model, MEMTYPE_ARCH_X86_64);
}

static int teardown(void **state)
{
	model_done(*state);
	free(*state);
	return 0;
}

static void tell(struct model *model, struct event event)
{
	struct model_change change;

	assert_int_equal(model_apply(model, &event, &change, NULL, NULL), 0);
	assert_int_not_equal(change.change.kind, CHANGE_REFUSED);
}

static char *text_of(const struct model *model, const struct status *status, enum metrics_format format)
{
	const struct metrics_facts facts = {.model = model,
					    .status = status,
					    .now_ns = status ? status->now_ns : 0,
					    .realtime_offset_ns = EPOCH};
	char *text = NULL;

	assert_int_equal(metrics_text(&facts, format, &text), 0);
	return text;
}

/* Whether @line is one of @text, in whole. */
static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && p[length] == '\n')
			return true;
	return false;
}

static void expect_lines(const char *text, const char *const *lines)
{
	for (; *lines; lines++)
		if (!has_line(text, *lines))
			fail_msg("no line '%s' in:\n%s", *lines, text);
}

static size_t count_text(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Process @tgid is of @unit, and of @machine. */
static void name_process(struct model *model, uint32_t tgid, const char *unit, const char *machine)
{
	struct event event = by(make_event(EVENT_PROCESS), tgid);

	memcpy(event.process.unit, unit, strlen(unit));
	memcpy(event.process.machine, machine, strlen(machine));
	tell(model, event);
}

/* Two units have the same page: one uncached, one write-combining, and the CPU says so for the first. */
static void fill(struct model *model)
{
	struct event event;

	tell(model, device_event(FIRST_DEVICE, true));
	tell(model, by(file_event(EVENT_OPEN, 1), 10));
	tell(model, by(cookie_event(EVENT_COOKIE, 1, 1, 1), 10));
	tell(model, by(mapping_event(EVENT_MAP, 2, 1, 0x7f0000000000, 0, 4), 10));
	tell(model, by(mapping_event(EVENT_MAP, 3, 1, 0x7f0000100000, 8, 1), 10));
	event = mapping_event(EVENT_MAP, 4, 1, 0x7e0000000000, 1, 1);
	event.mapping.page_prot = PROT_WC;
	tell(model, by(event, 11));
	event = with_run(pages_event(EVENT_POPULATE, 2, 0x7f0000000000, 4), 0x7f0000000000, 0, 2,
			 MEMTYPE_UC_MINUS);
	tell(model, at(by(event, 10), 2000));
	event = mapping_event(EVENT_MAP, 5, 1, 0x7d0000000000, 0, 1);
	event.mapping.offset = PAGE; /* never issued */
	event.mapping.region = 0;
	event.mapping.phys_start = BAR_2 - MIB;
	tell(model, at(by(event, 12), 3000));
	name_process(model, 10, "machine-qemu.scope", "vm");
	name_process(model, 11, "dump \"\\\n.service", "");
}

static void test_model(void **state)
{
	static const char *const lines[] = {
		"vfiowatch_entries{kind=\"device\"} 1",
		"vfiowatch_entries{kind=\"open-file\"} 1",
		"vfiowatch_entries{kind=\"cookie\"} 1",
		"vfiowatch_entries{kind=\"mapping\"} 4",
		"vfiowatch_mappings{source=\"vfio\",requested=\"uc-\",effective=\"unpopulated\"} 2",
		"vfiowatch_mappings{source=\"vfio\",requested=\"uc-\",effective=\"uc-\"} 1",
		"vfiowatch_mappings{source=\"vfio\",requested=\"wc\",effective=\"unpopulated\"} 1",
		"vfiowatch_mapped_bytes{source=\"vfio\",requested=\"uc-\",effective=\"uc-\"} 16384",
		"vfiowatch_mapped_bytes{source=\"vfio\",requested=\"uc-\",effective=\"unpopulated\"} 8192",
		"vfiowatch_populated_bytes{source=\"vfio\",type=\"uc-\"} 8192",
		"vfiowatch_cookies{dialect=\"region-info\",type=\"uc-\"} 1",
		"vfiowatch_findings{kind=\"alias\",severity=\"high\"} 1",
		"vfiowatch_findings{kind=\"demotion\",severity=\"low\"} 0",
		"vfiowatch_findings_opened_total{kind=\"alias\",severity=\"high\"} 1",
		"vfiowatch_findings_refused 0",
		"vfiowatch_lint_total{kind=\"unissued-offset\"} 1",
		"vfiowatch_lint_total{kind=\"mutable-cookie\"} 1",
		"vfiowatch_device_open_files{device=\"0000:00:01.0\"} 1",
		"vfiowatch_device_cookies{device=\"0000:00:01.0\"} 1",
		"vfiowatch_device_mappings{device=\"0000:00:01.0\"} 4",
		"vfiowatch_device_findings{device=\"0000:00:01.0\"} 1",
		"vfiowatch_unit_mappings{unit=\"machine-qemu.scope\",machine=\"vm\"} 2",
		"vfiowatch_unit_mapped_bytes{unit=\"machine-qemu.scope\",machine=\"vm\"} 20480",
		"vfiowatch_unit_findings{unit=\"machine-qemu.scope\",machine=\"vm\"} 1",
		"vfiowatch_unit_mappings{unit=\"dump \\\"\\\\x5c\\\\x0a.service\"} 1",
		"vfiowatch_unit_mappings{unit=\"unknown\"} 1",
		"vfiowatch_unit_findings{unit=\"unknown\"} 0",
		"vfiowatch_left_out{kind=\"device\"} 0",
		"vfiowatch_left_out{kind=\"unit-mapping\"} 0",
		NULL,
	};
	char *text;

	fill(*state);
	text = text_of(*state, NULL, METRICS_OPENMETRICS);
	expect_lines(text, lines);
	free(text);
	/* What is over is not active any more, but was opened. */
	tell(*state, by(mapping_event(EVENT_UNMAP, 4, 0, 0, 0, 0), 11));
	text = text_of(*state, NULL, METRICS_OPENMETRICS);
	assert_true(has_line(text, "vfiowatch_findings{kind=\"alias\",severity=\"high\"} 0"));
	assert_true(has_line(text, "vfiowatch_findings_opened_total{kind=\"alias\",severity=\"high\"} 1"));
	assert_null(strstr(text, "requested=\"wc\""));
	free(text);
}

/* What nobody knows has no sample, and what has none is not spoken of. */
static void test_unknown(void **state)
{
	static const char *const absent[] = {"build",      "collected", "start_time", "recording", "events",
					     "readings",   "policy",    "denied",     "journal",   "bpf",
					     "ring",       "daemon",    "enforcer",   "attach",    "degraded",
					     "would_deny", "killed"};
	struct status status = {.recording = RECORDING_WAITING};
	char *text = text_of(*state, NULL, METRICS_OPENMETRICS);

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (strstr(text, absent[i]))
			fail_msg("%s is in:\n%s", absent[i], text);
	free(text);
	text = text_of(*state, &status, METRICS_OPENMETRICS);
	assert_true(has_line(text, "vfiowatch_recording{state=\"waiting\"} 1"));
	assert_true(has_line(text, "vfiowatch_recording{state=\"on\"} 0"));
	assert_null(strstr(text, "vfiowatch_events"));
	assert_null(strstr(text, "vfiowatch_ring"));
	assert_null(strstr(text, "vfiowatch_policy"));
	assert_null(strstr(text, "vfiowatch_enforcer"));
	assert_null(strstr(text, "vfiowatch_bpf"));
	assert_null(strstr(text, "_memory_bytes"));
	free(text);
}

static struct status some_status(void)
{
	struct status status = {.version = "0.1",
				.recording = RECORDING_ON,
				.recorder_known = true,
				.ring_size = 4096,
				.ring_used = 96,
				.cpu_usec = 1500000,
				.memory = 9 << 20,
				.started_ns = 1000000000,
				.now_ns = 61000000001,
				.skipped = 4,
				.audits = 2,
				.journal_sent = 7,
				.journal_suppressed = 8,
				.journal_unwritten = 9,
				.policy_known = true,
				.mode = POLICY_ENFORCE,
				.policy_digest = "ab12",
				.policy_rules = 3,
				.denied = 5,
				.would_denied = 6,
				.killed = 1,
				.enforcing = ENFORCING_LSM,
				.n_points = 4};

	status.recorder.delivered[EVENT_MAP] = 11;
	status.recorder.lost[EVENT_MAP] = 12;
	status.recorder.untracked_files = 13;
	status.enforcer.unplaced_now = 14;
	status.enforcer.unknown[POLICY_UNKNOWN_TYPE] = 15;
	strcpy(status.points[0].name, "fexit/a");
	strcpy(status.points[1].name, "fexit/b");
	strcpy(status.points[2].name, "fexit/a");
	strcpy(status.points[3].name, "fexit/c");
	status.points[0].runs = 3;
	status.points[0].run_time_ns = 1500000001;
	status.points[2].runs = 1;
	status.points[2].run_time_ns = 500000000;
	status.points[2].state = POINT_MISSING;
	status.points[3].runs = 1;
	return status;
}

static void test_status(void **state)
{
	static const char *const lines[] = {
		"vfiowatch_build_info{version=\"0.1\"} 1",
		"vfiowatch_collected_timestamp_seconds 1700000061.000000001",
		"vfiowatch_start_time_seconds 1700000001.000000000",
		"vfiowatch_attach_points{state=\"attached\"} 3",
		"vfiowatch_attach_points{state=\"missing\"} 1",
		"vfiowatch_bpf_runs_total{program=\"fexit/a\"} 4",
		"vfiowatch_bpf_runs_total{program=\"fexit/c\"} 1",
		"vfiowatch_bpf_run_seconds_total{program=\"fexit/a\"} 2.000000001",
		"vfiowatch_daemon_cpu_seconds_total 1.500000000",
		"vfiowatch_daemon_resident_memory_bytes 9437184",
		"vfiowatch_ring_size_bytes 4096",
		"vfiowatch_ring_used_bytes 96",
		"vfiowatch_events_total{type=\"map\"} 11",
		"vfiowatch_events_lost_total{type=\"map\"} 12",
		"vfiowatch_missed_total{cause=\"skipped-run\"} 4",
		"vfiowatch_missed_total{cause=\"untracked-file\"} 13",
		"vfiowatch_audits_total 2",
		"vfiowatch_journal_records_total{outcome=\"sent\"} 7",
		"vfiowatch_journal_records_total{outcome=\"held-back\"} 8",
		"vfiowatch_journal_records_total{outcome=\"unwritten\"} 9",
		"vfiowatch_policy_info{mode=\"enforce\",digest=\"ab12\",enforcing=\"lsm\"} 1",
		"vfiowatch_policy_rules 3",
		"vfiowatch_requests_denied_total 5",
		"vfiowatch_would_deny_total 6",
		"vfiowatch_processes_killed_total 1",
		"vfiowatch_enforcer_unknown_total{reason=\"type\"} 15",
		"vfiowatch_enforcer_uncompared_mappings{cause=\"unplaced\"} 14",
		NULL,
	};
	struct status status = some_status();
	char *text = text_of(*state, &status, METRICS_PROMETHEUS);

	expect_lines(text, lines);
	assert_null(strstr(text, "program=\"fexit/b\"")); /* never counted */
	assert_int_equal(count_text(text, "program=\"fexit/a\""), 2);
	free(text);
}

static void test_formats(void **state)
{
	static const char *const open[] = {"# TYPE vfiowatch_events counter", "# TYPE vfiowatch_build info",
					   "# UNIT vfiowatch_daemon_cpu_seconds seconds",
					   "# TYPE vfiowatch_daemon_cpu_seconds counter", NULL};
	static const char *const classic[] = {"# TYPE vfiowatch_events_total counter",
					      "# TYPE vfiowatch_build_info gauge",
					      "# TYPE vfiowatch_daemon_cpu_seconds_total counter", NULL};
	struct status status = some_status();
	char *text = text_of(*state, &status, METRICS_OPENMETRICS);

	expect_lines(text, open);
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	free(text);
	text = text_of(*state, &status, METRICS_PROMETHEUS);
	expect_lines(text, classic);
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "# EOF"));
	free(text);
}

/* Devices and units over the limit have no samples of their own, and are counted and summed. */
static void test_limits(void **state)
{
	const unsigned int n = METRICS_NAMES_MAX + 6;
	char unit[32];
	char *text;

	for (uint32_t i = 1; i <= n; i++) {
		struct event event = mapping_event(EVENT_MAP, i, 0, 0x7f0000000000, i, 1);

		tell(*state, device_event(EVENT_PCI_ADDRESS(0, i >> 8, i & 255), true));
		event.mapping.source = SOURCE_SYSFS;
		event.mapping.pci_address = EVENT_PCI_ADDRESS(0, i >> 8, i & 255);
		event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN;
		snprintf(unit, sizeof(unit), "a%u.service", i);
		name_process(*state, i, unit, "");
		tell(*state, by(event, i));
		name_process(*state, i, unit, "");
	}
	text = text_of(*state, NULL, METRICS_OPENMETRICS);
	assert_true(has_line(text, "vfiowatch_left_out{kind=\"device\"} 6"));
	assert_true(has_line(text, "vfiowatch_left_out{kind=\"unit-mapping\"} 6"));
	assert_int_equal(count_text(text, "\nvfiowatch_device_mappings{"), METRICS_NAMES_MAX);
	assert_int_equal(count_text(text, "\nvfiowatch_unit_mappings{"), METRICS_NAMES_MAX);
	assert_true(has_line(text, "vfiowatch_entries{kind=\"mapping\"} 1030"));
	assert_true(has_line(text, "vfiowatch_mappings{source=\"sysfs\",requested=\"uc-\","
				   "effective=\"unpopulated\"} 1030"));
	free(text);
}

/* The whole of a file of the repository; tests run at its top. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 1 << 20);
	size_t n;

	assert_non_null(file);
	assert_non_null(text);
	n = fread(text, 1, (1 << 20) - 1, file);
	assert_true(n > 0 && feof(file));
	fclose(file);
	return text;
}

static bool is_metric(const char *name)
{
	char sample[128];

	for (size_t i = 0; metrics_sample_name(i, sample, sizeof(sample)); i++)
		if (strcmp(sample, name) == 0)
			return true;
	return false;
}

/* Every word of @text that begins as the name of a metric is one. Returns how many there are. */
static size_t expect_metrics(const char *text, const char *where)
{
	static const char prefix[] = "vfiowatch_";
	size_t n = 0, length;
	char name[128];

	for (; (text = strstr(text, prefix)); text += length, n++) {
		for (length = 0; isalnum((unsigned char)text[length]) || text[length] == '_'; length++)
			;
		assert_true(length < sizeof(name));
		memcpy(name, text, length);
		name[length] = '\0';
		if (!is_metric(name))
			fail_msg("%s names %s, which is no metric", where, name);
	}
	return n;
}

static void test_rules(void **state)
{
	char *rules = read_file("docs/metrics/vfiowatch.rules.yml"),
	     *tests = read_file("tests/metrics/rules.test.yml");

	(void)state;
	assert_true(expect_metrics(rules, "an alert rule") >= count_text(rules, "alert:"));
	assert_true(expect_metrics(tests, "a test of alert rules") > 0);
	free(rules);
	free(tests);
}

static struct json_object *get(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		fail_msg("the dashboard has no fit %s in %s", key, json_object_to_json_string(object));
	return value;
}

static int64_t number(struct json_object *object, const char *key)
{
	return json_object_get_int64(get(object, key, json_type_int));
}

/* Its queries are of metrics that there are, and it lies in the grid of 24 columns. */
static size_t expect_panel(struct json_object *panel)
{
	struct json_object *place = get(panel, "gridPos", json_type_object), *targets;
	const char *title = json_object_get_string(get(panel, "title", json_type_string));
	size_t n;

	assert_true(number(place, "x") >= 0 && number(place, "x") + number(place, "w") <= 24);
	if (strcmp(json_object_get_string(get(panel, "type", json_type_string)), "row") == 0)
		return 0;
	targets = get(panel, "targets", json_type_array);
	n = json_object_array_length(targets);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		struct json_object *target = json_object_array_get_idx(targets, i);
		const char *query = json_object_get_string(get(target, "expr", json_type_string));

		assert_string_equal(json_object_get_string(get(get(target, "datasource", json_type_object),
							       "uid", json_type_string)),
				    "${datasource}");
		if (expect_metrics(query, title) == 0)
			fail_msg("panel %s: no metric in %s", title, query);
		assert_non_null(strstr(query, "instance=~\"$instance\""));
	}
	return n;
}

static void test_dashboard(void **state)
{
	char *text = read_file("docs/metrics/vfiowatch.dashboard.json");
	enum json_tokener_error error;
	struct json_object *dashboard = json_tokener_parse_verbose(text, &error), *panels;
	size_t queries = 0;
	int64_t last = 0;

	(void)state;
	assert_int_equal(error, json_tokener_success);
	expect_metrics(text, "the dashboard");
	panels = get(dashboard, "panels", json_type_array);
	for (size_t i = 0; i < json_object_array_length(panels); i++) {
		struct json_object *panel = json_object_array_get_idx(panels, i);

		assert_true(number(panel, "id") > last); /* so there are no two of one number */
		last = number(panel, "id");
		queries += expect_panel(panel);
	}
	assert_true(queries > 20);
	assert_true(number(dashboard, "schemaVersion") > 0);
	json_object_put(dashboard);
	free(text);
}

/* The page tells of every metric, and of none that there is not. */
static void test_man_page(void **state)
{
	char *page = read_file("docs/vfiowatch-metrics.7"), name[128];

	(void)state;
	expect_metrics(page, "the page");
	for (size_t i = 0; metrics_sample_name(i, name, sizeof(name)); i++)
		if (!strstr(page, name))
			fail_msg("vfiowatch-metrics(7) does not tell of %s", name);
	free(page);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_model),
		TEST(test_unknown),
		TEST(test_status),
		TEST(test_formats),
		TEST(test_limits),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_dashboard),
		cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
