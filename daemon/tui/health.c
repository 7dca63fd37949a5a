/* SPDX-License-Identifier: GPL-2.0-or-later */

/* How the recorder stands: what `vfiowatch status` tells, and how full and how costly it is. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/value.h"
#include "cli/when.h"
#include "tui/ui.h"

static void add_line(struct pages *pages, enum style style, const char *label, const char *text)
{
	pages_add(pages, text && *text ? style : STYLE_FAINT, 13, "%-12s %s", label,
		  text && *text ? text : "-");
}

static void add_value(struct pages *pages, struct json_object *status, const char *label, const char *key)
{
	add_line(pages, STYLE_PLAIN, label, value_text(row_value(status, key)));
}

static void add_list(struct pages *pages, struct json_object *status, const char *label, const char *key,
		     enum style style, const char *none)
{
	struct json_object *list = row_value(status, key);
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (!n)
		add_line(pages, STYLE_PLAIN, label, list ? none : NULL);
	for (size_t i = 0; i < n; i++)
		add_line(pages, style, i ? "" : label, value_text(json_object_array_get_idx(list, i)));
}

static void add_recording(struct pages *pages, struct json_object *status)
{
	const char *state = row_string(status, "recording"), *reason = row_string(status, "recording_reason");
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s%s", state ? state : "", reason ? ": " : "", reason ? reason : "",
		 row_true(status, "adopted") ? " (went on from an earlier daemon)" : "");
	add_line(pages, state && strcmp(state, "on") == 0 ? STYLE_GOOD : STYLE_BAD, "Recording", text);
}

/* Of each kernel event type: generated = delivered + lost. */
static void add_types(struct pages *pages, struct json_object *status)
{
	struct json_object *types = row_value(status, "kernel_types");
	char text[160];

	if (!json_object_is_type(types, json_type_array))
		return;
	snprintf(text, sizeof(text), "%-15s%10s%10s%6s", "", "generated", "delivered", "lost");
	add_line(pages, STYLE_FAINT, "By type", text);
	for (size_t i = 0; i < json_object_array_length(types); i++) {
		struct json_object *type = json_object_array_get_idx(types, i);
		const char *name = row_string(type, "type");
		uint64_t generated, delivered, lost;

		if (!row_number(type, "generated", &generated) ||
		    !row_number(type, "delivered", &delivered) || !row_number(type, "lost", &lost) ||
		    !generated)
			continue;
		snprintf(text, sizeof(text), "%-15s%10" PRIu64 "%10" PRIu64 "%6" PRIu64, name ? name : "-",
			 generated, delivered, lost);
		add_line(pages, lost ? STYLE_BAD : STYLE_PLAIN, "", text);
	}
}

static void add_ring(struct pages *pages, struct json_object *status)
{
	uint64_t size, used;
	char whole[SIZE_TEXT_MAX], part[SIZE_TEXT_MAX], text[128] = "";

	if (row_number(status, "ring_size", &size) && size) {
		if (row_number(status, "ring_used", &used))
			snprintf(text, sizeof(text), "%s of %s (%" PRIu64 " %%)", size_text(used, part),
				 size_text(size, whole), (uint64_t)((double)used * 100 / (double)size));
		else
			snprintf(text, sizeof(text), "- of %s", size_text(size, whole));
	}
	add_line(pages, STYLE_PLAIN, "Ring", text);
}

static void add_cost(struct pages *pages, struct json_object *status)
{
	uint64_t cpu, uptime, memory;
	char size[SIZE_TEXT_MAX], text[128] = "";
	int n = 0;

	if (row_number(status, "cpu_usec", &cpu) && row_number(status, "uptime", &uptime)) {
		n = snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64 " s of CPU", cpu / 1000000,
			     cpu / 1000 % 1000);
		if (uptime)
			n += snprintf(text + n, sizeof(text) - (size_t)n, " (%.2f %% of one core)",
				      (double)cpu / 1e4 / (double)uptime);
	}
	if (row_number(status, "memory", &memory))
		snprintf(text + n, sizeof(text) - (size_t)n, "%s%s of memory", n ? ", " : "",
			 size_text(memory, size));
	add_line(pages, STYLE_PLAIN, "Cost", text);
}

/* What the programs cost those whose calls they watch. */
static void add_run_time(struct pages *pages, struct json_object *status)
{
	uint64_t run_time, runs;
	char text[128] = "";

	if (row_number(status, "bpf_run_time_ns", &run_time) && row_number(status, "bpf_runs", &runs)) {
		int n = snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64 " ms in %" PRIu64 " runs",
				 run_time / 1000000, run_time / 1000 % 1000, runs);

		if (runs)
			snprintf(text + n, sizeof(text) - (size_t)n, ", %" PRIu64 " ns each",
				 run_time / runs);
	} else if (row_value(status, "bpf_stats")) {
		snprintf(text, sizeof(text), "- (sysctl kernel.bpf_stats_enabled=1 has it measured)");
	}
	add_line(pages, STYLE_PLAIN, "BPF run time", text);
}

static void add_policy(struct pages *pages, struct json_object *status)
{
	const char *digest = row_string(status, "policy_digest"), *how = row_string(status, "enforcing");
	const char *reason = row_string(status, "enforcing_reason");
	uint64_t rules;
	char text[512] = "";

	add_value(pages, status, "Mode", "mode");
	if (digest && row_number(status, "policy_rules", &rules))
		snprintf(text, sizeof(text), "%s (%" PRIu64 " rule%s)", digest, rules, rules == 1 ? "" : "s");
	add_line(pages, STYLE_PLAIN, "Policy", text[0] ? text : digest);
	snprintf(text, sizeof(text), "%s%s%s", how ? how : "no", reason ? ": " : "", reason ? reason : "");
	add_line(pages, reason ? STYLE_BAD : STYLE_PLAIN, "Enforcing", text);
	add_value(pages, status, "Denied", "denied");
	add_value(pages, status, "Would deny", "would_denied");
}

static void add_points(struct pages *pages, struct json_object *status)
{
	struct json_object *points = row_value(status, "points");

	if (!json_object_is_type(points, json_type_array)) {
		add_list(pages, status, "Attached", "attached", STYLE_PLAIN, "none");
		add_list(pages, status, "Missing", "missing", STYLE_BAD, "none");
		return;
	}
	for (size_t i = 0; i < json_object_array_length(points); i++) {
		struct json_object *point = json_object_array_get_idx(points, i);
		const char *name = row_string(point, "name"), *state = row_string(point, "state");
		const char *reason = row_string(point, "reason"), *purpose = row_string(point, "purpose");
		bool missing = state && strcmp(state, "missing") == 0;
		char text[640], cost[96] = "";
		uint64_t run_time, runs;

		if (row_number(point, "run_time_ns", &run_time) && row_number(point, "runs", &runs) && runs)
			snprintf(cost, sizeof(cost), ", %" PRIu64 " runs of %" PRIu64 " ns", runs,
				 run_time / runs);

		snprintf(text, sizeof(text), "%-9s %s%s%s%s", state ? state : "-", name ? name : "-",
			 reason || purpose ? ": " : "",
			 reason    ? reason
			 : purpose ? purpose
				   : "",
			 cost);
		add_line(pages, missing ? STYLE_BAD : STYLE_PLAIN, i ? "" : "Attach", text);
	}
}

/* While there is no daemon all the rest is as it was. */
static void add_link(struct pages *pages, const struct world *world)
{
	char since[WHEN_TEXT_MAX], text[512];

	if (!world_is_stale(world))
		return;
	when_text(world->lost_at_ns, since);
	if (world->link == LINK_LOST)
		snprintf(text, sizeof(text), "gone since %s, tried again every few seconds: %s", since,
			 world->link_text);
	else if (world->link == LINK_BACK)
		snprintf(text, sizeof(text), "back; what is frozen is from before it was gone at %s", since);
	else
		snprintf(text, sizeof(text), "has not answered since %s", since);
	add_line(pages, STYLE_BAD, "Daemon", text);
	add_line(pages, STYLE_BAD, "Stale", "what follows is as it was then");
}

static void fill_live(struct pages *pages, const struct world *world)
{
	struct json_object *status = world->status;
	char text[DURATION_TEXT_MAX];
	uint64_t seconds;

	add_link(pages, world);
	add_recording(pages, status);
	add_list(pages, status, "Degraded", "degraded", STYLE_BAD, "no");
	add_value(pages, status, "Events", "events");
	add_value(pages, status, "Lost", "lost");
	add_types(pages, status);
	add_value(pages, status, "Skipped", "skipped");
	add_ring(pages, status);
	add_cost(pages, status);
	add_run_time(pages, status);
	add_policy(pages, status);
	if (world->policy_unread)
		add_line(pages, STYLE_BAD, "Verdicts", "- (of mappings: the policy is of another version)");
	add_line(pages, STYLE_PLAIN, "Uptime",
		 row_number(status, "uptime", &seconds) ? duration_text(seconds, text) : NULL);
	add_value(pages, status, "Version", "version");
	add_value(pages, status, "Clients", "clients");
	add_value(pages, status, "Readings", "readings");
	add_value(pages, status, "Audits", "audits");
	add_points(pages, status);
}

static void add_number(struct pages *pages, const char *label, uint64_t number, bool bad)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	add_line(pages, bad ? STYLE_BAD : STYLE_PLAIN, label, text);
}

static void fill_replay(struct ui *ui, struct pages *pages)
{
	const struct world *world = ui->world;
	struct ledger_counts counts;
	char text[WHEN_TEXT_MAX];
	uint64_t lost = 0;

	ledger_counts(world->ledger.model.ledger, &counts);
	for (unsigned int type = 0; type < EVENT_KERNEL_TYPES; type++)
		lost += counts.lost[type];
	add_line(pages, STYLE_PLAIN, "Capture", world->ledger.path);
	add_line(pages, STYLE_PLAIN, "From",
		 when_text((int64_t)ui->player->start_ns + world->ledger.clock.realtime_offset_ns, text));
	add_line(pages, STYLE_PLAIN, "To",
		 when_text((int64_t)ui->player->end_ns + world->ledger.clock.realtime_offset_ns, text));
	add_number(pages, "Events", ui->player->n_events, false);
	add_number(pages, "Shown", ui->player->position, false);
	add_number(pages, "Lost", lost, lost);
	add_number(pages, "Refused", counts.refused, counts.refused);
	add_number(pages, "Devices", counts.devices, false);
	add_number(pages, "Open files", counts.files, false);
	add_number(pages, "Cookies", counts.cookies, false);
	add_number(pages, "Mappings", counts.mappings, false);
	/* What a capture does not tell. */
	add_line(pages, STYLE_PLAIN, "Attach", NULL);
	add_line(pages, STYLE_PLAIN, "Policy", NULL);
	add_line(pages, STYLE_PLAIN, "Ring", NULL);
	add_line(pages, STYLE_PLAIN, "Cost", NULL);
}

void fill_health(struct ui *ui)
{
	struct pages *pages = &ui->health;

	pages_clear(pages);
	if (ui->player && ui->world->has_ledger)
		fill_replay(ui, pages);
	else if (ui->world->status)
		fill_live(pages, ui->world);
	else
		pages_add(pages, STYLE_FAINT, 0, "Nothing is known of the daemon yet.");
}
