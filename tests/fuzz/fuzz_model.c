/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes -> events -> model: ledger, lint and findings, with few findings allowed. Each event takes its type
 * and a few numbers from the input, small ones so that they meet each other. What is counted must be what is
 * listed, findings must speak of live mappings, and all rows and answers must be serialisable and safe.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain.h"
#include "core/model.h"
#include "core/request.h"
#include "fuzz.h"
#include "vfiowatch/policy.h"

#define LISTED 4096
#define PAGE   4096ULL
#define BAR    0xfe000000ULL
#define BYTES  12 /* of input for one event */

static const struct snapshot_clock utc = {.realtime_offset_ns = 1700000000000000000};

static void fill_mapping(struct event_mapping *mapping, const uint8_t *in)
{
	static const uint64_t prots[] = {0x37, 0x2f, 0x3f, 0x27, 0xaf, 0xbf, 0, 0x37};

	mapping->mapping_id = in[1] % 24;
	mapping->from_id = in[2] % 24;
	mapping->file_id = in[3] % 4;
	mapping->cookie_id = in[3] / 4 % 4;
	mapping->pci_address = (in[3] / 16 % 3) << 3;
	mapping->start = 0x7f0000000000 + in[4] % 64 * PAGE;
	mapping->end = mapping->start + in[5] % 40 * PAGE;
	mapping->offset = in[6] % 8 * PAGE;
	mapping->phys_start = BAR + in[7] % 128 * PAGE;
	mapping->page_prot = prots[in[8] % 8];
	mapping->mapped_ns = in[9];
	mapping->region = in[9] % 2 ? 2 : EVENT_REGION_UNKNOWN;
	mapping->source = in[10] % (SOURCE_TYPES + 1);
	mapping->flags = in[11] % 64;
}

static void fill_pages(struct event_pages *pages, const uint8_t *in)
{
	uint64_t at = 0x7f0000000000 + in[2] % 64 * PAGE;

	pages->mapping_id = in[1] % 24;
	pages->start = at;
	pages->n_runs = in[3] % (EVENT_RUNS_MAX + 2);
	for (unsigned int i = 0; i < pages->n_runs && i < EVENT_RUNS_MAX; i++) {
		struct event_page_run *run = &pages->runs[i];

		run->start = at + (in[4 + i % 8] & 1) * PAGE;
		run->end = run->start + (1 + in[4 + i % 8] / 2 % 4) * PAGE;
		run->phys_start = BAR + in[4 + (i + 1) % 8] * PAGE;
		run->type = in[4 + (i + 3) % 8] % (MEMTYPE_TYPES + 1);
		run->leaf = in[4 + (i + 5) % 8] % (LEAF_SIZES + 1);
		at = run->end;
	}
	pages->end = at + in[3] / 16 * PAGE;
}

static void fill_cookie(struct event_cookie *cookie, const uint8_t *in)
{
	cookie->cookie_id = in[1] % 12;
	cookie->file_id = in[2] % 4;
	cookie->offset = in[3] % 8 * PAGE;
	cookie->size = in[4] % 8 * PAGE;
	cookie->issued = in[5] % 3;
	cookie->region = in[6] % 10;
	cookie->flags = in[7];
	cookie->dialect = in[8] % (DIALECT_TYPES + 1);
	cookie->ranges = 1;
	cookie->attributes = in[9] % 8;
	cookie->alias_of = in[10] % 2 ? EVENT_REGION_UNKNOWN : in[10] / 2 % 4;
}

static void fill_device(struct event_device *device, const uint8_t *in)
{
	device->pci_address = (in[1] % 3) << 3;
	device->present = in[2] % 4 != 0;
	device->iommu_group = -1;
	device->bars[2] = (struct event_bar){
		.phys_start = BAR + in[1] % 3 * 64 * PAGE,
		.size = 64 * PAGE,
		.flags = EVENT_BAR_MEM,
	};
	memcpy(device->driver, in[3] % 2 ? "vfio-pci" : "\x1b[2J\n", in[3] % 2 ? 8 : 5);
}

static void fill_party(struct event_party *party, const uint8_t *in)
{
	party->who.tgid = in[0] % 4;
	party->who.start_ns = in[0] % 4;
	party->phys_start = BAR + in[1] % 128 * PAGE;
	party->phys_end = party->phys_start + in[2] % 8 * PAGE;
	party->type = in[2] / 8 % (MEMTYPE_TYPES + 1);
	party->source = in[1] / 128 + in[0] / 64;
	party->flags = in[0] / 4 % 16;
	memset(party->unit, in[0] & 1 ? '\x1b' : 0, sizeof(party->unit));
}

static void fill_request(struct event_request *request, const uint8_t *in)
{
	request->pci_address = (in[1] % 3) << 3;
	request->file_id = in[1] / 4 % 12;
	request->offset = in[2] % 8 * PAGE;
	request->size = in[2] / 8 * PAGE;
	request->region = in[3] % 2 ? 2 : EVENT_REGION_UNKNOWN;
	request->flags = in[3] / 2 % 2 ? EVENT_MAPPING_DEVICE_KNOWN : 0;
	request->what = in[3] / 4 % 3;
	request->denied = in[3] / 16 % 3;
	request->has_peer = in[3] / 64 % 3;
	request->kind = in[4] % (POLICY_KINDS + 1);
	request->action = in[4] / 8 % (POLICY_ACTIONS + 1);
	request->unknown = in[5] % (POLICY_UNKNOWN_REASONS + 1);
	request->given = in[5] / 16 % (MEMTYPE_TYPES + 1);
	memset(request->rule, in[4] & 64 ? 'r' : '\n', in[4] / 128 * sizeof(request->rule));
	fill_party(&request->party, in + 6);
	fill_party(&request->peer, in + 9);
}

static void fill(struct event *event, const uint8_t *in)
{
	switch (event->header.type) {
	case EVENT_OPEN:
	case EVENT_RELEASE:
	case EVENT_FILE:
		event->file.file_id = in[1] % 4;
		event->file.pci_address = (in[2] % 3) << 3;
		event->file.opened_ns = in[3];
		event->file.flags = in[4] % 8;
		memcpy(event->file.device, "0000:00:00.0", 12);
		event->file.device[9] = '0' + in[2] % 3;
		break;
	case EVENT_COOKIE:
	case EVENT_COOKIE_RELEASE:
	case EVENT_COOKIE_LIVE:
		fill_cookie(&event->cookie, in);
		break;
	case EVENT_MAP:
	case EVENT_COPY:
	case EVENT_UNMAP:
	case EVENT_MAPPING:
		fill_mapping(&event->mapping, in);
		break;
	case EVENT_POPULATE:
	case EVENT_PAGES:
		fill_pages(&event->pages, in);
		break;
	case EVENT_REQUEST:
		fill_request(&event->request, in);
		break;
	case EVENT_REVOKE:
		event->revoke.scope = in[1] % 3;
		event->revoke.pci_address = (in[2] % 3) << 3;
		event->revoke.phys_start = BAR + in[3] % 128 * PAGE;
		event->revoke.phys_end = event->revoke.phys_start + in[4] % 64 * PAGE;
		break;
	case EVENT_RESERVATION:
		event->reservation.phys_start = BAR + in[1] % 128 * PAGE;
		event->reservation.phys_end = event->reservation.phys_start + in[2] % 64 * PAGE;
		event->reservation.requested = in[3] % (MEMTYPE_TYPES + 1);
		event->reservation.given = in[4] % (MEMTYPE_TYPES + 1);
		break;
	case EVENT_DEVICE:
		fill_device(&event->device, in);
		break;
	case EVENT_LOST:
		event->lost.type = in[1] % (EVENT_KERNEL_TYPES + 1);
		event->lost.count = in[2];
		break;
	default:
		memcpy((uint8_t *)event + sizeof(event->header), in, BYTES);
	}
}

static struct event make(const uint8_t *in, uint64_t *now)
{
	static const uint16_t types[] = {
		EVENT_MAP,      EVENT_MAP,    EVENT_MAPPING,     EVENT_PAGES,
		EVENT_POPULATE, EVENT_COPY,   EVENT_UNMAP,       EVENT_OPEN,
		EVENT_FILE,     EVENT_REVOKE, EVENT_RESERVATION, EVENT_DEVICE,
		EVENT_COOKIE,   EVENT_LOST,   EVENT_RELEASE,     EVENT_COOKIE_RELEASE,
		EVENT_REQUEST,
	};
	struct event event = {};

	event.header.version = EVENT_VERSION;
	event.header.type = types[in[0] % (sizeof(types) / sizeof(types[0]))];
	event.header.size = event_size(event.header.type);
	event.header.origin =
		event.header.type < EVENT_KERNEL_TYPES ? EVENT_ORIGIN_KERNEL : EVENT_ORIGIN_SCAN;
	event.header.sequence = in[0] / 32;
	*now += in[0] % 3;
	event.header.time_ns = *now;
	event.header.who.tgid = in[11] % 5;
	event.header.who.start_ns = in[11] % 5;
	memcpy(event.header.who.comm, in, BYTES);
	fill(&event, in);
	return event;
}

struct heard {
	uint64_t opened, closed;
};

static void hear(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	struct heard *heard = userdata;

	heard->opened += what == FINDING_OPENED;
	heard->closed += what == FINDING_CLOSED;
	REQUIRE(finding->active == (what != FINDING_CLOSED));
}

static void check(const struct model *model, const struct heard *heard)
{
	static const struct finding *list[LISTED];
	struct finding_counts counts;
	size_t n = findings_list(model->findings, false, 0, list, LISTED);

	finding_counts(model->findings, &counts);
	REQUIRE(counts.active[0] + counts.active[1] + counts.active[2] == n);
	REQUIRE(heard->opened - heard->closed == n);
	REQUIRE(!counts.refused || n == 16);
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = 0;

		REQUIRE(i == 0 || list[i - 1]->id < list[i]->id);
		for (unsigned int j = 0; j < list[i]->n_parties; j++)
			REQUIRE(ledger_mapping(model->ledger, list[i]->parties[j].mapping)->live);
		for (unsigned int j = 0; j < list[i]->n_ranges; j++) {
			REQUIRE(list[i]->ranges[j].start < list[i]->ranges[j].end);
			REQUIRE(j == 0 || list[i]->ranges[j - 1].end < list[i]->ranges[j].start);
			bytes += list[i]->ranges[j].end - list[i]->ranges[j].start;
		}
		REQUIRE(list[i]->ranges_cut ? bytes < list[i]->bytes : bytes == list[i]->bytes);
	}
}

static void ask(const struct model *model)
{
	struct row_filter filter = {.all = true};
	struct json_object *rows = json_object_new_array();
	struct explain_subject subjects[] = {
		{.kind = EXPLAIN_ADDRESS,
		 .pid = 1,
		 .address = 0x7f0000003008,
		 .region = EVENT_REGION_UNKNOWN},
		{.kind = EXPLAIN_DEVICE, .device = "0000:00:01.0", .region = EVENT_REGION_UNKNOWN},
		{.kind = EXPLAIN_DEVICE, .device = "0000:00:01.0", .region = 2},
		{.kind = EXPLAIN_DEVICE,
		 .device = "0000:00:00.0",
		 .region = 2,
		 .offset = 8192,
		 .offset_given = true},
	};

	REQUIRE(snapshot_devices(model->ledger, model->findings, &filter, &utc, 0, 100, rows) == 0);
	REQUIRE(snapshot_mappings(model->ledger, model->policy, &filter, &utc, 0, 100, rows) == 0);
	REQUIRE(snapshot_conflicts(model->findings, model->ledger, model->policy, &filter, &utc, 0, 100,
				   rows) == 0);
	REQUIRE(snapshot_lint(model->lints, MEMTYPE_ARCH_X86_64, &filter, &utc, 0, 100, rows) == 0);
	serialise(rows);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		serialise(explain(model, &utc, &subjects[i]));
}

/* The words of the command line: any bytes. */
static void parse(const uint8_t *data, size_t size)
{
	char text[64] = {};
	char *words[] = {text, text};
	struct explain_subject subject;

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	for (size_t n = 1; n <= 2; n++) {
		const char *error = explain_parse(words, n, &subject);

		REQUIRE(error || subject.kind == (n == 1 ? EXPLAIN_DEVICE : EXPLAIN_ADDRESS));
		REQUIRE(!error || error[0]);
	}
}

static const struct policy *make_policy(void)
{
	static const char text[] = "[Policy]\nMode=enforce\nOnUnknown=deny\n"
				   "[Rule unit]\nKind=alias\nTypes=wc/uc\nUnit=vm*.scope\nAction=deny\n"
				   "[Rule one]\nDevice=00:01.0\nKind=promotion\nAction=kill\n"
				   "[Rule rest]\nKind=request\nTypes=wc\nAction=log\n";
	const struct policy_text file = {.path = "fuzz.conf", .text = text, .length = sizeof(text) - 1};
	char error[POLICY_ERROR_LEN];
	enum policy_outcome outcome;
	struct policy *policy;

	REQUIRE(policy_parse(&policy, &file, 1, NULL, NULL, &outcome, error) == 0);
	REQUIRE(outcome == POLICY_OK);
	return policy;
}

/* A decision is told and judged, or refused. */
static void tell(const struct model *model, const struct event *event, const struct change *change)
{
	bool good = request_is_good(&event->request);

	REQUIRE(good == (change->kind == CHANGE_REQUEST));
	serialise(snapshot_event(model->ledger, &utc, event, change));
	if (good)
		REQUIRE(policy_judge_request(model->policy, model->ledger, &event->request).action <
			POLICY_ACTIONS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct finding_limits limits = {.active = 16, .history = 8};
	struct heard heard = {};
	struct model model;
	uint64_t now = 1;

	parse(data, size);
	REQUIRE(model_init(&model, MEMTYPE_ARCH_X86_64) == 0);
	findings_free(model.findings);
	REQUIRE(findings_new(&model.findings, &limits) == 0);
	model.policy = make_policy();
	for (; size >= BYTES; data += BYTES, size -= BYTES) {
		struct event event = make(data, &now);
		struct model_change change;

		REQUIRE(model_apply(&model, &event, &change, hear, &heard) == 0);
		check(&model, &heard);
		if (event.header.type == EVENT_REQUEST)
			tell(&model, &event, &change.change);
	}
	ask(&model);
	model_done(&model);
	policy_free((struct policy *)model.policy);
	return 0;
}
