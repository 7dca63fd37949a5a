/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "events.h"

#include "core/status.h"

static struct json_object *value(struct json_object *object, const char *key)
{
	struct json_object *ret = NULL;

	assert_true(json_object_object_get_ex(object, key, &ret));
	return ret;
}

static int64_t number(struct json_object *object, const char *key)
{
	assert_int_equal(json_object_get_type(value(object, key)), json_type_int);
	return json_object_get_int64(value(object, key));
}

static void expect_text(struct json_object *value, const char *expected)
{
	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), expected);
}

static struct status some_status(void)
{
	struct status status = {
		.recording = RECORDING_ON, .recorder_known = true, .n_points = 4, .n_degraded = 1};

	for (size_t i = 0; i < 4; i++) {
		struct attach_point *point = &status.points[i];

		snprintf(point->name, sizeof(point->name), "fexit/f%zu", i);
		snprintf(point->module, sizeof(point->module), "vfio");
		snprintf(point->purpose, sizeof(point->purpose), "purpose %zu", i);
		point->state = (enum point_state)i;
	}
	strcpy(status.points[POINT_MISSING].reason, "gone\n");
	strcpy(status.degraded[0], "fexit/f2 is missing");
	status.recorder.generated[EVENT_MAP] = 10;
	status.recorder.delivered[EVENT_MAP] = 7;
	status.recorder.lost[EVENT_MAP] = 3;
	status.recorder.delivered[EVENT_UNMAP] = 5;
	status.recorder.untracked_files = 2;
	status.started_ns = 1000000000;
	status.now_ns = 6999999999;
	status.ring_size = 1 << 20;
	return status;
}

static void test_status(void **state)
{
	const struct ledger_counts counts = {
		.devices = 1, .files = 2, .cookies = 3, .mappings = 4, .refused = 5};
	struct status status = some_status();
	struct json_object *json = status_to_json(&status, &counts, NULL), *type;

	(void)state;
	assert_null(value(json, "mode"));
	assert_null(value(json, "policy_digest"));
	assert_null(value(json, "conflicts"));
	assert_null(value(json, "denied"));
	assert_null(value(json, "version"));
	expect_text(value(json, "degraded"), "[\"fexit\\/f2 is missing\"]");
	expect_text(value(json, "attached"), "[\"fexit\\/f0\"]");
	expect_text(value(json, "missing"), "[\"fexit\\/f2\"]");
	assert_int_equal(number(json, "events"), 12);
	assert_int_equal(number(json, "lost"), 3);
	assert_int_equal(number(json, "mappings"), 4);
	assert_int_equal(number(json, "cookies"), 3);
	assert_int_equal(number(json, "open_files"), 2);
	assert_int_equal(number(json, "refused"), 5);
	assert_int_equal(number(json, "uptime"), 5);
	expect_text(value(json, "recording"), "\"on\"");
	expect_text(value(json, "untracked"), "{\"mappings\":0,\"files\":2,\"cookies\":0}");
	assert_int_equal(json_object_array_length(value(json, "kernel_types")), EVENT_KERNEL_TYPES - 1);
	type = json_object_array_get_idx(value(json, "kernel_types"), EVENT_MAP - 1);
	expect_text(type, "{\"type\":\"map\",\"generated\":10,\"delivered\":7,\"lost\":3}");
	assert_int_equal(json_object_array_length(value(json, "points")), 4);
	expect_text(json_object_array_get_idx(value(json, "points"), 2),
		    "{\"name\":\"fexit\\/"
		    "f2\",\"module\":\"vfio\",\"state\":\"missing\",\"purpose\":\"purpose 2\","
		    "\"reason\":\"gone\\\\x0a\",\"run_time_ns\":null,\"runs\":null}");
	json_object_put(json);
}

/* Without BPF maps nothing is known about events. */
static void test_unknown_recorder(void **state)
{
	const struct ledger_counts counts = {0};
	struct status status = some_status();
	struct json_object *json;

	(void)state;
	status.recorder_known = false;
	status.recording = RECORDING_FAILED;
	status.now_ns = 0;
	strcpy(status.recording_reason, "no BTF");
	strcpy(status.version, "0.1");
	json = status_to_json(&status, &counts, NULL);
	assert_null(value(json, "events"));
	assert_null(value(json, "lost"));
	assert_null(value(json, "kernel_types"));
	assert_null(value(json, "untracked"));
	assert_null(value(json, "ring_size"));
	assert_null(value(json, "uptime"));
	expect_text(value(json, "recording"), "\"failed\"");
	expect_text(value(json, "recording_reason"), "\"no BTF\"");
	expect_text(value(json, "version"), "\"0.1\"");
	json_object_put(json);
}

/* Counts above the arrays, and text that fills its field. */
static void test_full(void **state)
{
	const struct ledger_counts counts = {0};
	struct status *status = malloc(sizeof(*status));
	struct json_object *json;

	(void)state;
	memset(status, 'x', sizeof(*status));
	status->recording = RECORDING_ON;
	status->n_points = status->n_degraded = SIZE_MAX;
	status->adopted = status->recorder_known = status->policy_known = true;
	for (size_t i = 0; i < STATUS_POINTS_MAX; i++)
		status->points[i].state = POINT_ATTACHED;
	json = status_to_json(status, &counts, NULL);
	assert_int_equal(json_object_array_length(value(json, "points")), STATUS_POINTS_MAX);
	assert_int_equal(json_object_array_length(value(json, "degraded")), STATUS_REASONS_MAX);
	assert_int_equal(json_object_get_string_len(value(json, "recording_reason")), STATUS_REASON_LEN);
	assert_int_equal(json_object_get_string_len(value(json, "policy_digest")), POLICY_DIGEST_LEN + 1);
	assert_null(value(json, "mode"));
	assert_null(value(json, "enforcing"));
	json_object_put(json);
	free(status);
}

/* What is not measured is unknown, also where the kernel has numbers of an earlier time. */
static void test_run_time(void **state)
{
	const struct ledger_counts counts = {0};
	struct status status = {.n_points = 3,
				.points = {{.state = POINT_ATTACHED, .run_time_ns = 700, .runs = 2},
					   {.state = POINT_MISSING, .run_time_ns = 9, .runs = 9},
					   {.state = POINT_ATTACHED, .run_time_ns = 50, .runs = 5}}};
	struct json_object *json = status_to_json(&status, &counts, NULL), *points;

	(void)state;
	assert_null(value(json, "bpf_stats"));
	assert_null(value(json, "bpf_run_time_ns"));
	json_object_put(json);
	status.bpf_stats = BPF_STATS_OFF;
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "bpf_stats"), "false");
	assert_null(value(json, "bpf_run_time_ns"));
	assert_null(value(json, "bpf_runs"));
	assert_null(value(json_object_array_get_idx(value(json, "points"), 0), "runs"));
	json_object_put(json);
	status.bpf_stats = BPF_STATS_ON;
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "bpf_stats"), "true");
	assert_int_equal(number(json, "bpf_run_time_ns"), 750);
	assert_int_equal(number(json, "bpf_runs"), 7);
	points = value(json, "points");
	assert_int_equal(number(json_object_array_get_idx(points, 0), "run_time_ns"), 700);
	assert_null(value(json_object_array_get_idx(points, 1), "run_time_ns"));
	assert_int_equal(number(json_object_array_get_idx(points, 2), "runs"), 5);
	json_object_put(json);
}

static void test_conflicts(void **state)
{
	const struct finding_counts findings = {.active = {3, 2, 1}, .opened = 9, .refused = 4};
	const struct ledger_counts counts = {0};
	const struct status status = {0};
	struct json_object *json = status_to_json(&status, &counts, NULL);

	(void)state;
	assert_null(value(json, "conflicts"));
	assert_null(value(json, "conflict_kinds"));
	assert_null(value(json, "conflicts_refused"));
	json_object_put(json);
	json = status_to_json(&status, &counts, &findings);
	expect_text(value(json, "conflicts"), "6");
	expect_text(value(json, "conflict_kinds"), "{\"alias\":3,\"promotion\":2,\"demotion\":1}");
	expect_text(value(json, "conflicts_refused"), "4");
	json_object_put(json);
}

/* Without a policy nothing is known of it; in audit mode nothing is decided in the kernel. */
static void test_policy(void **state)
{
	const struct ledger_counts counts = {0};
	struct status status = some_status();
	struct json_object *json;

	(void)state;
	json = status_to_json(&status, &counts, NULL);
	assert_null(value(json, "would_denied"));
	assert_null(value(json, "killed"));
	assert_null(value(json, "policy_rules"));
	assert_null(value(json, "enforcing"));
	assert_null(value(json, "enforcer"));
	json_object_put(json);

	status.policy_known = true;
	status.policy_rules = 3;
	status.would_denied = 7;
	strcpy(status.policy_digest, "ab12");
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "mode"), "\"audit\"");
	expect_text(value(json, "policy_digest"), "\"ab12\"");
	assert_int_equal(number(json, "policy_rules"), 3);
	assert_int_equal(number(json, "denied"), 0);
	assert_int_equal(number(json, "would_denied"), 7);
	assert_int_equal(number(json, "killed"), 0);
	assert_null(value(json, "enforcing"));
	assert_null(value(json, "enforcing_reason"));
	assert_null(value(json, "enforcer"));
	json_object_put(json);
}

static void test_enforcing(void **state)
{
	const struct ledger_counts counts = {0};
	struct status status = some_status();
	struct json_object *json;

	(void)state;
	status.policy_known = true;
	status.mode = POLICY_ENFORCE;
	status.denied = 5;
	status.killed = 1;
	status.journal_unwritten = 2;
	status.enforcing = ENFORCING_LSM;
	status.enforcer = (struct enforcer_counters){.decided = 9,
						     .denied = 5,
						     .undecided = 1,
						     .unplaced = 2,
						     .untracked = 3,
						     .unplaced_now = 4,
						     .untracked_now = 6};
	for (unsigned int reason = 0; reason < POLICY_UNKNOWN_REASONS; reason++)
		status.enforcer.unknown[reason] = 10 + reason;
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "mode"), "\"enforce\"");
	assert_int_equal(number(json, "denied"), 5);
	assert_int_equal(number(json, "killed"), 1);
	assert_int_equal(number(json, "journal_unwritten"), 2);
	expect_text(value(json, "enforcing"), "\"lsm\"");
	expect_text(value(json, "enforcer"),
		    "{\"decided\":9,\"denied\":5,\"unknown\":{\"arguments\":11,\"range\":12,\"type\":13,"
		    "\"party\":14,\"full\":15,\"busy\":16,\"skipped\":17},\"undecided\":1,\"unplaced\":2,"
		    "\"untracked\":3,\"unplaced_now\":4,\"untracked_now\":6}");
	json_object_put(json);

	status.enforcing = ENFORCING_FMOD_RET;
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "enforcing"), "\"fmod_ret\"");
	json_object_put(json);

	status.enforcing = ENFORCING_OFF;
	strcpy(status.enforcing_reason, "vfio is not loaded");
	json = status_to_json(&status, &counts, NULL);
	expect_text(value(json, "enforcing_reason"), "\"vfio is not loaded\"");
	assert_null(value(json, "enforcer"));
	json_object_put(json);
}

static void test_type_names(void **state)
{
	(void)state;
	assert_null(event_type_name(EVENT_NONE));
	assert_null(event_type_name(EVENT_KERNEL_TYPES));
	assert_null(event_type_name(EVENT_TYPES));
	assert_null(event_type_name(UINT32_MAX));
	for (unsigned int type = EVENT_NONE + 1; type < EVENT_KERNEL_TYPES; type++) {
		assert_non_null(event_type_name(type));
		for (unsigned int other = EVENT_NONE + 1; other < type; other++)
			assert_string_not_equal(event_type_name(type), event_type_name(other));
	}
	assert_string_equal(event_type_name(EVENT_POPULATE), "populate");
	assert_string_equal(event_type_name(EVENT_REVOKE), "revoke");
	assert_string_equal(event_type_name(EVENT_RESERVATION), "reservation");
	assert_string_equal(event_type_name(EVENT_MAPPING), "state");
	assert_string_equal(event_type_name(EVENT_PAGES), "state");
	assert_string_equal(event_type_name(EVENT_LOST), "lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),    cmocka_unit_test(test_unknown_recorder),
		cmocka_unit_test(test_full),      cmocka_unit_test(test_run_time),
		cmocka_unit_test(test_conflicts), cmocka_unit_test(test_policy),
		cmocka_unit_test(test_enforcing), cmocka_unit_test(test_type_names),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
