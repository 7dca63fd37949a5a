/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "events.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus_server.h"
#include "policies.h"

struct order {
	enum server_order order;
	uint64_t n;
};

struct state {
	sd_event *event;
	struct model model;
	struct history *history;
	struct bus *bus;
	uint64_t mappings, refreshes, last_refresh, state_changes;
	int refresh_error;
	uint64_t burn;
	enum server_reload reload;
	struct policy *policy;
};

static int refresh(void *userdata, unsigned int what)
{
	struct state *state = userdata;

	struct timespec used;
	uint64_t end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	end = used.tv_sec * 1000ULL + used.tv_nsec / 1000000 + state->burn;
	while (used.tv_sec * 1000ULL + used.tv_nsec / 1000000 < end)
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	state->refreshes++;
	state->last_refresh = what;
	return -state->refresh_error;
}

static const struct model *get_model(void *userdata)
{
	return &((struct state *)userdata)->model;
}

static const struct history *get_history(void *userdata)
{
	return ((struct state *)userdata)->history;
}

static void get_status(void *userdata, struct status *ret)
{
	(void)userdata;
	*ret = (struct status){.started_ns = 1000000000, .now_ns = 3000000000, .recorder_known = true};
	snprintf(ret->degraded[ret->n_degraded++], STATUS_REASON_LEN, "for the test");
	ret->policy_known = true;
	ret->mode = POLICY_ENFORCE;
	snprintf(ret->policy_digest, sizeof(ret->policy_digest), "ab12");
	ret->policy_rules = 2;
	ret->denied = 5;
	ret->would_denied = 6;
	ret->killed = 7;
	ret->enforcing = ENFORCING_FMOD_RET;
	ret->enforcer = (struct enforcer_counters){.decided = 9, .unplaced = 1};
	ret->enforcer.unknown[POLICY_UNKNOWN_FULL] = ret->enforcer.unknown[POLICY_UNKNOWN_TYPE] = 2;
}

static void get_clock(void *userdata, struct snapshot_clock *ret)
{
	(void)userdata;
	*ret = (struct snapshot_clock){.realtime_offset_ns = 1700000000000000000};
}

static int probe(void *userdata, char **ret_json)
{
	(void)userdata;
	*ret_json =
		strdup("{\"checks\":[{\"name\":\"btf\",\"ok\":true,\"detail\":\"there\",\"remedy\":null}]}");
	return *ret_json ? 0 : -ENOMEM;
}

static int reload(void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN])
{
	struct state *state = userdata;

	*outcome = state->reload == RELOAD_REFUSED ? POLICY_REFUSED : POLICY_OK;
	snprintf(error, POLICY_ERROR_LEN, "%s", RELOAD_ERROR);
	if (state->reload == RELOAD_FAILS)
		return -EIO;
	if (state->reload == RELOAD_REFUSED)
		return 0;
	policy_free(state->policy);
	state->policy = make_policy(state->reload == RELOAD_ENFORCE ? "[Policy]\nMode=enforce\n" TEST_RULES
								    : "[Policy]\nMode=audit\n" TEST_RULES);
	state->model.policy = state->policy;
	return 0;
}

static void system_bus(void *userdata, enum bus_system_state bus_state, int error)
{
	(void)bus_state, (void)error;
	((struct state *)userdata)->state_changes++;
}

static void add(struct state *state, struct event event)
{
	struct model_change change;

	if (model_apply(&state->model, &event, &change, NULL, NULL) < 0 ||
	    change.change.kind == CHANGE_REFUSED)
		abort();
	history_add(state->history, &event);
}

/* A BAR of the device that no cookie was issued for. */
#define BAR_0 0x383900000000ULL

/* Mapping n is page n % 4096 of the BAR at an address of its own; odd ones are of process 11, even ones
 * of 10. */
static void map(struct state *state)
{
	uint64_t n = ++state->mappings;
	struct event event = mapping_event(EVENT_MAP, n, 1, 0x7f0000000000 + n * 2 * PAGE, n % 4096, 1);

	if (n % 10 == 0)
		event.mapping.page_prot = PROT_WC;
	add(state, by(event, 10 + n % 2));
}

/* All pages of mapping n are there, and write-combining. */
static void populate(struct state *state, uint64_t n)
{
	const struct mapping *mapping = ledger_mapping(state->model.ledger, n);
	struct event event = make_event(EVENT_POPULATE);

	event.pages.mapping_id = n;
	event.pages.start = mapping->start;
	event.pages.end = mapping->end;
	event.pages.n_runs = 1;
	event.pages.runs[0] = (struct event_page_run){
		.start = mapping->start,
		.end = mapping->end,
		.phys_start = mapping->phys_start,
		.type = MEMTYPE_WC,
		.leaf = LEAF_4K,
	};
	add(state, at(by(event, 10), 2000));
}

static void map_sysfs(struct state *state, uint64_t n)
{
	uint64_t id = ++state->mappings;
	struct event event = mapping_event(EVENT_MAP, id, 0, 0x7d0000000000, 0, n);

	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.offset = 0;
	event.mapping.page_prot = PROT_WC;
	event.mapping.source = SOURCE_SYSFS;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_NO_FAULT;
	add(state, by(event, 12));
	populate(state, id);
}

static void reserve(struct state *state, uint64_t n)
{
	struct event event = make_event(EVENT_RESERVATION);

	event.reservation.phys_start = BAR_2;
	event.reservation.phys_end = BAR_2 + n * PAGE;
	event.reservation.requested = MEMTYPE_UC_MINUS;
	event.reservation.given = MEMTYPE_WC;
	add(state, by(event, 10));
}

static void take_pages(struct state *state, uint64_t n)
{
	struct event event = make_event(EVENT_REVOKE);

	event.revoke.phys_start = BAR_2;
	event.revoke.phys_end = BAR_2 + n * PAGE;
	event.revoke.scope = REVOKE_IOMEM;
	add(state, at(by(event, 10), 3000));
}

static void request(struct state *state)
{
	add(state, by(request_event(0, 1, MEMTYPE_WC), 10));
	add(state, by(denied_by_alias(request_event(1, 1, MEMTYPE_WC), 12, 1, MEMTYPE_UC_MINUS), 10));
}

/* Maps n pages of region 0, whose offset was never issued. */
static void map_unissued(struct state *state, uint64_t n)
{
	uint64_t id = ++state->mappings;
	struct event event = mapping_event(EVENT_MAP, id, 1, 0x7e0000000000, 0, n);

	event.mapping.offset = PAGE;
	event.mapping.region = 0;
	event.mapping.phys_start = BAR_0;
	add(state, by(event, 10));
}

static int on_order(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct state *state = userdata;
	struct server_report report = {};
	struct order order;

	(void)source, (void)revents;
	if (recv(fd, &order, sizeof(order), 0) != sizeof(order))
		return sd_event_exit(state->event, 1);
	if (order.order == SERVER_MAP)
		for (uint64_t i = 0; i < order.n; i++)
			map(state);
	if (order.order == SERVER_MAP_UNISSUED)
		map_unissued(state, order.n);
	if (order.order == SERVER_POPULATE)
		populate(state, order.n);
	if (order.order == SERVER_MAP_SYSFS)
		map_sysfs(state, order.n);
	if (order.order == SERVER_RESERVE)
		reserve(state, order.n);
	if (order.order == SERVER_REVOKE)
		take_pages(state, order.n);
	if (order.order == SERVER_UNMAP)
		add(state, by(mapping_event(EVENT_UNMAP, order.n, 0, 0, 0, 0), 10));
	if (order.order == SERVER_REQUEST)
		for (uint64_t i = 0; i < order.n; i++)
			request(state);
	if (order.order == SERVER_RELOAD)
		state->reload = order.n;
	if (order.order == SERVER_BURN)
		state->burn = order.n;
	if (order.order == SERVER_FAIL_REFRESH)
		state->refresh_error = order.n;
	bus_events_added(state->bus);

	bus_stats(state->bus, &report.stats);
	report.history_end = history_end(state->history);
	report.refreshes = state->refreshes;
	report.last_refresh = state->last_refresh;
	report.state_changes = state->state_changes;
	if (send(fd, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report))
		return sd_event_exit(state->event, 1);
	return order.order == SERVER_STOP ? sd_event_exit(state->event, 0) : 0;
}

gid_t server_readers;

static int serve(const char *path, size_t history_capacity, bool on_system_bus, int control)
{
	struct bus_parameters parameters = {
		.socket = path, .system_bus = on_system_bus, .readers = server_readers};
	struct state state = {};
	struct bus_backend backend = {
		.userdata = &state,
		.refresh = refresh,
		.model = get_model,
		.history = get_history,
		.status = get_status,
		.clock = get_clock,
		.probe = probe,
		.reload = reload,
		.system_bus = system_bus,
	};
	struct server_report report = {};
	int code = 1;

	if (sd_event_new(&state.event) < 0 || model_init(&state.model, MEMTYPE_ARCH_X86_64) < 0 ||
	    history_new(&state.history, history_capacity) < 0)
		abort();
	add(&state, device_event(FIRST_DEVICE, true));
	add(&state, by(file_event(EVENT_OPEN, 1), 10));
	add(&state, by(cookie_event(EVENT_COOKIE, 1, 1, 1), 10));

	report.result = bus_new(&state.bus, state.event, &parameters, &backend);
	if (send(control, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report))
		abort();
	if (report.result == 0 && sd_event_add_io(state.event, NULL, control, EPOLLIN, on_order, &state) >= 0)
		code = sd_event_loop(state.event);
	bus_free(state.bus);
	history_free(state.history);
	model_done(&state.model);
	policy_free(state.policy);
	sd_event_unref(state.event);
	return code;
}

static struct server_report receive(struct server *server)
{
	struct server_report report;

	assert_int_equal(recv(server->control, &report, sizeof(report), 0), sizeof(report));
	return report;
}

int server_start(struct server *server, const char *path, size_t history_capacity, bool on_system_bus)
{
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		exit(serve(path, history_capacity, on_system_bus, pair[1]));
	}
	close(pair[1]);
	server->control = pair[0];
	r = receive(server).result;
	if (r < 0) {
		waitpid(server->pid, NULL, 0);
		close(server->control);
	}
	return r;
}

struct server_report server_order(struct server *server, enum server_order what, uint64_t n)
{
	struct order order = {.order = what, .n = n};

	assert_int_equal(send(server->control, &order, sizeof(order), MSG_NOSIGNAL), sizeof(order));
	return receive(server);
}

void server_stop(struct server *server)
{
	int status;

	server_order(server, SERVER_STOP, 0);
	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(server->control);
}

void server_kill(struct server *server)
{
	assert_int_equal(kill(server->pid, SIGKILL), 0);
	assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
	close(server->control);
}
