/* SPDX-License-Identifier: GPL-2.0-or-later */

/* sink/enforce.c: which bank is in force, and who is ended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sink/enforce.h"

static struct enforcer memory;

static int setup(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	return 0;
}

static const struct policy_bank *bank(uint64_t digest)
{
	static struct policy_bank made;

	memset(&made, 0, sizeof(made));
	made.digest = digest;
	made.n_rules = 1;
	return &made;
}

static uint64_t digest_in_force(void)
{
	return memory.banks[memory.generation & 1].digest;
}

static void test_first(void **state)
{
	(void)state;
	assert_true(enforce_apply(&memory, bank(1), 5));
	assert_int_equal(memory.since_ns, 5);
	assert_int_equal(memory.generation, 1);
	assert_int_equal(digest_in_force(), 1);
	assert_int_equal(memory.banks[1].n_rules, 1);
}

/* The bank that was in force until now is not touched: a request may still be using it. */
static void test_switch(void **state)
{
	struct policy_bank before;

	(void)state;
	for (uint64_t digest = 1; digest < 6; digest++) {
		before = memory.banks[memory.generation & 1];
		assert_true(enforce_apply(&memory, bank(digest), 5));
		assert_int_equal(memory.generation, digest);
		assert_int_equal(digest_in_force(), digest);
		assert_memory_equal(&memory.banks[(memory.generation - 1) & 1], &before, sizeof(before));
	}
}

static void test_same(void **state)
{
	struct enforcer before;

	(void)state;
	enforce_apply(&memory, bank(7), 5);
	before = memory;
	assert_false(enforce_apply(&memory, bank(7), 5));
	assert_memory_equal(&memory, &before, sizeof(before));
	assert_true(enforce_apply(&memory, bank(8), 6));
	assert_int_equal(memory.since_ns, 5);
	assert_true(enforce_apply(&memory, bank(7), 5));
	assert_int_equal(memory.generation, 3);
}

/* A user's number may change under the same text. */
static void test_same_digest(void **state)
{
	struct policy_bank other = *bank(7);

	(void)state;
	enforce_apply(&memory, bank(7), 5);
	other.rules[0].uid = 1000;
	assert_true(enforce_apply(&memory, &other, 5));
	assert_int_equal(memory.banks[memory.generation & 1].rules[0].uid, 1000);
}

/* Counters belong to the kernel. */
static void test_counters(void **state)
{
	(void)state;
	memory.denied = 5;
	memory.unknown[POLICY_UNKNOWN_FULL] = 6;
	enforce_apply(&memory, bank(1), 5);
	enforce_apply(&memory, bank(2), 5);
	assert_int_equal(memory.denied, 5);
	assert_int_equal(memory.unknown[POLICY_UNKNOWN_FULL], 6);
}

/* A process that waits for a signal; *ret names it. */
static pid_t start_process(struct process_key *ret)
{
	char path[64], text[1024];
	uint64_t ticks;
	FILE *file;
	size_t n;
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	assert_int_equal(
		sscanf(strrchr(text, ')') + 1,
		       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		       "%" SCNu64,
		       &ticks),
		1);
	ret->tgid = pid;
	ret->start_ns = ticks * (1000000000ULL / sysconf(_SC_CLK_TCK));
	return pid;
}

static void test_kill(void **state)
{
	struct process_key process;
	pid_t pid = start_process(&process);
	int status;

	(void)state;
	process.start_ns += 1234; /* within the clock tick */
	assert_int_equal(enforce_kill(&process), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(enforce_kill(&process), -ESRCH);
}

/* Another process that has the pid now lives on. */
static void test_reused_pid(void **state)
{
	struct process_key process, other;
	pid_t pid = start_process(&process);
	int status;

	(void)state;
	other = process;
	other.start_ns -= 1000000000ULL;
	assert_int_equal(enforce_kill(&other), -ESRCH);
	other.start_ns = 0;
	assert_int_equal(enforce_kill(&other), -ESRCH);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void test_no_process(void **state)
{
	struct process_key process = {};

	(void)state;
	assert_int_equal(enforce_kill(&process), -ESRCH);
	process.tgid = UINT64_C(1) << 32 | getpid();
	assert_int_equal(enforce_kill(&process), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first, setup),
		cmocka_unit_test_setup(test_switch, setup),
		cmocka_unit_test_setup(test_same, setup),
		cmocka_unit_test_setup(test_same_digest, setup),
		cmocka_unit_test_setup(test_counters, setup),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_reused_pid),
		cmocka_unit_test(test_no_process),
	};

	return cmocka_run_group_tests_name("enforce", tests, NULL, NULL);
}
