// SPDX-License-Identifier: GPL-2.0-or-later
/* Who a process is: in the ledger, and read from a process of this machine. */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/snapshot.h"
#include "identity.h"
#include "source/process.h"

static int setup(void **state)
{
	return ledger_new((struct ledger **)state, MEMTYPE_ARCH_X86_64, NULL);
}

static int teardown(void **state)
{
	ledger_free(*state);
	return 0;
}

static struct event identity_of(uint32_t tgid)
{
	struct event event = by(make_event(EVENT_IDENTITY), tgid);

	event.identity.image = 1;
	event.identity.machine_source = MACHINE_MACHINED;
	strcpy(event.identity.slice, "machine.slice");
	strcpy(event.identity.user_unit, "app.service");
	strcpy(event.identity.domain, "web 1");
	strcpy(event.identity.claimed, "web");
	strcpy(event.identity.uuid, "0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e60");
	return event;
}

static struct event facts_of(uint32_t tgid, const char *machine)
{
	struct event event = by(make_event(EVENT_PROCESS), tgid);

	strcpy(event.process.unit, "vm.scope");
	strcpy(event.process.machine, machine);
	return event;
}

static const struct process *make_process(struct ledger *ledger)
{
	const struct process_key key = {.start_ns = 10000, .tgid = 10};

	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	return ledger_process(ledger, &key);
}

static void test_facts(void **state)
{
	struct ledger *ledger = *state;
	const struct process *process;
	struct event told = identity_of(10);

	/* of a process that no entry points to: not kept */
	assert_int_equal(apply(ledger, told).kind, CHANGE_NONE);
	assert_int_equal(counts_of(ledger).processes, 0);
	process = make_process(ledger);
	assert_non_null(process);
	assert_int_equal(apply(ledger, told).kind, CHANGE_PROCESS);
	assert_false(process->facts_known);
	assert_int_equal(apply(ledger, told).kind, CHANGE_NONE);
	assert_string_equal(process->identity.slice, "machine.slice");
	assert_string_equal(process->identity.domain, "web 1");

	/* Another image alone is kept and is no news. */
	told.identity.image = 2;
	assert_int_equal(apply(ledger, told).kind, CHANGE_NONE);
	assert_int_equal(process->identity.image, 2);

	/* Text that fills its field is not whole; numbers outside the enum, and a claim as the source of what
	 * is none. */
	memset(told.identity.claimed, 'n', sizeof(told.identity.claimed));
	told.identity.machine_source = MACHINE_COMMAND_LINE;
	assert_int_equal(apply(ledger, told).kind, CHANGE_PROCESS);
	assert_string_equal(process->identity.claimed, "");
	assert_int_equal(process->identity.machine_source, MACHINE_UNKNOWN);
	told.identity.machine_source = 0xffffffff;
	apply(ledger, told);
	assert_int_equal(process->identity.machine_source, MACHINE_UNKNOWN);
}

static void test_what_makes_them_void(void **state)
{
	struct ledger *ledger = *state;
	const struct process *process = make_process(ledger);
	struct event moved = by(at(file_event(EVENT_OPEN, 2), 2000), 10), renamed;

	apply(ledger, identity_of(10));
	apply(ledger, facts_of(10, "vm1"));
	assert_true(process->facts_known);
	renamed = by(at(file_event(EVENT_OPEN, 3), 3000), 10);
	set_comm(&renamed, "another");
	apply(ledger, renamed);
	assert_false(process->facts_known);
	assert_string_equal(process->identity.claimed, "");
	assert_string_equal(process->identity.uuid, "");
	assert_string_equal(process->identity.domain, "");
	assert_int_equal(process->identity.image, 0);
	assert_string_equal(process->identity.slice, "machine.slice");
	assert_string_equal(process->machine, "vm1");

	moved.header.time_ns = 4000;
	moved.header.who.cgroup_id = 99;
	set_comm(&moved, "another");
	apply(ledger, moved);
	assert_string_equal(process->identity.slice, "");
	assert_string_equal(process->identity.user_unit, "");
	assert_string_equal(process->machine, "");
	assert_int_equal(process->identity.machine_source, MACHINE_UNKNOWN);
}

static void expect_machine(const struct process *process, const char *machine, enum machine_source source)
{
	enum machine_source got;
	const char *name = process_machine(process, &got);

	assert_int_equal(got, source);
	assert_true(machine ? name && strcmp(name, machine) == 0 : !name);
}

static void test_machine(void **state)
{
	struct ledger *ledger = *state;
	const struct process *process = make_process(ledger);
	struct event told = identity_of(10);

	expect_machine(process, NULL, MACHINE_UNKNOWN);
	told.identity.machine_source = MACHINE_UNKNOWN;
	apply(ledger, told);
	apply(ledger, facts_of(10, ""));
	expect_machine(process, "web", MACHINE_COMMAND_LINE);
	/* what policy goes by */
	assert_string_equal(process->machine, "");
	told.identity.machine_source = MACHINE_LIBVIRT_SCOPE;
	apply(ledger, told);
	apply(ledger, facts_of(10, "qemu-3-web"));
	expect_machine(process, "qemu-3-web", MACHINE_LIBVIRT_SCOPE);
	/* a capture of before does not tell the source */
	told.identity.machine_source = MACHINE_UNKNOWN;
	apply(ledger, told);
	expect_machine(process, "qemu-3-web", MACHINE_UNKNOWN);
	assert_string_equal(machine_source_name(MACHINE_MACHINED), "machined");
	assert_string_equal(machine_source_name(MACHINE_LIBVIRT_SCOPE), "libvirt-scope");
	assert_string_equal(machine_source_name(MACHINE_COMMAND_LINE), "command-line");
	assert_null(machine_source_name(MACHINE_UNKNOWN));
	assert_null(machine_source_name(MACHINE_SOURCES));
}

static void test_due(void **state)
{
	struct ledger *ledger = *state;
	const struct process_key nobody = {.start_ns = 1, .tgid = 11};
	const struct process *process = make_process(ledger);

	/* nothing is known that could be checked */
	assert_false(ledger_process_due(ledger, &process->key, 5000, 100));
	apply(ledger, facts_of(10, ""));
	assert_false(ledger_process_due(ledger, &process->key, 1099, 100));
	assert_true(ledger_process_due(ledger, &process->key, 1100, 100));
	assert_false(ledger_process_due(ledger, &process->key, 1100, 100));
	assert_true(ledger_process_due(ledger, &process->key, 1200, 100));
	assert_false(ledger_process_due(ledger, &nobody, 5000, 100));
	assert_ptr_equal(ledger_next_process(ledger, NULL), process);
	assert_null(ledger_next_process(ledger, process));
}

static int take(void *context, const struct event *event)
{
	struct change change;

	return ledger_apply(context, event, &change);
}

static void test_replayed(void **state)
{
	struct ledger *ledger = *state, *copy;
	const struct process *process = make_process(ledger), *copied;

	apply(ledger, identity_of(10));
	apply(ledger, facts_of(10, "vm1"));
	assert_int_equal(ledger_new(&copy, MEMTYPE_ARCH_X86_64, NULL), 0);
	assert_int_equal(ledger_replay(ledger, 2000, take, copy), 0);
	copied = ledger_process(copy, &process->key);
	assert_non_null(copied);
	assert_memory_equal(&copied->identity, &process->identity, sizeof(copied->identity));
	assert_string_equal(copied->machine, "vm1");
	assert_true(copied->facts_known);
	ledger_free(copy);
}

static void test_row(void **state)
{
	struct ledger *ledger = *state;
	const struct snapshot_clock clock = {};
	struct event told = identity_of(10);
	struct change change;
	struct json_object *row;
	const char *text;

	make_process(ledger);
	memcpy(told.identity.claimed, "\x1b[31m\n", 6);
	change = apply(ledger, told);
	row = snapshot_event(ledger, &clock, &told, &change);
	assert_non_null(row);
	text = json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN);
	assert_non_null(strstr(text, "\"state\":\"identity\""));
	assert_non_null(strstr(text, "\"machine_claimed\":\"\\\\x1b[31m\\\\x0a\""));
	assert_non_null(strstr(text, "\"slice\":\"machine.slice\""));
	assert_null(strchr(text, '\x1b'));
	json_object_put(row);
}

/* -- a process: a shell that is called like QEMU, with arguments that are those of QEMU, too -- */

struct shell {
	char directory[64], path[96];
	struct event_process_id who;
	int in, out;
};

static uint64_t start_of(pid_t pid)
{
	char path[64], line[1024], *field;
	uint64_t ticks;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	field = strrchr(line, ')');
	for (int i = 2; i < 22; i++)
		field = strchr(field, ' ') + 1;
	assert_int_equal(sscanf(field, "%" SCNu64, &ticks), 1);
	return ticks * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

/* Waits until the shell says that it runs. */
static void wait_for(struct shell *shell)
{
	char up;

	assert_int_equal(read(shell->out, &up, 1), 1);
}

static struct shell start(const char *script, const char *const *arguments)
{
	struct shell shell = {.directory = "/tmp/vfiowatch-identity.XXXXXX"};
	const char *argv[8] = {"qemu-system-x86_64", "-c", script};
	char command[256];
	int in[2], out[2];
	pid_t pid;

	for (int i = 0; i < 4 && arguments[i]; i++)
		argv[3 + i] = arguments[i];
	assert_non_null(mkdtemp(shell.directory));
	snprintf(shell.path, sizeof(shell.path), "%s/qemu-system-x86_64", shell.directory);
	snprintf(command, sizeof(command), "cp /bin/sh %s", shell.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(shell.path, (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	shell.in = in[1];
	shell.out = out[0];
	wait_for(&shell);
	shell.who = (struct event_process_id){.tgid = pid, .start_ns = start_of(pid)};
	return shell;
}

static void finish(struct shell *shell)
{
	int status;

	close(shell->in);
	close(shell->out);
	assert_int_equal(waitpid(shell->who.tgid, &status, 0), shell->who.tgid);
	unlink(shell->path);
	rmdir(shell->directory);
}

static void test_process(void **state)
{
	static const char *const arguments[] = {"-name", "guest=first,debug-threads=on", NULL};
	struct shell shell = start("echo; read line", arguments);
	struct event identity, facts;
	uint64_t image;

	(void)state;
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), 0);
	assert_int_equal(identity.header.type, EVENT_IDENTITY);
	assert_int_equal(identity.header.size, event_size(EVENT_IDENTITY));
	assert_int_equal(facts.header.type, EVENT_PROCESS);
	assert_int_equal(facts.header.time_ns, 5);
	assert_string_equal(facts.process.exe, shell.path);
	assert_string_equal(identity.identity.claimed, "first");
	assert_int_not_equal(identity.identity.image, 0);
	assert_true(process_image(shell.who.tgid, shell.who.start_ns, &image));
	assert_int_equal(image, identity.identity.image);

	/* another process that has the pid by now */
	shell.who.start_ns += 1000000000;
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), -ESRCH);
	assert_false(process_image(shell.who.tgid, shell.who.start_ns, &image));
	shell.who.start_ns -= 1000000000;
	finish(&shell);
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), -ESRCH);
	assert_string_equal(identity.identity.claimed, "");
}

static void test_exec(void **state)
{
	static const char *const arguments[] = {"-name", "guest=first", NULL};
	struct shell shell = start(
		"echo; read program; exec \"$program\" -c 'echo; read line' -name guest=second", arguments);
	struct event identity, facts;
	uint64_t image;

	(void)state;
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), 0);
	assert_string_equal(identity.identity.claimed, "first");
	assert_true(dprintf(shell.in, "%s\n", shell.path) > 0);
	wait_for(&shell);
	/* the same process, program and comm */
	assert_true(process_image(shell.who.tgid, shell.who.start_ns, &image));
	assert_int_not_equal(image, identity.identity.image);
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), 0);
	assert_string_equal(identity.identity.claimed, "second");
	assert_int_equal(identity.identity.image, image);
	finish(&shell);
}

/* Of a line that is longer than what is read nothing is taken: what follows may say something else. */
static void test_long_command_line(void **state)
{
	char *large = malloc(70000);
	const char *const arguments[] = {"-name", "guest=first", large, NULL};
	struct event identity, facts;
	struct shell shell;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', 69999);
	large[69999] = '\0';
	shell = start("echo; read line", arguments);
	assert_int_equal(process_read(&shell.who, 5, &identity, &facts), 0);
	assert_string_equal(identity.identity.claimed, "");
	finish(&shell);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_makes_them_void, setup, teardown),
		cmocka_unit_test_setup_teardown(test_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replayed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_row, setup, teardown),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_long_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
