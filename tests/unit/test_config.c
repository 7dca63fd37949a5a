/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding and reading policy files, in directories of a temporary root. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy_texts.h"

#include "config.h"

#define ETC "/etc/vfiowatch/policy.d"
#define RUN "/run/vfiowatch/policy.d"
#define LIB "/usr/lib/vfiowatch/policy.d"

struct fixture {
	char root[64];
	char error[POLICY_ERROR_LEN];
	struct policy *policy;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->root, "/tmp/vfiowatch-config-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	policy_free(f->policy);
	nftw(f->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* The path of @name below the root, with its directories made. */
static const char *in_root(const struct fixture *f, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", f->root, name);
	for (char *at = path + strlen(f->root) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
	return path;
}

static void write_bytes(const struct fixture *f, const char *name, const char *text, size_t length)
{
	int fd = open(in_root(f, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	write_bytes(f, name, text, strlen(text));
}

static void write_rule(const struct fixture *f, const char *name, const char *rule)
{
	char text[256];

	snprintf(text, sizeof(text), "[Rule %s]\nUser=%u\nAction=log\n", rule, (unsigned char)rule[0]);
	write_file(f, name, text);
}

static enum policy_outcome read_policy(struct fixture *f)
{
	enum policy_outcome outcome = 77;

	f->policy = policy_free(f->policy);
	assert_int_equal(config_read_policy(&f->policy, f->root, &outcome, f->error), 0);
	assert_int_equal(outcome, f->policy ? POLICY_OK : POLICY_REFUSED);
	return outcome;
}

/* The names of the rules in their order, as one word. */
static void expect_rules(struct fixture *f, const char *names)
{
	char found[64] = "";

	if (read_policy(f) != POLICY_OK)
		fail_msg("%s", f->error);
	for (size_t i = 0; i < policy_rules(f->policy); i++)
		strcat(found, policy_rule_name(f->policy, i));
	assert_string_equal(found, names);
}

static void expect_refused(struct fixture *f, const char *path, unsigned int line, const char *what)
{
	char place[512];

	assert_int_equal(read_policy(f), POLICY_REFUSED);
	snprintf(place, sizeof(place), "%s%s:%u: ", f->root, path, line);
	if (strncmp(f->error, place, strlen(place)) != 0 || !strstr(f->error, what) ||
	    !strstr(strstr(f->error, what), "; "))
		fail_msg("%s", f->error);
}

static void test_no_directories(void **state)
{
	struct fixture *f = *state;

	expect_rules(f, "");
	assert_int_equal(policy_mode(f->policy), POLICY_AUDIT);
}

static void test_order_is_by_name(void **state)
{
	struct fixture *f = *state;

	write_rule(f, ETC "/20-b.conf", "b");
	write_rule(f, RUN "/10-a.conf", "a");
	write_rule(f, LIB "/30-c.conf", "c");
	write_rule(f, LIB "/05-z.conf", "z");
	write_rule(f, ETC "/A.conf", "A");
	expect_rules(f, "zabcA");
}

static void test_precedence(void **state)
{
	struct fixture *f = *state;

	write_rule(f, LIB "/50-x.conf", "l");
	expect_rules(f, "l");
	write_rule(f, RUN "/50-x.conf", "r");
	expect_rules(f, "r");
	write_rule(f, ETC "/50-x.conf", "e");
	expect_rules(f, "e");
	write_file(f, ETC "/50-x.conf", "# nothing, but not empty\n");
	expect_rules(f, "");
	assert_int_equal(unlink(in_root(f, ETC "/50-x.conf")), 0);
	expect_rules(f, "r");
}

static void test_hiding(void **state)
{
	struct fixture *f = *state;

	write_rule(f, LIB "/50-x.conf", "l");
	write_rule(f, RUN "/50-x.conf", "r");
	write_rule(f, LIB "/60-y.conf", "y");
	write_file(f, ETC "/50-x.conf", "");
	expect_rules(f, "y");
	assert_int_equal(unlink(in_root(f, ETC "/50-x.conf")), 0);
	assert_int_equal(symlink("/dev/null", in_root(f, ETC "/50-x.conf")), 0);
	expect_rules(f, "y");
	/* What is hidden is not looked at. */
	write_file(f, RUN "/50-x.conf", "nonsense");
	expect_rules(f, "y");
}

static void test_other_names(void **state)
{
	struct fixture *f = *state;

	write_file(f, ETC "/README", "nonsense");
	write_file(f, ETC "/.hidden.conf", "nonsense");
	write_file(f, ETC "/a.conf~", "nonsense");
	write_file(f, ETC "/a.conf.dpkg-new", "nonsense");
	write_file(f, ETC "/.conf", "nonsense");
	write_rule(f, ETC "/a.conf", "a");
	expect_rules(f, "a");
}

static void test_links(void **state)
{
	struct fixture *f = *state;

	write_rule(f, "/elsewhere/rules", "e");
	in_root(f, ETC "/x.conf");
	assert_int_equal(symlink("../../../elsewhere/rules", in_root(f, ETC "/x.conf")), 0);
	expect_rules(f, "e");
	assert_int_equal(symlink("nowhere", in_root(f, ETC "/y.conf")), 0);
	expect_refused(f, ETC "/y.conf", 1, "No such file");
	assert_int_equal(unlink(in_root(f, ETC "/y.conf")), 0);
	assert_int_equal(symlink("y.conf", in_root(f, ETC "/y.conf")), 0);
	expect_refused(f, ETC "/y.conf", 1, "cannot be read");
}

static void test_what_is_no_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(in_root(f, RUN "/x.conf"), 0755), 0);
	expect_refused(f, RUN "/x.conf", 1, "is no file");
	assert_int_equal(rmdir(in_root(f, RUN "/x.conf")), 0);
	assert_int_equal(mkfifo(in_root(f, RUN "/x.conf"), 0644), 0);
	expect_refused(f, RUN "/x.conf", 1, "is no file");
	assert_int_equal(unlink(in_root(f, RUN "/x.conf")), 0);
	assert_int_equal(symlink("/dev/zero", in_root(f, RUN "/x.conf")), 0);
	expect_refused(f, RUN "/x.conf", 1, "is no file");
	assert_int_equal(unlink(in_root(f, RUN "/x.conf")), 0);
	expect_rules(f, "");
}

/* A directory that is something else is not taken for none. */
static void test_what_is_no_directory(void **state)
{
	struct fixture *f = *state;

	write_file(f, ETC, "x");
	expect_refused(f, ETC, 1, "Not a directory");
}

static void test_too_large(void **state)
{
	static char text[POLICY_FILE_MAX + 1];
	struct fixture *f = *state;

	memset(text, '\n', sizeof(text));
	write_bytes(f, ETC "/x.conf", text, sizeof(text) - 1);
	expect_rules(f, "");
	write_bytes(f, ETC "/x.conf", text, sizeof(text));
	expect_refused(f, ETC "/x.conf", 1, "262144 bytes");
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	char name[64];

	for (int i = 0; i < POLICY_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "%s/%03d.conf", i % 2 ? LIB : ETC, i);
		write_file(f, name, "#\n");
	}
	write_rule(f, ETC "/255.conf", "a");
	expect_rules(f, "a");
	write_file(f, LIB "/256.conf", "#\n");
	expect_refused(f, LIB, 1, "more than 256 policy files");
}

/* The error of a file among others names that file; the digest is that of the text, wherever it is. */
static void test_errors_and_digest(void **state)
{
	struct fixture *f = *state;
	char digest[POLICY_DIGEST_LEN + 1];

	expect_rules(f, "");
	/* printf '[Policy]\nMode=audit\nOnUnknown=allow\n' | sha256sum */
	assert_string_equal(policy_digest(f->policy),
			    "206a3c1709a0f81c45254dc7614d623d64630480a3fd51fd390e25cb73691edc");
	assert_true(policy_bank(f->policy)->digest == 0x206a3c1709a0f81cULL);
	write_rule(f, LIB "/10-a.conf", "a");
	expect_rules(f, "a");
	strcpy(digest, policy_digest(f->policy));
	write_file(f, ETC "/20-b.conf", "[Policy]\n\nMode=of\n");
	expect_refused(f, ETC "/20-b.conf", 3, "Mode=of is not known");
	assert_int_equal(unlink(in_root(f, ETC "/20-b.conf")), 0);
	assert_int_equal(unlink(in_root(f, LIB "/10-a.conf")), 0);
	write_file(f, RUN "/77.conf", "; other\n[Rule a] ; words\nAction=log\nUser=097 ; same\n");
	expect_rules(f, "a");
	assert_string_equal(policy_digest(f->policy), digest);
	write_file(f, RUN "/77.conf", "[Rule a]\nAction=log\nUser=98\n");
	expect_rules(f, "a");
	assert_string_not_equal(policy_digest(f->policy), digest);
}

static void test_users(void **state)
{
	struct fixture *f = *state;

	write_file(f, ETC "/x.conf", "[Rule a]\nUser=root\nAction=log\n");
	expect_rules(f, "a");
	assert_int_equal(policy_bank(f->policy)->rules[0].uid, 0);
	assert_int_equal(policy_bank(f->policy)->rules[0].by_uid, 1);
	write_file(f, ETC "/x.conf", "[Rule a]\nUser=no-such-user-here\nAction=log\n");
	expect_refused(f, ETC "/x.conf", 2, "is not known on this host");
}

static enum policy_outcome read_files(struct fixture *f, char *const paths[], size_t n)
{
	enum policy_outcome outcome = 77;

	f->policy = policy_free(f->policy);
	assert_int_equal(config_read_files(&f->policy, paths, n, &outcome, f->error), 0);
	return outcome;
}

/* Files by name are taken in the order given, and an empty one is just that. */
static void test_named_files(void **state)
{
	struct fixture *f = *state;
	char *paths[4];

	write_rule(f, "/b", "b");
	write_rule(f, "/a.conf", "a");
	write_file(f, "/empty", "");
	paths[0] = strdup(in_root(f, "/b"));
	paths[1] = strdup(in_root(f, "/empty"));
	paths[2] = strdup(in_root(f, "/a.conf"));
	paths[3] = strdup(in_root(f, "/missing"));
	assert_int_equal(read_files(f, paths, 3), POLICY_OK);
	assert_int_equal(policy_rules(f->policy), 2);
	assert_string_equal(policy_rule_name(f->policy, 0), "b");
	assert_int_equal(strlen(policy_digest(f->policy)), POLICY_DIGEST_LEN);
	assert_int_equal(read_files(f, paths, 4), POLICY_REFUSED);
	assert_non_null(strstr(f->error, "/missing:1: cannot be read: No such file"));
	assert_null(f->policy);
	for (int i = 0; i < 4; i++)
		free(paths[i]);
}

static void test_standard_input(void **state)
{
	struct fixture *f = *state;
	char *const paths[] = {"-"};
	static const char text[] = "[Rule a]\nAction=log\nbroken\n";
	int ends[2], saved = dup(STDIN_FILENO);

	for (int broken = 0; broken < 2; broken++) {
		size_t length = strlen(text) - (broken ? 0 : strlen("broken\n"));

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], text, length), length);
		close(ends[1]);
		assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
		close(ends[0]);
		assert_int_equal(read_files(f, paths, 1), broken ? POLICY_REFUSED : POLICY_OK);
	}
	assert_int_equal(strncmp(f->error, "<stdin>:3: ", 11), 0);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
}

/* What is installed denies nothing, and its examples are right. Tests run in the top folder. */
static void test_installed_policy(void **state)
{
	struct fixture *f = *state;
	char *const installed[] = {"systemd/50-default.conf"};
	char line[256], text[8192] = "", path[128];
	FILE *file = fopen(installed[0], "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		size_t letters = strspn(line + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

		if (strncmp(line, "# ", 2) == 0 && (line[2] == '[' || (letters && line[2 + letters] == '=')))
			strcat(text, line + 2);
	}
	fclose(file);
	assert_int_equal(read_files(f, installed, 1), POLICY_OK);
	assert_int_equal(policy_rules(f->policy), 0);
	assert_int_equal(policy_mode(f->policy), POLICY_AUDIT);
	assert_int_equal(policy_bank(f->policy)->on_unknown, POLICY_ALLOW);

	write_file(f, "/examples", text);
	snprintf(path, sizeof(path), "%s/examples", f->root);
	if (read_files(f, (char *const[]){path}, 1) != POLICY_OK)
		fail_msg("%s", f->error);
	assert_int_equal(policy_rules(f->policy), 5);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_no_directories),  CASE(test_order_is_by_name),     CASE(test_precedence),
		CASE(test_hiding),          CASE(test_other_names),          CASE(test_links),
		CASE(test_what_is_no_file), CASE(test_what_is_no_directory), CASE(test_too_large),
		CASE(test_too_many),        CASE(test_errors_and_digest),    CASE(test_users),
		CASE(test_named_files),     CASE(test_standard_input),       CASE(test_installed_policy),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
