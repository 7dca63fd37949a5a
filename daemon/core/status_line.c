// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "core/sentence.h"
#include "core/status.h"

/* As many digits as the journal has. */
#define DIGEST_SHOWN 16

static void add_degraded(struct sentence *sentence, const struct status *status)
{
	if (status->n_degraded == 0)
		return;
	sentence_add(sentence, "degraded: ");
	sentence_text(sentence, status->degraded[0], STATUS_REASON_LEN);
	if (status->n_degraded > 1)
		sentence_add(sentence, " (and %zu more: vfiowatch status)", status->n_degraded - 1);
	sentence_add(sentence, "; ");
}

static void add_recording(struct sentence *sentence, const struct status *status)
{
	if (status->recording == RECORDING_ON)
		sentence_add(sentence, "recording");
	else if (status->recording == RECORDING_WAITING)
		sentence_text(sentence, status->recording_reason, STATUS_REASON_LEN);
	else
		sentence_add(sentence, "not recording");
}

static void add_policy(struct sentence *sentence, const struct status *status)
{
	bool enforce = status->mode == POLICY_ENFORCE;

	if (!status->policy_known)
		return;
	sentence_add(sentence, "; mode %s%s, policy %.*s; %" PRIu64 " %s", policy_mode_name(status->mode),
		     enforce && status->enforcing == ENFORCING_OFF ? " (off)" : "", DIGEST_SHOWN,
		     status->policy_digest, enforce ? status->denied : status->would_denied,
		     enforce ? "denied" : "would be denied");
}

static void add_lost(struct sentence *sentence, const struct status *status)
{
	uint64_t lost = 0;

	if (!status->recorder_known)
		return;
	for (unsigned int type = 1; type < EVENT_KERNEL_TYPES; type++)
		lost += status->recorder.lost[type];
	sentence_add(sentence, "; %" PRIu64 " events lost", lost);
	if (status->skipped)
		sentence_add(sentence, ", %" PRIu64 " program runs skipped", status->skipped);
}

char *status_line(const struct status *status, const struct ledger_counts *counts,
		  const struct finding_counts *findings, char *out, size_t size)
{
	struct sentence sentence = sentence_new(out, size);
	uint64_t conflicts = 0;

	for (unsigned int kind = 0; kind < FINDING_KINDS; kind++)
		conflicts += findings->active[kind];
	add_degraded(&sentence, status);
	add_recording(&sentence, status);
	add_policy(&sentence, status);
	sentence_add(&sentence, "; %" PRIu64 " mappings, %" PRIu64 " active conflicts", counts->mappings,
		     conflicts);
	add_lost(&sentence, status);
	return out;
}
