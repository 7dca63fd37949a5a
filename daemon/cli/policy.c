/* SPDX-License-Identifier: GPL-2.0-or-later */

/* policy check, policy show, policy test; reload */

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "cli/text.h"
#include "cli/value.h"
#include "config.h"

/* While it reloads the kernel may verify the enforcer's programs: seconds, and a minute where it is emulated;
 * and an administrator may have to enter a password before. */
#define RELOAD_USEC (300ULL * 1000 * 1000)

static void policy_freep(struct policy **policy)
{
	policy_free(*policy);
}

/* Reads @files, n of them, or without any those of this host. */
static enum exit_code read_policy(struct policy **ret, const char *const *files, size_t n,
				  struct failure *failure)
{
	enum policy_outcome outcome = POLICY_OK;
	char error[POLICY_ERROR_LEN] = "";
	int r;

	if (n)
		r = config_read_files(ret, (char *const *)files, n, &outcome, error);
	else
		r = config_read_policy(ret, "", &outcome, error);
	if (r < 0)
		return fail_with(failure, EXIT_FAILED, "cannot read the policy: %s", strerror(-r));
	if (outcome != POLICY_OK)
		return fail_with(failure, EXIT_FAILED, "%s", error);
	return EXIT_OK;
}

static size_t count_words(const struct options *options)
{
	size_t n = 0;

	while (n < WORDS_MAX && options->words[n])
		n++;
	return n;
}

/* "mode enforce, 3 rules, digest ..": of an object as GetPolicy() answers. */
static void print_facts(struct json_object *object, const char *before)
{
	struct json_object *rules = row_value(object, "rules");
	size_t n = json_object_is_type(rules, json_type_array) ? json_object_array_length(rules) : 0;
	const char *mode = row_string(object, "mode"), *digest = row_string(object, "digest");

	printf("%s: mode %s, %zu rule%s, digest %s\n", before, mode ? mode : "-", n, n == 1 ? "" : "s",
	       digest ? digest : "-");
}

static enum exit_code show_checked(const struct policy *policy, const struct options *options,
				   struct failure *failure)
{
	struct json_object *object = json_safe(snapshot_policy(policy));

	if (!object)
		return fail_memory(failure);
	if (options->json) {
		output_json(object, options->json);
	} else {
		const size_t n = policy_rules(policy);

		printf("OK: %zu rule%s, digest %s\n", n, n == 1 ? "" : "s", policy_digest(policy));
	}
	json_object_put(object);
	return output_finish(failure);
}

static enum exit_code check_files(const struct options *options, const char *const *files, size_t n,
				  struct failure *failure)
{
	struct policy *policy _cleanup_(policy_freep) = NULL;
	enum exit_code code = read_policy(&policy, files, n, failure);

	return code == EXIT_OK ? show_checked(policy, options, failure) : code;
}

static enum exit_code test_files(const struct options *options, const char *const *files, size_t n,
				 struct failure *failure)
{
	struct policy *policy _cleanup_(policy_freep) = NULL;
	enum exit_code code = read_policy(&policy, files, n, failure);

	return code == EXIT_OK ? policy_test(policy, options, failure) : code;
}

static enum exit_code ask_for_policy(const struct options *options, struct json_object **ret,
				     struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	enum exit_code code = client_open(&client, options, failure);

	return code == EXIT_OK ? client_get_object(client, "GetPolicy", ret, failure) : code;
}

/* An administrator who is not root may be asked to authenticate. */
static enum exit_code ask_to_reload(const struct options *options, struct json_object **ret,
				    struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_open(&client, options, failure);

	if (code == EXIT_OK)
		code = client_method(client, &call, "Reload", failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_set_allow_interactive_authorization(call, true) < 0)
		return fail_memory(failure);
	return client_call_object(client, call, RELOAD_USEC, ret, failure);
}

/* What a daemon would read if it was started now. */
static enum exit_code read_host(struct json_object **ret, struct failure *failure)
{
	struct policy *policy _cleanup_(policy_freep) = NULL;
	enum exit_code code = read_policy(&policy, NULL, 0, failure);

	if (code != EXIT_OK)
		return code;
	*ret = json_safe(snapshot_policy(policy));
	return *ret ? EXIT_OK : fail_memory(failure);
}

static enum exit_code print_policy(struct json_object *object, const struct options *options,
				   struct failure *failure)
{
	struct json_object *lines = row_value(object, "text");

	if (options->json) {
		output_json(object, options->json);
		return output_finish(failure);
	}
	if (!json_object_is_type(lines, json_type_array))
		return fail_with(failure, EXIT_FAILED, "the daemon has read no policy yet");
	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		const char *line = value_text(json_object_array_get_idx(lines, i));

		puts(line ? line : "");
	}
	if (!options->no_legend) {
		putchar('\n');
		print_facts(object, "In all");
	}
	return output_finish(failure);
}

/* Of the daemon; where none runs on this host, of the files. A private daemon has none of the host's. */
static enum exit_code show_policy(const struct options *options, struct failure *failure)
{
	struct json_object *object = NULL;
	enum exit_code code = options->spawn ? EXIT_OK : ask_for_policy(options, &object, failure);

	if (options->spawn) {
		complain("a private daemon has no policy: this is what the files say; whether it is in force "
			 "the service tells, without --spawn");
		code = read_host(&object, failure);
	} else if (code == EXIT_NO_DAEMON && !options->host) {
		*failure = (struct failure){};
		complain("no daemon answers: this is what the files say, and is not in force");
		code = read_host(&object, failure);
	}
	if (code == EXIT_OK)
		code = print_policy(object, options, failure);
	json_object_put(object);
	return code;
}

/* Options that say something to `policy test` alone. */
static bool has_test_options(const struct options *options)
{
	const struct row_filter *filter = &options->filter;

	return options->replay || filter->all || filter->pid || filter->device[0] ||
	       filter->type != MEMTYPE_UNKNOWN;
}

enum exit_code verb_policy(const struct options *options, struct failure *failure)
{
	const char *what = options->words[0];
	const char *const *files = options->words + 1;
	const size_t n = count_words(options) - 1;
	bool check = strcmp(what, "check") == 0, test = strcmp(what, "test") == 0;

	if (!check && !test && strcmp(what, "show") != 0)
		return fail_with(failure, EXIT_USAGE,
				 "policy: unknown word '%s': there are check, show, test", what);
	if ((check || test) && n == 0)
		return fail_with(failure, EXIT_USAGE, "policy %s needs a FILE, or several", what);
	if (!check && !test && n > 0)
		return fail_with(failure, EXIT_USAGE,
				 "policy show takes no FILE: it shows what is in force; to try FILEs use "
				 "policy check");
	if (!test && has_test_options(options))
		return fail_with(failure, EXIT_USAGE,
				 "policy %s takes no --replay and no filter: policy test does", what);
	if (check)
		return check_files(options, files, n, failure);
	return test ? test_files(options, files, n, failure) : show_policy(options, failure);
}

enum exit_code verb_reload(const struct options *options, struct failure *failure)
{
	struct json_object *object = NULL;
	enum exit_code code;

	if (options->spawn)
		return fail_with(failure, EXIT_USAGE, "reload: a private daemon has no policy to read again");
	code = ask_to_reload(options, &object, failure);
	if (code == EXIT_OK) {
		if (options->json)
			output_json(object, options->json);
		else if (!options->no_legend)
			print_facts(object, "In force");
		code = output_finish(failure);
	}
	json_object_put(object);
	return code;
}
