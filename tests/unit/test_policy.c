/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies that are right: what each key becomes, several files, canonical text. */
#include "policy_texts.h"

static void expect_text(const struct policy *policy, bool origins, const char *expected)
{
	char *text = policy_to_text(policy, origins);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

#define DEFAULTS "[Policy]\nMode=audit\nOnUnknown=allow\n"

/* The canonical text of @body in one rule, with an Action. */
static void expect_rule(const char *body, const char *canonical)
{
	char text[2048], expected[2048];
	struct policy *policy;

	snprintf(text, sizeof(text), "[Rule r]\n%s\nAction=log\n", body);
	snprintf(expected, sizeof(expected), DEFAULTS "\n[Rule r]\n%s\nAction=log\n", canonical);
	policy = parsed(text);
	expect_text(policy, false, expected);
	policy_free(policy);
}

static void test_nothing_is_the_default(void **state)
{
	struct policy *policy = parsed_files(NULL, 0);

	(void)state;
	expect_text(policy, false, DEFAULTS);
	expect_text(policy, true, "[Policy]  ; default\nMode=audit  ; default\nOnUnknown=allow  ; default\n");
	assert_int_equal(policy_rules(policy), 0);
	assert_int_equal(policy_mode(policy), POLICY_AUDIT);
	assert_int_equal(policy_bank(policy)->deny, 0);
	assert_null(policy_rule_name(policy, -1));
	assert_null(policy_rule_name(policy, 0));
	policy_free(policy);
}

/* The contract's own example. */
static void test_contract(void **state)
{
	struct policy *policy = parsed(
		"[Policy]\n"
		"Mode=audit                 ; audit: only report, with would-deny verdicts; enforce: deny in "
		"the kernel\n"
		"OnUnknown=allow            ; what a request gets when the enforcer cannot decide: allow or "
		"deny\n"
		"\n"
		"[Rule tenant-gpu]\n"
		"Device=0000:3b:00.*        ; glob on BDF; also Id=10de:*, Class=0302*, Driver=, Region=0-5\n"
		"Unit=machine-qemu*.scope   ; also Machine=, User=, Source=vfio|dmabuf|sysfs|devmem\n"
		"Kind=alias                 ; alias, promotion, demotion, or request (a plain mapping "
		"request)\n"
		"Types=wc/uc                ; the pair (or, for request, the one type); uc covers uc- and "
		"device\n"
		"Action=deny                ; allow, log, deny, kill\n");
	const struct policy_bank *bank = policy_bank(policy);

	(void)state;
	expect_text(policy, false,
		    DEFAULTS
		    "\n[Rule tenant-gpu]\nDevice=0000:3b:00.*\nUnit=machine-qemu*.scope\nKind=alias\n"
		    "Types=uc/wc\nAction=deny\n");
	assert_int_equal(policy_rules(policy), 1);
	assert_string_equal(policy_rule_name(policy, 0), "tenant-gpu");
	assert_int_equal(bank->n_rules, 1);
	assert_int_equal(bank->deny, 1);
	assert_int_equal(bank->kill, 0);
	assert_int_equal(bank->log, 0);
	assert_int_equal(bank->by_device, 1);
	assert_int_equal(bank->by_process, 1);
	assert_int_equal(bank->kinds[POLICY_ALIAS], 1);
	assert_int_equal(bank->kinds[POLICY_REQUEST], 0);
	for (int a = 0; a < MEMTYPE_TYPES; a++) {
		assert_int_equal(bank->types[a], 0);
		for (int b = 0; b < MEMTYPE_TYPES; b++) {
			bool uncached_a = a >= MEMTYPE_UC && a <= MEMTYPE_DEVICE;
			bool uncached_b = b >= MEMTYPE_UC && b <= MEMTYPE_DEVICE;

			assert_int_equal(bank->pairs[a][b],
					 (uncached_a && b == MEMTYPE_WC) || (uncached_b && a == MEMTYPE_WC));
		}
	}
	policy_free(policy);
}

static void test_canonical_values(void **state)
{
	(void)state;
	expect_rule("Device=0000:3B:00.0", "Device=0000:3b:00.0");
	expect_rule("Device=3b:00.*", "Device=*:3b:00.*");
	expect_rule("Device=??:00.0", "Device=*:??:00.0");
	expect_rule("Device=*:00.0", "Device=*:00.0");
	expect_rule("Device=0000:3b*", "Device=0000:3b*");
	expect_rule("Device=10000:01:00.0", "Device=10000:01:00.0");
	expect_rule("Device=*", "Device=*");
	expect_rule("Device=***3b:**00.0", "Device=*3b:*00.0");
}

static void test_every_key(void **state)
{
	(void)state;
	expect_rule("Id=10DE:*", "Id=10de:*");
	expect_rule("Id=[0-9A-F]???:2204", "Id=[0-9a-f]???:2204");
	expect_rule("Class=0302*", "Class=0302*");
	expect_rule("Class=030[!0]00", "Class=030[!0]00");
	expect_rule("Driver=*-vfio-pci", "Driver=*-vfio-pci");
	expect_rule("Driver=Xhci_HCD", "Driver=Xhci_HCD");
	expect_rule("Region=0", "Region=0");
	expect_rule("Region=5,0 , 2", "Region=0,2,5");
	expect_rule("Region=2-4", "Region=2-4");
	expect_rule("Region=1,0,2-3,3", "Region=0-3");
	expect_rule("Region=0-5", "Region=0-5");
	expect_rule("Unit=machine-qemu\\x2d1\\x2dvm.scope", "Unit=machine-qemu\\x2d1\\x2dvm.scope");
	expect_rule("Unit=user@1000.service", "Unit=user@1000.service");
	expect_rule("Unit=*", "Unit=*");
	expect_rule("Machine=tenant A", "Machine=tenant A");
	expect_rule("User=0", "User=0");
	expect_rule("User=0012", "User=12");
	expect_rule("User=4294967294", "User=4294967294");
	expect_rule("User=alice", "User=1042");
	expect_rule("Source=vfio", "Source=vfio");
	expect_rule("Source=sysfs | vfio|devmem", "Source=vfio|sysfs|devmem");
	expect_rule("Source=vfio|dmabuf|sysfs|devmem", "Source=vfio|dmabuf|sysfs|devmem");
	expect_rule("Kind=request", "Kind=request");
	expect_rule("Types=wc\nKind=request", "Kind=request\nTypes=wc");
	expect_rule("Kind=alias\nTypes=wb / wc", "Kind=alias\nTypes=wc/wb");
	expect_rule("Kind=alias\nTypes=wt/wp", "Kind=alias\nTypes=wt/wp");
	expect_rule("Kind=promotion\nTypes=wc/uc-", "Kind=promotion\nTypes=uc-/wc");
	expect_rule("Kind=demotion\nTypes=wc/device", "Kind=demotion\nTypes=device/wc");
	expect_rule("Kind=demotion\nTypes=wc/uc", "Kind=demotion\nTypes=uc/wc");
	expect_rule("Device = 0000:3b:00.0\t;c", "Device=0000:3b:00.0");
	expect_rule("Driver=a;b", "Driver=a;b");
	expect_rule("Driver=a#b", "Driver=a#b");
	expect_rule("# Device=x\n;Id=y\n\n   \n\t; z\nRegion=1", "Region=1");
	expect_rule("Region=1 ; \xe2\x82\xac are fine in a comment", "Region=1");
}

/* Bits of a bank, for each key that is not a pattern. */
static void test_bank(void **state)
{
	struct policy *policy = parsed("[Policy]\nMode=enforce\nOnUnknown=deny\n"
				       "[Rule 0]\nRegion=1,3-4\nAction=allow\n"
				       "[Rule 1]\nSource=vfio|sysfs\nAction=log\n"
				       "[Rule 2]\nKind=request\nTypes=wc\nAction=deny\n"
				       "[Rule 3]\nUser=7\nAction=kill\n"
				       "[Rule 4]\nUnit=*\nDevice=*\nAction=log\n");
	const struct policy_bank *bank = policy_bank(policy);

	(void)state;
	assert_int_equal(bank->mode, POLICY_ENFORCE);
	assert_int_equal(policy_mode(policy), POLICY_ENFORCE);
	assert_int_equal(bank->on_unknown, POLICY_DENY);
	assert_int_equal(bank->n_rules, 5);
	assert_int_equal(bank->deny, 0x0c);
	assert_int_equal(bank->kill, 0x08);
	assert_int_equal(bank->log, 0x12);
	assert_int_equal(bank->by_device, 0);
	assert_int_equal(bank->by_process, 0x08);
	for (int region = 0; region <= EVENT_BARS; region++)
		assert_int_equal(bank->regions[region],
				 region == 1 || region == 3 || region == 4 ? 0x1f : 0x1e);
	/* With sysfs goes /proc/bus/pci. */
	for (int source = 0; source < SOURCE_TYPES; source++)
		assert_int_equal(bank->sources[source],
				 source == SOURCE_DMABUF || source == SOURCE_DEVMEM ? 0x1d : 0x1f);
	for (int kind = 0; kind < POLICY_KINDS; kind++)
		assert_int_equal(bank->kinds[kind], kind == POLICY_REQUEST ? 0x1f : 0x1b);
	for (int a = 0; a < MEMTYPE_TYPES; a++) {
		assert_int_equal(bank->types[a], a == MEMTYPE_WC ? 0x1f : 0x1b);
		for (int b = 0; b < MEMTYPE_TYPES; b++)
			assert_int_equal(bank->pairs[a][b], 0x1b);
	}
	assert_int_equal(bank->rules[3].uid, 7);
	assert_int_equal(bank->rules[3].by_uid, 1);
	assert_int_equal(bank->rules[4].unit.length, 0);
	assert_int_equal(bank->rules[4].device.length, 0);
	policy_free(policy);
}

static void test_files_in_order(void **state)
{
	const struct policy_text files[] = {
		text_at("/usr/lib/vfiowatch/policy.d/50-a.conf",
			"[Policy]\nMode=enforce\nOnUnknown=deny\n[Rule one]\nAction=log\nKind=alias\n"),
		text_at("/etc/vfiowatch/policy.d/60-b.conf", "; empty\n"),
		text_at("/etc/vfiowatch/policy.d/70-\033.conf",
			"[Rule two]\nAction=deny\nKind=request\n\n[Policy]\nMode=audit"),
	};
	struct policy *policy = parsed_files(files, 3);

	(void)state;
	expect_text(policy, true,
		    "[Policy]  ; /etc/vfiowatch/policy.d/70-\\x1b.conf:5\n"
		    "Mode=audit  ; /etc/vfiowatch/policy.d/70-\\x1b.conf:6\n"
		    "OnUnknown=deny  ; /usr/lib/vfiowatch/policy.d/50-a.conf:3\n"
		    "\n[Rule one]  ; /usr/lib/vfiowatch/policy.d/50-a.conf:4\n"
		    "Kind=alias  ; /usr/lib/vfiowatch/policy.d/50-a.conf:6\n"
		    "Action=log  ; /usr/lib/vfiowatch/policy.d/50-a.conf:5\n"
		    "\n[Rule two]  ; /etc/vfiowatch/policy.d/70-\\x1b.conf:1\n"
		    "Kind=request  ; /etc/vfiowatch/policy.d/70-\\x1b.conf:3\n"
		    "Action=deny  ; /etc/vfiowatch/policy.d/70-\\x1b.conf:2\n");
	policy_free(policy);
}

/* Order of keys, case of digits, blanks and comments make no difference. */
static void test_equal_policies_have_equal_text(void **state)
{
	struct policy *a = parsed(
		"[Rule  x ]\nAction=deny\nTypes=wc/uc\nKind=alias\nSource=sysfs|vfio\nDevice=3B:00.0\n");
	struct policy *b = parsed("# same\n[Policy]\nOnUnknown=allow\n[Rule x] ; y\nDevice=*:3b:00.0\n"
				  "Source=vfio|sysfs\nKind=alias\nTypes=uc/wc\nAction=deny");
	char *text = policy_to_text(a, false);

	(void)state;
	expect_text(b, false, text);
	free(text);
	policy_free(a);
	policy_free(b);
}

/* As many rules as there may be, and one more; as long a line, name, value and pattern as there may be. */
static void test_limits(void **state)
{
	static char text[64 * 64];
	char name[EVENT_NAME_LEN], long_line[POLICY_LINE_MAX + 1], pattern[POLICY_PATTERN_MAX + 1];
	struct policy *policy;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < POLICY_RULES_MAX; i++)
		at += snprintf(text + at, sizeof(text) - at, "[Rule %d]\nUser=%d\nAction=kill\n", i, i);
	policy = parsed(text);
	assert_int_equal(policy_rules(policy), POLICY_RULES_MAX);
	assert_true(policy_bank(policy)->kill == UINT64_MAX && policy_bank(policy)->by_process == UINT64_MAX);
	policy_free(policy);

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memset(long_line, ';', POLICY_LINE_MAX);
	long_line[POLICY_LINE_MAX] = 0;
	memset(pattern, 'p', POLICY_PATTERN_MAX - 1);
	pattern[POLICY_PATTERN_MAX - 1] = '*';
	pattern[POLICY_PATTERN_MAX] = 0;
	snprintf(text, sizeof(text), "%s\n[Rule %s]\nMachine=%s\nAction=log\n%s", long_line, name, pattern,
		 long_line);
	policy = parsed(text);
	assert_string_equal(policy_rule_name(policy, 0), name);
	assert_int_equal(policy_bank(policy)->rules[0].machine.length, POLICY_PATTERN_MAX);
	policy_free(policy);
}

/* A rule that another one only seems to take. */
static void test_later_rules_that_do_match(void **state)
{
	static const char *const pairs[][2] = {
		{"Device=0000:3b:00.0", "Device=0000:3b:00.*"},
		{"Kind=alias", ""},
		{"Kind=alias\nTypes=uc-/wc", "Kind=alias\nTypes=uc/wc"},
		{"Source=vfio", "Source=vfio|sysfs"},
		{"Region=0-2", "Region=0-3"},
		{"Region=0-5", ""},
		{"User=1", "User=2"},
		{"User=1", ""},
		{"Unit=a.service", "Unit=*"},
		{"Source=vfio|dmabuf|devmem", ""},
		{"Kind=request\nTypes=uc", "Kind=request\nTypes=wc"},
		{"Machine=a*", "Machine=b"},
		{"Device=3b:00.0\nMachine=a", "Device=3b:00.0"},
		{"Kind=request\nTypes=wc", "Kind=request"},
		{"Kind=promotion\nTypes=uc/wc", "Kind=promotion\nTypes=wc/wb"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "[Rule a]\nAction=log\n%s\n[Rule b]\nAction=log\n%s\n",
			 pairs[i][0], pairs[i][1]);
		policy_free(parsed(text));
	}
}

static void test_digest(void **state)
{
	struct policy *policy = parsed("");
	char digest[POLICY_DIGEST_LEN + 1];

	(void)state;
	assert_string_equal(policy_digest(policy), "");
	for (int i = 0; i < POLICY_DIGEST_LEN; i++)
		digest[i] = "0123456789abcdef"[(i + 15) % 16];
	digest[POLICY_DIGEST_LEN] = 0;
	policy_set_digest(policy, digest);
	assert_string_equal(policy_digest(policy), digest);
	assert_true(policy_bank(policy)->digest == 0xf0123456789abcdeULL);
	policy_free(policy);
}

static void test_names(void **state)
{
	static const char *const actions[][2] = {
		{"allow", "allow"}, {"log", "log"}, {"would-deny", "deny"}, {"would-kill", "kill"}};

	(void)state;
	for (int i = 0; i < POLICY_ACTIONS; i++) {
		const struct policy_verdict verdict = {.action = i, .rule = i ? 0 : -1};

		assert_string_equal(policy_verdict_name(verdict, POLICY_AUDIT), actions[i][0]);
		assert_string_equal(policy_verdict_name(verdict, POLICY_ENFORCE), actions[i][1]);
	}
	assert_string_equal(policy_kind_name(POLICY_ALIAS), "alias");
	assert_string_equal(policy_kind_name(POLICY_PROMOTION), "promotion");
	assert_string_equal(policy_kind_name(POLICY_DEMOTION), "demotion");
	assert_string_equal(policy_kind_name(POLICY_REQUEST), "request");
	assert_null(policy_kind_name(POLICY_KINDS));
	assert_string_equal(policy_mode_name(POLICY_AUDIT), "audit");
	assert_string_equal(policy_mode_name(POLICY_ENFORCE), "enforce");
	assert_null(policy_mode_name(2));
	assert_null(policy_unknown_name(POLICY_KNOWN));
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_ARGUMENTS), "arguments");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_RANGE), "range");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_TYPE), "type");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_PARTY), "party");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_FULL), "full");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_BUSY), "busy");
	assert_string_equal(policy_unknown_name(POLICY_UNKNOWN_SKIPPED), "skipped");
	assert_null(policy_unknown_name(POLICY_UNKNOWN_REASONS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_the_default),
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_canonical_values),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_bank),
		cmocka_unit_test(test_files_in_order),
		cmocka_unit_test(test_equal_policies_have_equal_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_later_rules_that_do_match),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
