/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes as policy files. What is refused names file, line and remedy in safe text; what is taken has a
 * canonical text that is taken again and says the same, and gives verdicts within their ranges. The first
 * byte chooses: how many files the rest is cut into, and whether it is all text or made of words that
 * policies are made of, so that the fuzzer gets behind the first line. The end of the bytes is a request to
 * be judged.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/policy.h"
#include "fuzz.h"

#define FILES 3
#define ROOM  4096

static const char *const words[] = {
	"[Policy]\n", "Mode=",      "enforce\n", "audit\n",  "OnUnknown=", "deny\n",      "allow\n",
	"[Rule a]\n", "[Rule b]\n", "[Rule ",    "]\n",      "Device=",    "Id=",         "Class=",
	"Driver=",    "Region=",    "Unit=",     "Machine=", "User=",      "Source=",     "Kind=",
	"Types=",     "Action=",    "log\n",     "kill\n",   "alias\n",    "promotion\n", "demotion\n",
	"request\n",  "wc/uc\n",    "uc-/wb\n",  "wc\n",     "device\n",   "vfio",        "sysfs",
	"devmem",     "|",          "*",         "?",        "[0-9]",      "[!a]",        "0000:3b:00.0",
	".scope\n",   "\n",         " ; ",       "0,2-4\n",  "7\n",        "10de:",       "03",
	"root\n",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static int find_user(void *userdata, const char *name, uint32_t *ret)
{
	(void)userdata;
	if (strcmp(name, "root") != 0)
		return -ENOENT;
	*ret = 0;
	return 0;
}

static struct policy *parse(const struct policy_text *files, size_t n, char error[POLICY_ERROR_LEN])
{
	enum policy_outcome outcome;
	struct policy *policy;

	memset(error, 0x55, POLICY_ERROR_LEN);
	REQUIRE(policy_parse(&policy, files, n, find_user, NULL, &outcome, error) == 0);
	REQUIRE((outcome == POLICY_OK) == (policy != NULL));
	REQUIRE(memchr(error, 0, POLICY_ERROR_LEN) && (!policy || !error[0]));
	return policy;
}

static void check_error(const char *error)
{
	char *end;

	REQUIRE(error[0] == 'f' && error[2] == ':');
	REQUIRE(strtoul(error + 3, &end, 10) > 0 && end[0] == ':');
	end = strstr(end, "; ");
	REQUIRE(end && strlen(end) > 6);
	for (; *error; error++)
		REQUIRE((unsigned char)*error >= 0x20 && *error != 0x7f);
}

/* The canonical text is a policy that has the same canonical text, with its origins too. */
static void check_text(const struct policy *policy)
{
	char *text = policy_to_text(policy, false), *again;
	char error[POLICY_ERROR_LEN];

	for (int origins = 0; origins < 2; origins++) {
		char *shown = policy_to_text(policy, origins);
		struct policy_text file = {"f0", shown, shown ? strlen(shown) : 0};
		struct policy *second;

		REQUIRE(text && shown);
		second = parse(&file, 1, error);
		REQUIRE(second);
		again = policy_to_text(second, false);
		REQUIRE(again && strcmp(text, again) == 0);
		free(again);
		free(shown);
		policy_free(second);
	}
	free(text);
}

static void put(struct ledger *ledger, enum event_type type, const struct event_mapping *mapping)
{
	struct event event = {
		.header = {.version = EVENT_VERSION,
			   .type = type,
			   .size = event_size(type),
			   .origin = type < EVENT_KERNEL_TYPES ? EVENT_ORIGIN_KERNEL : EVENT_ORIGIN_SCAN,
			   .time_ns = 1000,
			   .who = {.tgid = 10, .start_ns = 1000, .uid = 7}}};
	struct change change;

	if (type == EVENT_MAP)
		event.mapping = *mapping;
	else if (type == EVENT_PROCESS)
		strcpy(event.process.unit, "machine-qemu.scope");
	else
		event.device = (struct event_device){.pci_address = EVENT_PCI_ADDRESS(0, 0x3b, 0),
						     .present = 1,
						     .vendor = 0x10de,
						     .class_code = 0x030200,
						     .bars[2] = {.phys_start = 1 << 24, .size = 1 << 24}};
	REQUIRE(ledger_apply(ledger, &event, &change) == 0);
}

static struct ledger *make_ledger(void)
{
	struct ledger *ledger;

	REQUIRE(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, NULL) == 0);
	put(ledger, EVENT_DEVICE, NULL);
	for (unsigned int i = 0; i < 4; i++) {
		const struct event_mapping mapping = {
			.mapping_id = 1 + i,
			.pci_address = EVENT_PCI_ADDRESS(0, 0x3b, 0),
			.start = 0x10000 + 0x10000 * i,
			.end = 0x18000 + 0x10000 * i,
			.phys_start = (1 << 24) + 0x4000 * i,
			.page_prot = i == 3  ? 0
				     : i % 2 ? 0x2f
					     : 0x37,
			.region = 2,
			.source = i % 2 ? SOURCE_SYSFS : SOURCE_DEVMEM,
			.flags = EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_PHYS_KNOWN,
		};

		put(ledger, EVENT_MAP, &mapping);
	}
	put(ledger, EVENT_PROCESS, NULL);
	return ledger;
}

static void check_verdict(const struct policy *policy, struct policy_verdict verdict)
{
	REQUIRE(verdict.kind < POLICY_KINDS && verdict.action < POLICY_ACTIONS);
	REQUIRE(verdict.rule >= -1 && verdict.rule < (int)policy_rules(policy));
	REQUIRE((verdict.rule >= 0) == (policy_rule_name(policy, verdict.rule) != NULL));
	REQUIRE(policy_verdict_name(verdict, policy_mode(policy)));
	REQUIRE(!verdict.unknown || verdict.rule < 0);
}

static void check_verdicts(const struct policy *policy, const uint8_t *data, size_t size)
{
	struct ledger *ledger = make_ledger();
	const struct mapping *mapping = NULL;
	struct event_request request = {.pci_address = EVENT_PCI_ADDRESS(0, 0x3b, 0),
					.flags = EVENT_MAPPING_DEVICE_KNOWN,
					.region = 2};
	struct finding finding = {};

	while ((mapping = ledger_next_live(ledger, mapping)))
		check_verdict(policy, policy_judge_mapping(policy, ledger, mapping));
	memcpy(&request.region, data, size < sizeof(request) - 64 ? size : sizeof(request) - 64);
	check_verdict(policy, policy_judge_request(policy, ledger, &request));
	finding.kind = request.kind % FINDING_KINDS;
	finding.region = request.region;
	finding.n_parties = finding.kind == FINDING_ALIAS ? 2 : 1;
	finding.parties[0].requested = finding.parties[1].type = request.given;
	finding.parties[0].type = request.party.type;
	finding.parties[0].process = (struct process_key){.start_ns = 1000, .tgid = 10};
	strcpy(finding.device, "0000:3b:00.0");
	check_verdict(policy, policy_judge_finding(policy, ledger, &finding));
	ledger_free(ledger);
}

static size_t to_words(const uint8_t *data, size_t size, char *to)
{
	size_t at = 0;

	for (size_t i = 0; i < size && at + 32 < ROOM; i++) {
		const char *word = words[data[i] % WORDS];

		memcpy(to + at, word, strlen(word));
		at += strlen(word);
	}
	return at;
}

/* Four bytes for each rule: which keys it has, and which of their values. */
static size_t to_rules(const uint8_t *data, size_t size, char *to)
{
	static const char *const settings[8][4] = {
		{"Device=3b:00.*", "Device=*", "Device=0000:[0-9]?:00.[!1-7]", "Device=1:00.0"},
		{"Id=10DE:*", "Id=*", "Id=10de:0000", "Class=0302*"},
		{"Region=2", "Region=0,2-4", "Region=0-5", "Region=1"},
		{"Unit=machine-*.scope", "Machine=?", "Unit=*", "Unit=a\\x2d[b-d].service"},
		{"User=7", "User=root", "User=8", "User=4294967294"},
		{"Source=vfio|dmabuf", "Source=devmem|sysfs", "Source=sysfs", "Source=devmem"},
		{"Kind=alias", "Kind=promotion", "Kind=request", "Kind=demotion"},
		{"Types=wc/uc", "Types=uc-/wb", "Types=wc", "Types=device"},
	};
	static const char *const actions[] = {"allow", "log", "deny", "kill"};
	size_t at = 0;

	for (size_t i = 0; i + 4 <= size && at + 512 < ROOM; i += 4) {
		unsigned int values = data[i + 1] | data[i + 2] << 8;

		at += snprintf(to + at, ROOM - at, "[Rule %zu]\n", i);
		for (int key = 0; key < 8; key++)
			if (data[i] >> key & 1)
				at += snprintf(to + at, ROOM - at, "%s\n",
					       settings[key][values >> 2 * key & 3]);
		at += snprintf(to + at, ROOM - at, "Action=%s\n", actions[data[i + 3] & 3]);
	}
	return at;
}

/* As the first byte says. Returns the number of files. */
static size_t make_files(const uint8_t *data, size_t size, char *room, struct policy_text files[FILES])
{
	static const char *const paths[FILES] = {"f0", "f1", "f2"};
	const char *text = data[0] % 3 ? room : (const char *)data + 1;
	size_t n = 1 + data[0] / 3 % FILES, length = size - 1;

	if (data[0] % 3 == 1)
		length = to_words(data + 1, size - 1, room);
	if (data[0] % 3 == 2)
		length = to_rules(data + 1, size - 1, room);
	for (size_t i = 0; i < n; i++) {
		size_t begin = length * i / n, end = length * (i + 1) / n;

		files[i] = (struct policy_text){paths[i], text + begin, end - begin};
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_text files[FILES];
	char error[POLICY_ERROR_LEN], room[ROOM];
	struct policy *policy;

	if (!size)
		return 0;
	policy = parse(files, make_files(data, size, room, files), error);
	if (!policy) {
		check_error(error);
		return 0;
	}
	check_text(policy);
	check_verdicts(policy, data, size);
	policy_free(policy);
	return 0;
}
