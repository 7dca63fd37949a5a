/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on mappings. */
#include "judged.h"

/* One rule with @selectors that denies: does it take mapping 100? */
static void expect_selected(struct fixture *f, const char *selectors, bool selected)
{
	char text[512];

	snprintf(text, sizeof(text), "[Rule r]\n%s\nAction=deny\n", selectors);
	use(f, text);
	if ((judge(f, 100).rule == 0) != selected || judge(f, 100).unknown)
		fail_msg("%s: not %d", selectors, selected);
}

static void test_selectors(void **state)
{
	static const struct {
		const char *text;
		bool selected;
	} selectors[] = {
		{"Device=0000:00:01.0", true},
		{"Device=0000:00:02.0", false},
		{"Device=00:01.*", true},
		{"Device=*:01.[1-7]", false},
		{"Id=1af4:1110", true},
		{"Id=1AF4:*", true},
		{"Id=1af5:*", false},
		{"Class=0500*", true},
		{"Class=05??00", true},
		{"Class=0302*", false},
		{"Driver=vfio-pci", true},
		{"Driver=*-vfio-pci", false},
		{"Region=2", true},
		{"Region=0-1,3-5", false},
		{"Unit=" VM, true},
		{"Unit=machine-*.scope", true},
		{"Unit=machine-lxc*.scope", false},
		{"Machine=tenant-a", true},
		{"Machine=tenant-[b-z]", false},
		{"User=1000", true},
		{"User=0", false},
		{"Source=vfio", true},
		{"Source=sysfs|dmabuf", false},
		{"Kind=request", true},
		{"Kind=alias", false},
		{"Kind=promotion", false},
		{"Kind=request\nTypes=uc", true},
		{"Kind=request\nTypes=uc-", true},
		{"Kind=request\nTypes=device", false},
		{"Kind=request\nTypes=wc", false},
		{"Device=00:01.0\nId=1af4:*\nRegion=2\nUnit=machine*.scope\nUser=1000\nSource=vfio", true},
		{"Device=00:01.0\nId=1af4:*\nRegion=2\nUnit=machine*.scope\nUser=1001\nSource=vfio", false},
	};
	struct fixture *f = *state;

	map_vfio(f, 100, 10, 0, PROT_UC);
	take(f, process_event(10, VM, "tenant-a"));
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		expect_selected(f, selectors[i].text, selectors[i].selected);
}

static void test_first_match_wins(void **state)
{
	struct fixture *f = *state;

	map_vfio(f, 100, 10, 0, PROT_UC);
	use(f, "[Rule a]\nUser=1\nAction=deny\n[Rule b]\nRegion=2\nAction=allow\n[Rule c]\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW, 1, 0);
	use(f, "[Rule a]\nUser=1\nAction=deny\n[Rule b]\nRegion=1\nAction=allow\n[Rule c]\nAction=kill\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_KILL, 2, 0);
	use(f, "[Rule a]\nRegion=2\nAction=log\n[Rule c]\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_LOG, 0, 0);
}

/* Both orders of sysfs WC and VFIO UC-; the later one is told, with the earlier one as its peer. */
static void test_alias(void **state)
{
	struct fixture *f = *state;

	use(f, "[Rule mixed]\nKind=alias\nTypes=wc/uc\nAction=deny\n");
	map_vfio(f, 100, 10, 0, PROT_UC);
	map_sysfs(f, 101, 20, 3, PROT_WC);
	map_sysfs(f, 102, 20, 4, PROT_WC); /* adjacent */
	map_sysfs(f, 103, 20, 0, PROT_UC); /* same class of types */
	map_vfio(f, 104, 10, 6, PROT_UC);
	expect_nothing(judge(f, 100));
	expect(judge(f, 101), POLICY_ALIAS, POLICY_DENY, 0, 100);
	expect_nothing(judge(f, 102));
	expect(judge(f, 103), POLICY_ALIAS, POLICY_DENY, 0, 101);
	expect(judge(f, 104), POLICY_ALIAS, POLICY_DENY, 0, 101);
	take(f, mapping_event(EVENT_UNMAP, 101, 0, 0, 0, 0));
	expect_nothing(judge(f, 103));
	expect(judge(f, 104), POLICY_ALIAS, POLICY_DENY, 0, 102);
	take(f, mapping_event(EVENT_UNMAP, 102, 0, 0, 0, 0));
	expect_nothing(judge(f, 104));
}

/* What comes through /proc/bus/pci counts as sysfs, on either side. */
static void test_proc(void **state)
{
	struct fixture *f = *state;
	struct event event = by(mapping_event(EVENT_MAP, 100, 0, BEGIN, 0, 4), 20);

	event.mapping.source = SOURCE_OTHER;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN;
	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.page_prot = PROT_WC;
	take(f, event);
	expect_selected(f, "Source=sysfs", true);
	expect_selected(f, "Source=vfio|sysfs", true);
	expect_selected(f, "Source=vfio|dmabuf", false);
	expect_selected(f, "Source=devmem|vfio", false);
	use(f, "[Rule mixed]\nKind=alias\nSource=sysfs\nAction=deny\n");
	map_vfio(f, 101, 10, 0, PROT_UC);
	expect(judge(f, 101), POLICY_ALIAS, POLICY_DENY, 0, 100);
}

static void test_alias_of_other_device(void **state)
{
	struct fixture *f = *state;
	struct event event;

	use(f, "[Rule mixed]\nKind=alias\nAction=deny\n");
	map_vfio(f, 100, 10, 0, PROT_UC);
	event = by(mapping_event(EVENT_MAP, 101, 0, BEGIN, 0, 4), 20);
	event.mapping.source = SOURCE_SYSFS;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN;
	event.mapping.pci_address = EVENT_PCI_ADDRESS(0, 0, 2 << 3);
	event.mapping.page_prot = PROT_WC;
	take(f, event);
	expect_nothing(judge(f, 101));
}

/* Selectors of a process hold if they hold of either party, but all of one and the same. */
static void test_alias_parties(void **state)
{
	static const struct {
		const char *selectors;
		bool denied;
	} rules[] = {
		{"Source=sysfs", true},
		{"Source=vfio", true},
		{"Source=dmabuf", false},
		{"Unit=" VM, true},
		{"Unit=ssh.service", true},
		{"Unit=other.service", false},
		{"Unit=" VM "\nSource=vfio", true},
		{"Unit=" VM "\nSource=sysfs", false},
		{"Unit=ssh.service\nSource=sysfs", true},
		{"Unit=ssh.service\nMachine=tenant-a", false},
		{"Unit=ssh.service\nUser=1000\nRegion=2\nDevice=00:01.0", true},
		{"Unit=ssh.service\nUser=1000\nRegion=2\nDevice=00:02.0", false},
	};
	struct fixture *f = *state;
	char text[256];

	map_vfio(f, 100, 10, 0, PROT_UC);
	map_sysfs(f, 101, 20, 0, PROT_WC);
	take(f, process_event(10, VM, "tenant-a"));
	take(f, process_event(20, "ssh.service", ""));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		snprintf(text, sizeof(text), "[Rule r]\nKind=alias\nTypes=uc/wc\n%s\nAction=deny\n",
			 rules[i].selectors);
		use(f, text);
		if (judge(f, 101).action != (rules[i].denied ? POLICY_DENY : POLICY_ALLOW) ||
		    judge(f, 101).unknown)
			fail_msg("%s: not %d", rules[i].selectors, rules[i].denied);
	}
}

/* What is not known makes a rule that may match count only if it would change the effect. */
static void test_unknown_party(void **state)
{
	struct fixture *f = *state;

	map_vfio(f, 100, 10, 0, PROT_UC);
	use(f, "[Rule a]\nUnit=" VM "\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Policy]\nOnUnknown=deny\n[Rule a]\nUnit=" VM "\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_DENY);
	use(f, "[Policy]\nOnUnknown=deny\n[Rule a]\nUnit=" VM "\nAction=log\n");
	expect_nothing(judge(f, 100));
	use(f, "[Rule a]\nMachine=x\nAction=allow\n[Rule b]\nAction=kill\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nMachine=x\nAction=deny\n[Rule b]\nAction=kill\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_KILL, 1, 0);
	use(f, "[Rule a]\nUnit=*\nMachine=*\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_DENY, 0, 0);
	use(f, "[Rule a]\nMachine=x\nUser=1\nAction=deny\n");
	expect_nothing(judge(f, 100));
	/* Once they are known they are known to be none. */
	take(f, process_event(10, "", ""));
	use(f, "[Rule a]\nUnit=?*.scope\nAction=deny\n");
	expect_nothing(judge(f, 100));
	use(f, "[Rule a]\nMachine=*[!x]*\nAction=deny\n");
	expect_nothing(judge(f, 100));
}

/* A name that may have been cut is not known. */
static void test_cut_names(void **state)
{
	struct fixture *f = *state;
	struct event event = process_event(10, "", "");

	map_vfio(f, 100, 10, 0, PROT_UC);
	memset(event.process.unit, 'u', sizeof(event.process.unit));
	memset(event.process.machine, 'm', sizeof(event.process.machine));
	take(f, event);
	use(f, "[Rule a]\nUnit=u*.scope\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nMachine=mm*\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	memset(event.process.unit, 0, 1 + sizeof(VM));
	strcpy(event.process.unit, VM);
	event.process.machine[sizeof(event.process.machine) - 1] = 0;
	take(f, event);
	expect(judge(f, 100), POLICY_REQUEST, POLICY_DENY, 0, 0);
}

/* Facts of a device that sysfs does not have any more, and a device that is not known at all. */
static void test_unknown_device(void **state)
{
	struct fixture *f = *state;
	struct event event;

	map_vfio(f, 100, 10, 0, PROT_UC);
	take(f, device_event(FIRST_DEVICE, false));
	use(f, "[Rule a]\nId=1af4:*\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nDriver=vfio-pci\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nDevice=00:02.0\nClass=05*\nAction=deny\n");
	expect_nothing(judge(f, 100));
	use(f, "[Rule a]\nDevice=00:01.0\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_DENY, 0, 0);

	event = by(mapping_event(EVENT_MAP, 101, 0, BEGIN + 64 * MIB, 0, 4), 20);
	event.mapping.source = SOURCE_DEVMEM;
	event.mapping.region = EVENT_REGION_UNKNOWN;
	event.mapping.phys_start = 0x1000;
	take(f, event);
	assert_null(ledger_mapping(f->model.ledger, 101)->device);
	expect_unknown(judge(f, 101), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nRegion=2\nAction=deny\n");
	expect_unknown(judge(f, 101), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nSource=vfio|dmabuf\nDevice=00:01.0\nAction=deny\n");
	expect_nothing(judge(f, 101));
}

/* Bytes or a type that are not known yet. */
static void test_unknown_range_and_type(void **state)
{
	struct fixture *f = *state;
	struct event event;

	use(f, "[Rule mixed]\nKind=alias\nTypes=wc/uc\nAction=deny\n");
	map_vfio(f, 100, 10, 0, PROT_UC);
	event = by(mapping_event(EVENT_MAP, 101, 1, BEGIN + 64 * MIB, 0, 4), 10);
	event.mapping.flags = EVENT_MAPPING_OFFSET_KNOWN;
	event.mapping.page_prot = PROT_WC;
	take(f, event);
	assert_false(ledger_mapping(f->model.ledger, 101)->phys_known);
	expect_unknown(judge(f, 101), POLICY_ALIAS, POLICY_ALLOW);
	map_sysfs(f, 102, 20, 0, PROT_UC);
	expect_unknown(judge(f, 102), POLICY_ALIAS, POLICY_ALLOW);
	take(f, mapping_event(EVENT_UNMAP, 101, 0, 0, 0, 0));
	expect_nothing(judge(f, 102));
	map_sysfs(f, 103, 20, 0, 0);
	assert_int_equal(ledger_requested(f->model.ledger, ledger_mapping(f->model.ledger, 103)),
			 MEMTYPE_UNKNOWN);
	expect_unknown(judge(f, 103), POLICY_ALIAS, POLICY_ALLOW);
	map_sysfs(f, 104, 20, 8, 0);
	expect_nothing(judge(f, 104));
	use(f, "[Rule wc]\nKind=request\nTypes=wc\nAction=deny\n");
	expect_unknown(judge(f, 104), POLICY_REQUEST, POLICY_ALLOW);
}

/* What the layout does not tell the cookie does. */
static void test_place_by_cookie(void **state)
{
	struct fixture *f = *state;
	struct event cookie = cookie_event(EVENT_COOKIE, 50, 1, 9), event;

	cookie.cookie.offset = 3 * MIB;
	cookie.cookie.size = MIB;
	cookie.cookie.alias_of = 2;
	take(f, cookie);
	use(f, "[Rule mixed]\nKind=alias\nTypes=wc/uc\nAction=deny\n");
	map_sysfs(f, 100, 20, 6, PROT_UC);
	for (uint64_t id = 101; id <= 102; id++) {
		event = by(mapping_event(EVENT_MAP, id, 1, BEGIN + id * MIB, 0, 4), 10);
		event.mapping.flags = EVENT_MAPPING_OFFSET_KNOWN;
		event.mapping.region = EVENT_REGION_UNKNOWN;
		event.mapping.offset = 3 * MIB + (id == 101 ? 2 : 3) * PAGE;
		event.mapping.page_prot = PROT_WC;
		take(f, event);
	}
	expect_nothing(judge(f, 101));
	expect(judge(f, 102), POLICY_ALIAS, POLICY_DENY, 0, 100);
	map_sysfs(f, 103, 20, 2, PROT_UC);
	expect(judge(f, 103), POLICY_ALIAS, POLICY_DENY, 0, 101);
	map_sysfs(f, 104, 20, 7, PROT_UC);
	expect_nothing(judge(f, 104));
}

/* Of several verdicts a denial ends it; then counts a doubt, then a record. */
static void test_weights(void **state)
{
	struct fixture *f = *state;

	map_vfio(f, 100, 10, 0, PROT_UC);
	map_vfio(f, 101, 10, 8, PROT_UC);
	map_sysfs(f, 110, 20, 2, PROT_WC);
	map_sysfs(f, 111, 20, 8, PROT_WC);
	use(f, "[Rule a]\nKind=request\nAction=log\n[Rule b]\nKind=alias\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_LOG, 0, 0);
	expect(judge(f, 110), POLICY_ALIAS, POLICY_DENY, 1, 100);
	expect(judge(f, 111), POLICY_ALIAS, POLICY_DENY, 1, 101);
	use(f, "[Rule a]\nKind=request\nAction=allow\n[Rule b]\nKind=alias\nAction=log\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_ALLOW, 0, 0);
	expect(judge(f, 110), POLICY_ALIAS, POLICY_LOG, 1, 100);
	use(f, "[Rule a]\nKind=request\nAction=deny\n[Rule b]\nKind=alias\nAction=deny\n");
	expect(judge(f, 110), POLICY_REQUEST, POLICY_DENY, 0, 0);
	use(f, "[Rule a]\nKind=request\nUnit=" VM "\nAction=deny\n[Rule b]\nKind=alias\nAction=log\n");
	expect_unknown(judge(f, 110), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Policy]\nOnUnknown=deny\n"
	       "[Rule a]\nKind=request\nUnit=" VM "\nAction=deny\n[Rule b]\nKind=alias\nAction=deny\n");
	expect_unknown(judge(f, 100), POLICY_REQUEST, POLICY_DENY);
	expect_unknown(judge(f, 110), POLICY_REQUEST, POLICY_DENY);
	use(f, "[Rule b]\nKind=alias\nAction=allow\n");
	expect_nothing(judge(f, 110));
}

/* Of several peers the oldest is named; one that denies counts before one that is recorded. */
static void test_peers(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 120; id < 140; id++)
		map_sysfs(f, id, 20, 0, PROT_WC);
	map_sysfs(f, 119, 30, 0, PROT_WC);
	map_vfio(f, 200, 10, 0, PROT_UC);
	use(f, "[Rule a]\nKind=alias\nAction=deny\n");
	expect(judge(f, 200), POLICY_ALIAS, POLICY_DENY, 0, 119);
	take(f, process_event(10, "", ""));
	take(f, process_event(20, "", ""));
	take(f, process_event(30, VM, ""));
	use(f, "[Rule a]\nKind=alias\nUnit=" VM "\nAction=log\n[Rule b]\nKind=alias\nAction=deny\n");
	expect(judge(f, 200), POLICY_ALIAS, POLICY_DENY, 1, 120);
	use(f, "[Rule a]\nKind=alias\nUnit=" VM "\nAction=deny\n[Rule b]\nKind=alias\nAction=log\n");
	expect(judge(f, 200), POLICY_ALIAS, POLICY_DENY, 0, 119);
}

struct peer {
	uint32_t tgid;
	enum mapping_source source;
	uint64_t prot;
	bool placed;
};

static void map_peer(struct fixture *f, uint64_t id, const struct peer *peer)
{
	struct event event = by(mapping_event(EVENT_MAP, id, 0, BEGIN + id * MIB, 0, 4), peer->tgid);

	event.mapping.source = peer->source;
	event.mapping.flags = EVENT_MAPPING_DEVICE_KNOWN | (peer->placed ? EVENT_MAPPING_PHYS_KNOWN : 0);
	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.page_prot = peer->prot;
	take(f, event);
}

/* What mapping 200 gets beside these peers, with ids from 100. */
static struct policy_verdict judge_beside(const struct peer *peers, size_t n, uint64_t first_id)
{
	struct policy_verdict verdict;
	struct fixture *f;

	setup((void **)&f);
	for (size_t i = 0; i < n; i++)
		map_peer(f, first_id + i, &peers[i]);
	map_vfio(f, 200, 10, 0, PROT_UC);
	take(f, process_event(10, "", ""));
	if (ledger_process(f->model.ledger, &(struct process_key){.tgid = 20, .start_ns = 20000}))
		take(f, process_event(20, VM, ""));
	if (ledger_process(f->model.ledger, &(struct process_key){.tgid = 30, .start_ns = 30000}))
		take(f, process_event(30, "ssh.service", ""));
	use(f, "[Rule a]\nKind=alias\nUnit=" VM "\nSource=sysfs\nAction=deny\n"
	       "[Rule b]\nKind=alias\nTypes=uc/wb\nUnit=ssh.service\nAction=deny\n"
	       "[Rule c]\nKind=alias\nSource=dmabuf\nAction=log\n");
	verdict = judge(f, 200);
	teardown((void **)&f);
	return verdict;
}

static int weight(struct policy_verdict verdict)
{
	return verdict.action == POLICY_DENY ? 3 : verdict.unknown ? 2 : verdict.action == POLICY_LOG;
}

/* Beside several a mapping gets the worst of what it gets beside each. */
static void test_many_peers_as_each(void **state)
{
	static const uint64_t prots[] = {PROT_WC, 0x8000000000000027ULL, 0};
	unsigned int seed = 1, met[4] = {};

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy_verdict expected = {.kind = POLICY_REQUEST, .rule = -1}, all;
		struct peer peers[5];

		for (size_t i = 0; i < 5; i++) {
			seed = seed * 1664525 + 1013904223;
			peers[i] = (struct peer){.tgid = 20 + (seed >> 8) % 3 * 10,
						 .source = (seed >> 12) % 2 ? SOURCE_SYSFS : SOURCE_DMABUF,
						 .prot = prots[(seed >> 16) % 7 ? (seed >> 16) % 2 : 2],
						 .placed = (seed >> 20) % 8};
		}
		for (size_t i = 0; i < 5; i++) {
			const struct policy_verdict alone = judge_beside(&peers[i], 1, 100 + i);

			if (weight(alone) > weight(expected))
				expected = alone;
		}
		all = judge_beside(peers, 5, 100);
		if (all.kind != expected.kind || all.action != expected.action || all.rule != expected.rule ||
		    all.peer != expected.peer || all.unknown != expected.unknown)
			fail_msg("round %d: rule %d with peer %llu, expected rule %d with peer %llu", round,
				 all.rule, (unsigned long long)all.peer, expected.rule,
				 (unsigned long long)expected.peer);
		met[weight(all)]++;
	}
	assert_true(met[1] > 0 && met[2] > 10 && met[3] > 10);
}

/* A mapping without pages that cannot come back reaches nothing. */
static void test_revoked_peer(void **state)
{
	struct fixture *f = *state;
	struct event event = by(mapping_event(EVENT_MAP, 100, 0, BEGIN, 0, 4), 20);

	use(f, "[Rule a]\nKind=alias\nAction=deny\n");
	event.mapping.source = SOURCE_SYSFS;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_NO_FAULT;
	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.page_prot = PROT_WC;
	take(f, event);
	take(f, with_run(pages_event(EVENT_PAGES, 100, BEGIN, 4), BEGIN, 0, 4, MEMTYPE_WC));
	map_vfio(f, 101, 10, 0, PROT_UC);
	expect(judge(f, 101), POLICY_ALIAS, POLICY_DENY, 0, 100);
	take(f, at(pages_event(EVENT_PAGES, 100, BEGIN, 4), 2000));
	assert_true(mapping_revoked(ledger_mapping(f->model.ledger, 100)));
	expect_nothing(judge(f, 101));
}

/* The whole BAR was reserved with WC when VFIO opened the device. */
static void test_promotion(void **state)
{
	struct fixture *f = *state;
	struct event event = by(at(file_event(EVENT_OPEN, 2), 5000), 20);
	const unsigned int all = BAR_SIZE / PAGE;

	use(f, "[Rule turned]\nKind=promotion\nTypes=uc/wc\nAction=deny\n");
	map_vfio(f, 100, 10, 0, PROT_UC);
	map_vfio(f, 101, 10, 8, PROT_WC);
	expect_nothing(judge(f, 100));
	take(f, by(reservation_event(0, 4, MEMTYPE_UC_MINUS, MEMTYPE_WC), 10));
	expect_nothing(judge(f, 100));
	take(f, by(reservation_event(0, all, MEMTYPE_UC_MINUS, MEMTYPE_WC), 10));
	expect(judge(f, 100), POLICY_PROMOTION, POLICY_DENY, 0, 0);
	expect_nothing(judge(f, 101));
	use(f, "[Rule turned]\nKind=promotion\nTypes=uc/wb\nAction=deny\n");
	expect_nothing(judge(f, 100));
	use(f, "[Rule r]\nKind=request\nAction=deny\n[Rule turned]\nKind=promotion\nAction=deny\n");
	expect(judge(f, 100), POLICY_REQUEST, POLICY_DENY, 0, 0);
	use(f, "[Rule turned]\nKind=promotion\nAction=kill\n");
	expect(judge(f, 100), POLICY_PROMOTION, POLICY_KILL, 0, 0);
	/* It is over when the device is closed. */
	take(f, file_event(EVENT_RELEASE, 1));
	expect_nothing(judge(f, 100));
	event.file.opened_ns = 4900;
	take(f, event);
	expect_nothing(judge(f, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_selectors),
		CASE(test_first_match_wins),
		CASE(test_alias),
		CASE(test_proc),
		CASE(test_alias_of_other_device),
		CASE(test_alias_parties),
		CASE(test_unknown_party),
		CASE(test_cut_names),
		CASE(test_unknown_device),
		CASE(test_unknown_range_and_type),
		CASE(test_place_by_cookie),
		CASE(test_weights),
		CASE(test_peers),
		cmocka_unit_test(test_many_peers_as_each),
		CASE(test_revoked_peer),
		CASE(test_promotion),
	};

	return cmocka_run_group_tests_name("policy_judge", tests, NULL, NULL);
}
