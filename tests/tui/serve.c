/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * serve SOCKET CAPTURE: the real bus of the daemon over the ledger of a capture. Reads orders from standard
 * input, one a line, and answers each with a line: "N" applies the next N events of the capture; "map N"
 * makes N mappings of a device of its own; "busy N" then maps and unmaps one of them, N events a second;
 * "lose N" tells of N lost ones; "policy FILE" puts a policy in force.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-event.h>

#include "capture.h"
#include "core/history.h"
#include "sink/bus.h"

#define BAR   0x380000000000ULL
#define PAGE  4096ULL
#define FIRST (1ULL << 40) /* ids of what is made up */

struct server {
	sd_event *event;
	struct model model;
	struct history *history;
	struct bus *bus;
	struct capture_reader reader;
	uint64_t now_ns, made, round;
	unsigned int rate;
	uint64_t lost;
	struct policy *policy;
};

static int refresh(void *userdata, unsigned int what)
{
	(void)userdata, (void)what;
	return 0;
}

static const struct model *get_model(void *userdata)
{
	return &((struct server *)userdata)->model;
}

static const struct history *get_history(void *userdata)
{
	return ((struct server *)userdata)->history;
}

static void get_status(void *userdata, struct status *ret)
{
	struct server *server = userdata;

	*ret = (struct status){.version = "0.1",
			       .recorder_known = true,
			       .ring_size = 2 << 20,
			       .started_ns = 1000000000,
			       .now_ns = 61000000000,
			       .policy_known = true,
			       .policy_digest = "6d0c0ffee4",
			       .policy_rules = 2};
	if (server->policy)
		snprintf(ret->policy_digest, sizeof(ret->policy_digest), "%s", policy_digest(server->policy));
	for (unsigned int type = 1; type < EVENT_KERNEL_TYPES; type++)
		ret->recorder.generated[type] = ret->recorder.delivered[type] = 7 * type;
	ret->recorder.lost[EVENT_POPULATE] = server->lost;
	ret->recorder.generated[EVENT_POPULATE] += server->lost;
	ret->n_points = 2;
	ret->points[0] = (struct attach_point){.name = "fexit/vfio_device_fops_mmap",
					       .module = "vfio",
					       .purpose = "mappings",
					       .state = POINT_ATTACHED};
	ret->points[1] = (struct attach_point){.name = "fexit/memtype_reserve",
					       .module = "vmlinux",
					       .purpose = "reservations",
					       .reason = "not in this kernel's BTF",
					       .state = POINT_MISSING};
}

static void get_clock(void *userdata, struct snapshot_clock *ret)
{
	ret->realtime_offset_ns = ((struct server *)userdata)->reader.header.realtime_offset_ns;
}

static void apply(struct server *server, const struct event *event)
{
	struct model_change change;

	if (model_apply(&server->model, event, &change, NULL, NULL) < 0)
		abort();
	history_add(server->history, event);
	if (event->header.time_ns > server->now_ns)
		server->now_ns = event->header.time_ns;
	if (event->header.type == EVENT_LOST)
		server->lost += event->lost.count;
}

static void next_events(struct server *server, unsigned long n)
{
	struct event event;

	while (n-- > 0 && capture_next(&server->reader, &event) == CAPTURE_EVENT)
		apply(server, &event);
	model_settle(&server->model, NULL, NULL);
	bus_events_added(server->bus);
}

static void lose(struct server *server, uint64_t n)
{
	struct event event = {.header = {.version = EVENT_VERSION,
					 .type = EVENT_LOST,
					 .size = event_size(EVENT_LOST),
					 .origin = EVENT_ORIGIN_SCAN,
					 .time_ns = server->now_ns + 1000},
			      .lost = {.type = EVENT_POPULATE, .count = n}};

	apply(server, &event);
	bus_events_added(server->bus);
}

static struct event made_event(struct server *server, enum event_type type, uint64_t n)
{
	struct event event = {
		.header = {.version = EVENT_VERSION,
			   .type = (uint16_t)type,
			   .size = event_size(type),
			   .time_ns = server->now_ns += 1000,
			   .who = {.start_ns = 5000, .tgid = 4000 + (uint32_t)n % 16, .comm = "maker"}}};

	event.mapping.mapping_id = FIRST + server->round * 1000000 + n;
	event.mapping.pci_address = EVENT_PCI_ADDRESS(0, 0x81, 0);
	event.mapping.start = 0x7f0000000000ULL + n * 4 * PAGE;
	event.mapping.end = event.mapping.start + PAGE;
	event.mapping.offset = n * PAGE;
	event.mapping.phys_start = BAR + n * PAGE;
	event.mapping.page_prot = n % 3 ? 0x10 : 0x8; /* PCD, PWT */
	event.mapping.region = 2;
	event.mapping.source = SOURCE_SYSFS;
	event.mapping.flags =
		EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_OFFSET_KNOWN | EVENT_MAPPING_DEVICE_KNOWN;
	return event;
}

static void make_mappings(struct server *server, uint64_t n)
{
	struct event event;

	for (uint64_t i = 0; i < n; i++) {
		event = made_event(server, EVENT_MAP, i);
		apply(server, &event);
	}
	server->made = n;
	bus_events_added(server->bus);
}

/* Its name is its digest. */
static void take_policy(struct server *server, const char *path)
{
	char text[4096], error[POLICY_ERROR_LEN];
	struct policy_text file = {.path = path, .text = text};
	FILE *in = fopen(path, "r");
	enum policy_outcome outcome;

	if (!in)
		abort();
	file.length = fread(text, 1, sizeof(text), in);
	fclose(in);
	policy_free(server->policy);
	if (policy_parse(&server->policy, &file, 1, NULL, NULL, &outcome, error) < 0 || outcome != POLICY_OK)
		abort();
	policy_set_digest(server->policy, strrchr(path, '/') + 1);
	server->model.policy = server->policy;
}

/* A hundredth of a second's worth. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct server *server = userdata;

	for (unsigned int i = 0; i < server->rate / 200 && server->made; i++) {
		struct event event = made_event(server, EVENT_UNMAP, 0);

		event.mapping.mapping_id = FIRST + server->round * 1000000;
		apply(server, &event);
		server->round++;
		event = made_event(server, EVENT_MAP, 0);
		apply(server, &event);
	}
	bus_events_added(server->bus);
	sd_event_source_set_time(source, usec + 10000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_order(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct server *server = userdata;
	unsigned long n;
	char line[256], path[256];

	(void)source, (void)fd, (void)events;
	if (!fgets(line, sizeof(line), stdin))
		return sd_event_exit(server->event, 0);
	if (sscanf(line, "map %lu", &n) == 1)
		make_mappings(server, n);
	else if (sscanf(line, "busy %lu", &n) == 1)
		server->rate = (unsigned int)n;
	else if (sscanf(line, "lose %lu", &n) == 1)
		lose(server, n);
	else if (sscanf(line, "policy %255s", path) == 1)
		take_policy(server, path);
	else
		next_events(server, strtoul(line, NULL, 10));
	if (server->rate)
		sd_event_add_time_relative(server->event, NULL, CLOCK_MONOTONIC, 10000, 0, on_time, server);
	puts("done");
	fflush(stdout);
	return 0;
}

static int run(struct server *server, const char *path)
{
	const struct bus_backend backend = {.userdata = server,
					    .refresh = refresh,
					    .model = get_model,
					    .history = get_history,
					    .status = get_status,
					    .clock = get_clock};
	const struct bus_parameters parameters = {.socket = path};
	int r = sd_event_default(&server->event);

	if (r >= 0)
		r = model_init(&server->model, server->reader.header.arch);
	if (r >= 0)
		r = history_new(&server->history, 4096);
	if (r >= 0)
		r = bus_new(&server->bus, server->event, &parameters, &backend);
	if (r >= 0)
		r = sd_event_add_io(server->event, NULL, 0, 1, on_order, server);
	if (r >= 0) {
		puts("ready");
		fflush(stdout);
		r = sd_event_loop(server->event);
	}
	server->bus = bus_free(server->bus);
	history_free(server->history);
	model_done(&server->model);
	policy_free(server->policy);
	sd_event_unref(server->event);
	return r;
}

int main(int argc, char **argv)
{
	static struct server server;
	FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
	int r;

	setvbuf(stdin, NULL, _IONBF, 0);
	if (!file || capture_open(&server.reader, file) != CAPTURE_EVENT) {
		fputs("serve SOCKET CAPTURE\n", stderr);
		return 2;
	}
	r = run(&server, argv[1]);
	if (r < 0)
		fprintf(stderr, "serve: %s\n", strerror(-r));
	fclose(file);
	return r < 0;
}
