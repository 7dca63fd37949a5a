/* SPDX-License-Identifier: GPL-2.0-or-later */

/* EVENT_REQUEST: what the enforcer decided, from the ledger to the row; and verdicts in rows of mappings and
 * findings. */

#include "findings.h"
#include "policies.h"

#include "core/explain.h"
#include "core/history.h"
#include "core/request.h"

static const struct snapshot_clock utc = {.realtime_offset_ns = 1700000000000000000};

static struct json_object *row_of(const struct ledger *ledger, struct event event)
{
	struct json_object *row = snapshot_event(ledger, &utc, &event, NULL);

	assert_non_null(row);
	return row;
}

static void expect(struct json_object *row, const char *key, const char *expected)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(row, key, &value));
	if (!expected)
		assert_null(value);
	else
		assert_string_equal(json_object_get_string(value), expected);
}

static void test_counts(void **state)
{
	struct ledger *ledger = *state;
	struct change change;

	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	change = apply(ledger, by(request_event(0, 4, MEMTYPE_WC), 11));
	assert_int_equal(change.kind, CHANGE_REQUEST);
	assert_ptr_equal(change.device, ledger_device_by_name(ledger, "0000:00:01.0"));
	assert_ptr_equal(change.file, ledger_file(ledger, 1));
	change = apply(ledger,
		       by(denied_by_alias(request_event(0, 4, MEMTYPE_WC), 12, 2, MEMTYPE_UC_MINUS), 11));
	assert_int_equal(change.kind, CHANGE_REQUEST);
	assert_int_equal(counts_of(ledger).requests_granted, 1);
	assert_int_equal(counts_of(ledger).requests_denied, 1);
	assert_int_equal(counts_of(ledger).refused, 0);
	/* Nothing else came of it. */
	assert_int_equal(counts_of(ledger).mappings, 0);
	assert_int_equal(counts_of(ledger).devices, 1);
	assert_int_equal(counts_of(ledger).processes, 1);
}

/* A DMABUF is a cookie: its device is that of the file it was exported from. */
static void test_dmabuf(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(request_event(0, 1, MEMTYPE_UC_MINUS), 11);
	struct change change;
	char device[EVENT_NAME_LEN + 1];

	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, by(cookie_event(EVENT_COOKIE, 5, 1, 1), 10));
	event.request.flags = 0;
	event.request.file_id = 5;
	change = apply(ledger, event);
	assert_ptr_equal(change.cookie, ledger_cookie(ledger, 5));
	assert_ptr_equal(change.file, ledger_file(ledger, 1));
	assert_ptr_equal(change.device, ledger_device_by_name(ledger, "0000:00:01.0"));
	event.request.file_id = 77;
	change = apply(ledger, event);
	assert_int_equal(change.kind, CHANGE_REQUEST);
	assert_null(change.device);
	request_device(ledger, &event.request, device);
	assert_string_equal(device, "");
}

#define MALFORMED(...)                                                                                       \
	do {                                                                                                 \
		struct event event = denied_by_alias(request_event(0, 1, MEMTYPE_WC), 12, 0, MEMTYPE_UC);    \
		struct event_request *request = &event.request;                                              \
                                                                                                             \
		__VA_ARGS__;                                                                                 \
		assert_false(request_is_good(request));                                                      \
		assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);                                 \
		json_object_put(row_of(ledger, event));                                                      \
		assert_int_equal(counts_of(ledger).refused, ++refused);                                      \
	} while (0)

static void test_malformed(void **state)
{
	struct ledger *ledger = *state;
	uint64_t refused = 0;

	MALFORMED(request->pci_address = 1ULL << 48);
	MALFORMED(request->what = REQUEST_COOKIE + 1);
	MALFORMED(request->kind = POLICY_KINDS);
	MALFORMED(request->action = POLICY_ACTIONS);
	MALFORMED(request->denied = REQUEST_KILLED + 1);
	MALFORMED(request->unknown = POLICY_UNKNOWN_REASONS);
	MALFORMED(request->given = MEMTYPE_TYPES);
	MALFORMED(request->has_peer = 2);
	MALFORMED(request->party.type = MEMTYPE_TYPES);
	MALFORMED(request->party.source = SOURCE_TYPES);
	MALFORMED(request->party.phys_end = request->party.phys_start);
	MALFORMED(request->peer.type = UINT32_MAX);
	MALFORMED(request->peer.source = UINT16_MAX);
	MALFORMED(request->peer.phys_start = UINT64_MAX);
	assert_int_equal(counts_of(ledger).requests_denied, 0);
}

/* What a program asks for may be any number; a peer that is not there, too. */
static void test_hostile_numbers(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(request_event(0, 1, MEMTYPE_UNKNOWN), 11);
	struct json_object *row;

	event.request.offset = event.request.size = UINT64_MAX;
	event.request.region = 77;
	event.request.flags = event.request.party.flags = 0;
	event.request.pci_address = UINT64_MAX;
	event.request.party.phys_start = UINT64_MAX;
	event.request.peer.type = UINT32_MAX;
	memset(event.request.rule, 0x1b, sizeof(event.request.rule));
	memset(event.request.party.unit, '\n', sizeof(event.request.party.unit));
	assert_int_equal(apply(ledger, event).kind, CHANGE_REQUEST);
	row = row_of(ledger, event);
	expect(row, "size", "18446744073709551615");
	expect(row, "device", NULL);
	expect(row, "phys_start", NULL);
	expect(row, "requested", NULL);
	assert_null(strpbrk(json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN), "\033\n"));
	json_object_put(row);
}

static void test_row_of_denied(void **state)
{
	struct ledger *ledger = *state;
	struct json_object *row;

	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	row = row_of(ledger,
		     by(denied_by_alias(request_event(0, 4, MEMTYPE_WC), 12, 2, MEMTYPE_UC_MINUS), 11));
	expect(row, "event", "denied");
	expect(row, "device", "0000:00:01.0");
	expect(row, "region", "2");
	expect(row, "file", "1");
	expect(row, "pid", "11");
	expect(row, "comm", "client");
	expect(row, "offset", "0x20000000000");
	expect(row, "size", "16384");
	expect(row, "phys_start", "0x383800000000");
	expect(row, "phys_end", "0x383800004000");
	expect(row, "requested", "wc");
	expect(row, "source", "vfio");
	expect(row, "what", "mmap");
	expect(row, "kind", "alias");
	expect(row, "verdict", "deny");
	expect(row, "rule", "no-mix");
	expect(row, "unknown", NULL);
	expect(row, "given", NULL);
	expect(row, "policy", "0123456789abcdef");
	expect(row, "unit", "vm.scope");
	expect(row, "peer_pid", "12");
	expect(row, "peer_comm", "holder");
	expect(row, "peer_source", "sysfs");
	expect(row, "peer_requested", "uc-");
	expect(row, "peer_phys_start", "0x383800002000");
	expect(row, "peer_phys_end", "0x383800003000");
	expect(row, "peer_pending", "false");
	expect(row, "text",
	       "PID 11 (client) was denied a mapping of 16 KiB of 0000:00:01.0 BAR 2 at 0x383800000000 as "
	       "write-combining (WC) through VFIO by rule no-mix: PID 12 (holder) has 0x383800002000 to "
	       "0x383800003000 mapped as uncached (UC-) through sysfs resource2.");
	json_object_put(row);
}

static void test_row_of_granted(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(request_event(0, 4, MEMTYPE_WC), 11);
	struct json_object *row = row_of(ledger, event);

	expect(row, "event", "request");
	expect(row, "verdict", "allow");
	expect(row, "rule", NULL);
	expect(row, "peer_pid", NULL);
	expect(row, "peer_pending", NULL);
	expect(row, "text",
	       "PID 11 (client) was granted a mapping of 16 KiB of 0000:00:01.0 BAR 2 at 0x383800000000 as "
	       "write-combining (WC) through VFIO.");
	json_object_put(row);
	event.request.action = POLICY_LOG;
	snprintf(event.request.rule, sizeof(event.request.rule), "wc-log");
	row = row_of(ledger, event);
	expect(row, "verdict", "log");
	json_object_put(row);
}

static char *text_of(const struct ledger *ledger, struct event event, char out[1024])
{
	return request_explain(ledger, &event, out, 1024);
}

/* Each reason why OnUnknown decides is told in words of its own, and names no rule. */
static void test_unknown(void **state)
{
	struct ledger *ledger = *state;
	char texts[POLICY_UNKNOWN_REASONS][1024];
	struct json_object *row;

	for (unsigned int reason = POLICY_KNOWN + 1; reason < POLICY_UNKNOWN_REASONS; reason++) {
		struct event event = by(request_event(0, 1, MEMTYPE_WC), 11);

		event.request.unknown = reason;
		event.request.denied = reason % 2;
		text_of(ledger, event, texts[reason]);
		assert_non_null(
			strstr(texts[reason], event.request.denied ? " was denied " : " was granted "));
		assert_non_null(strstr(texts[reason], "by OnUnknown: "));
		for (unsigned int other = 1; other < reason; other++)
			assert_string_not_equal(strstr(texts[reason], "by OnUnknown"),
						strstr(texts[other], "by OnUnknown"));
		row = row_of(ledger, event);
		expect(row, "unknown", policy_unknown_name(reason));
		expect(row, "verdict", event.request.denied ? "deny" : "allow");
		json_object_put(row);
	}
}

static void test_other_texts(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(denied_by_alias(request_event(0, 1, MEMTYPE_WC), 12, 0, MEMTYPE_UC), 11);
	char text[1024];

	event.request.peer.flags = PARTY_PENDING;
	assert_non_null(
		strstr(text_of(ledger, event, text),
		       "PID 12 (holder) is mapping bytes of it as uncached (UC) through sysfs resource2."));
	event.request.has_peer = 0;
	event.request.kind = POLICY_PROMOTION;
	event.request.action = POLICY_KILL;
	event.request.given = MEMTYPE_WC;
	assert_non_null(strstr(
		text_of(ledger, event, text),
		"by rule no-mix: the BAR is reserved so that the CPU would use write-combining (WC)."));
	assert_string_equal(request_verdict_name(&event.request), "kill");
	event.request.kind = POLICY_REQUEST;
	event.request.what = REQUEST_COOKIE;
	event.request.size = 0;
	event.request.party.flags = 0;
	event.header.who = (struct event_process_id){};
	assert_string_equal(
		text_of(ledger, event, text),
		"an unknown process was denied a cookie for 0000:00:01.0 BAR 2 as write-combining "
		"(WC) through VFIO by rule no-mix.");
}

static int count_requests(void *context, const struct event *event)
{
	*(unsigned int *)context += event->header.type == EVENT_REQUEST;
	return 0;
}

/* The history keeps all of it; the ledger has nothing to rebuild. */
static void test_history_and_replay(void **state)
{
	struct ledger *ledger = *state;
	const struct event event =
		by(denied_by_alias(request_event(0, 4, MEMTYPE_WC), 12, 2, MEMTYPE_UC), 11);
	struct history *history;
	uint64_t cursor = 0, skipped = 0;
	unsigned int requests = 0;

	assert_int_equal(history_new(&history, 4), 0);
	history_add(history, &event);
	assert_memory_equal(history_next(history, &cursor, &skipped), &event, event.header.size);
	history_free(history);
	apply(ledger, event);
	assert_int_equal(ledger_replay(ledger, 1, count_requests, &requests), 0);
	assert_int_equal(requests, 0);
}

/* Mapping 1 write-combining through sysfs, 2 and 3 uncached through VFIO: 2 shares bytes with 1. */
static void make_world(struct model *model)
{
	assert_int_equal(model_init(model, MEMTYPE_ARCH_X86_64), 0);
	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, sysfs_map(1, 0, 4, PROT_WC, 2000));
	tell(model, at(populate(1, 0, 0, 4, MEMTYPE_WC), 2000));
	tell(model, vfio_map(2, 2, 4, 3000));
	tell(model, vfio_map(3, 8, 4, 4000));
}

static struct json_object *list(const struct model *model, bool conflicts)
{
	const struct row_filter filter = {.all = true};
	struct json_object *rows = json_object_new_array();
	int r;

	r = conflicts ? snapshot_conflicts(model->findings, model->ledger, model->policy, &filter, &utc, 0,
					   100, rows)
		      : snapshot_mappings(model->ledger, model->policy, &filter, &utc, 0, 100, rows);
	assert_int_equal(r, 0);
	return rows;
}

static void expect_verdict(struct json_object *rows, size_t i, const char *rule, const char *verdict)
{
	expect(json_object_array_get_idx(rows, i), "rule", rule);
	expect(json_object_array_get_idx(rows, i), "verdict", verdict);
}

static void test_verdicts_in_rows(void **state)
{
	struct model model;
	struct policy *policy;
	struct json_object *rows;

	(void)state;
	make_world(&model);
	rows = list(&model, false);
	expect_verdict(rows, 0, NULL, NULL);
	json_object_put(rows);

	model.policy = policy = make_policy("[Policy]\nMode=enforce\n" TEST_RULES);
	rows = list(&model, false);
	assert_int_equal(json_object_array_length(rows), 3);
	expect_verdict(rows, 0, "wc-log", "log");
	expect_verdict(rows, 1, "no-mix", "deny");
	expect_verdict(rows, 2, NULL, "allow");
	json_object_put(rows);
	rows = list(&model, true);
	assert_int_equal(json_object_array_length(rows), 1);
	expect_verdict(rows, 0, "no-mix", "deny");
	json_object_put(rows);

	/* What is gone is not judged by what is there now. */
	tell(&model, by(mapping_event(EVENT_UNMAP, 2, 0, 0, 0, 0), 900));
	rows = list(&model, false);
	expect_verdict(rows, 1, NULL, NULL);
	json_object_put(rows);
	policy_free(policy);

	model.policy = policy = make_policy("[Policy]\nMode=audit\n" TEST_RULES);
	tell(&model, vfio_map(4, 0, 1, 5000));
	rows = list(&model, false);
	expect_verdict(rows, 0, "wc-log", "log");
	expect_verdict(rows, 3, "no-mix", "would-deny");
	json_object_put(rows);
	policy_free(policy);
	model_done(&model);
}

static char *explained(const struct model *model)
{
	char *const words[] = {"0000:00:01.0:2"};
	struct explain_subject subject;
	struct json_object *answer;
	char *text;

	assert_null(explain_parse(words, 1, &subject));
	answer = explain(model, &utc, &subject);
	assert_non_null(answer);
	text = strdup(json_object_to_json_string_ext(get(answer, "text"), JSON_C_TO_STRING_NOSLASHESCAPE));
	assert_non_null(text);
	json_object_put(answer);
	return text;
}

static void expect_explained(const struct model *model, const char *sentence, bool there)
{
	char *text = explained(model);

	if (!strstr(text, sentence) == there)
		fail_msg("'%s' is %s %s", sentence, there ? "not in" : "in", text);
	free(text);
}

static void test_explained(void **state)
{
	struct model model;
	struct policy *policy;

	(void)state;
	make_world(&model);
	expect_explained(&model, "ule", false);
	model.policy = policy = make_policy("[Policy]\nMode=enforce\n" TEST_RULES);
	expect_explained(&model, "Rule wc-log of the policy allows it and has it logged.", true);
	expect_explained(&model, "Rule no-mix of the policy denies it.", true);
	expect_explained(&model, "No rule of the policy is against it.", true);
	policy_free(policy);
	model.policy = policy = make_policy("[Policy]\nMode=audit\n" TEST_RULES);
	expect_explained(&model, "Rule no-mix of the policy would deny it, but only audits.", true);
	policy_free(policy);
	model.policy = policy = make_policy(
		"[Policy]\nMode=enforce\nOnUnknown=deny\n[Rule a]\nKind=alias\nUnit=x*\nAction=deny\n");
	expect_explained(&model, "Too little is known for the rules: OnUnknown denies it.", true);
	policy_free(policy);
	model_done(&model);
}

static void expect_line(struct json_object *lines, const char *line)
{
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(lines, i)), line) == 0)
			return;
	fail_msg("no line '%s' in %s", line, json_object_get_string(lines));
}

static void test_policy_object(void **state)
{
	struct policy *policy = make_policy("[Policy]\nMode=enforce\nOnUnknown=deny\n" TEST_RULES);
	struct json_object *object = snapshot_policy(policy);

	(void)state;
	expect(object, "mode", "enforce");
	expect(object, "on_unknown", "deny");
	expect(object, "digest", TEST_DIGEST);
	expect(object, "rules", "[ \"no-mix\", \"no-turn\", \"wc-log\" ]");
	expect_line(get(object, "text"), "Mode=enforce  ; test.conf:2");
	expect_line(get(object, "text"), "[Rule no-mix]  ; test.conf:4");
	json_object_put(object);
	policy_free(policy);

	object = snapshot_policy(NULL);
	expect(object, "mode", NULL);
	expect(object, "on_unknown", NULL);
	expect(object, "digest", NULL);
	expect(object, "rules", NULL);
	expect(object, "text", NULL);
	json_object_put(object);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_counts),
		LEDGER_TEST(test_dmabuf),
		LEDGER_TEST(test_malformed),
		LEDGER_TEST(test_hostile_numbers),
		LEDGER_TEST(test_row_of_denied),
		LEDGER_TEST(test_row_of_granted),
		LEDGER_TEST(test_unknown),
		LEDGER_TEST(test_other_texts),
		LEDGER_TEST(test_history_and_replay),
		cmocka_unit_test(test_verdicts_in_rows),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_policy_object),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
