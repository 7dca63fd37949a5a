/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the service manager is told: the status line, and whether the watchdog is fed. */

#include "events.h"

#include "core/progress.h"
#include "core/status.h"

static void test_consumed(void **state)
{
	struct progress progress = {};

	(void)state;
	assert_true(progress_check(&progress, 0, 0));
	assert_true(progress_check(&progress, 0, 0));
	/* What came since the last look waits: there was no time to take it yet. */
	assert_true(progress_check(&progress, 0, 100));
	assert_true(progress_check(&progress, 40, 100));
	assert_true(progress_check(&progress, 100, 100));
	assert_true(progress_check(&progress, 100, 100));
	/* A storm: something always waits, and something is always taken. */
	for (uint64_t at = 200; at < 2000; at += 100)
		assert_true(progress_check(&progress, at, at + 500));
}

static void test_stuck(void **state)
{
	struct progress progress = {};

	(void)state;
	assert_true(progress_check(&progress, 64, 128));
	assert_false(progress_check(&progress, 64, 128));
	assert_false(progress_check(&progress, 64, 4096));
	/* It goes on. */
	assert_true(progress_check(&progress, 72, 4096));
	assert_false(progress_check(&progress, 72, 4096));
	assert_true(progress_check(&progress, 4096, 4096));
	assert_true(progress_check(&progress, 4096, 4200));
	assert_false(progress_check(&progress, 4096, 4200));
}

/* An adopted ring: what an earlier daemon left is no fault of this one. */
static void test_first_look(void **state)
{
	struct progress progress = {};

	(void)state;
	assert_true(progress_check(&progress, 1 << 20, 1 << 21));
	assert_false(progress_check(&progress, 1 << 20, 1 << 21));
}

static const struct ledger_counts counts = {.mappings = 12};
static const struct finding_counts findings = {.active = {2, 0, 1}};

static void expect_line(const struct status *status, const char *expected)
{
	char line[STATUS_LINE_LEN];

	assert_ptr_equal(status_line(status, &counts, &findings, line, sizeof(line)), line);
	assert_string_equal(line, expected);
}

static void test_line(void **state)
{
	struct status status = {.recording = RECORDING_ON, .recorder_known = true, .policy_known = true};

	(void)state;
	memset(status.policy_digest, 'a', POLICY_DIGEST_LEN);
	status.mode = POLICY_AUDIT;
	status.would_denied = 4;
	status.denied = 7;
	expect_line(&status,
		    "recording; mode audit, policy aaaaaaaaaaaaaaaa; 4 would be denied; 12 mappings, "
		    "3 active conflicts; 0 events lost");
	status.mode = POLICY_ENFORCE;
	status.enforcing = ENFORCING_LSM;
	status.recorder.lost[EVENT_MAP] = 5;
	status.recorder.lost[EVENT_UNMAP] = 6;
	status.skipped = 2;
	expect_line(&status, "recording; mode enforce, policy aaaaaaaaaaaaaaaa; 7 denied; 12 mappings, "
			     "3 active conflicts; 11 events lost, 2 program runs skipped");
}

static void test_line_waiting(void **state)
{
	struct status status = {.recording = RECORDING_WAITING, .policy_known = true, .mode = POLICY_ENFORCE};

	(void)state;
	strcpy(status.recording_reason, "waiting for kernel module vfio");
	strcpy(status.policy_digest, "0123456789abcdef01");
	expect_line(&status, "waiting for kernel module vfio; mode enforce (off), policy 0123456789abcdef; "
			     "0 denied; 12 mappings, 3 active conflicts");
	status.policy_known = false;
	status.recording = RECORDING_FAILED;
	expect_line(&status, "not recording; 12 mappings, 3 active conflicts");
}

/* The service manager takes a line break for the next assignment. */
static void test_line_degraded(void **state)
{
	struct status status = {.recording = RECORDING_ON, .n_degraded = 1};

	(void)state;
	strcpy(status.degraded[0], "gone\nWATCHDOG_USEC=0");
	expect_line(&status,
		    "degraded: gone\\x0aWATCHDOG_USEC=0; recording; 12 mappings, 3 active conflicts");
	status.n_degraded = 3;
	strcpy(status.degraded[0], "first");
	expect_line(&status,
		    "degraded: first (and 2 more: vfiowatch status); recording; 12 mappings, 3 active "
		    "conflicts");
}

static void test_line_full(void **state)
{
	struct status *status = malloc(sizeof(*status));
	char line[STATUS_LINE_LEN];

	(void)state;
	memset(status, '\n', sizeof(*status));
	status->recording = RECORDING_WAITING;
	status->policy_known = status->recorder_known = true;
	status->mode = POLICY_AUDIT;
	for (size_t size = 1; size <= sizeof(line); size++) {
		status_line(status, &counts, &findings, line, size);
		assert_true(strlen(line) < size);
		assert_null(strchr(line, '\n'));
	}
	free(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consumed),     cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_first_look),   cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_waiting), cmocka_unit_test(test_line_degraded),
		cmocka_unit_test(test_line_full),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
