/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding.h"

#include <inttypes.h>

#include "core/sentence.h"

const char *finding_kind_name(enum finding_kind kind)
{
	switch (kind) {
	case FINDING_ALIAS:
		return "alias";
	case FINDING_PROMOTION:
		return "promotion";
	case FINDING_DEMOTION:
		return "demotion";
	default:
		return NULL;
	}
}

const char *finding_severity_name(enum finding_severity severity)
{
	switch (severity) {
	case SEVERITY_LOW:
		return "low";
	case SEVERITY_HIGH:
		return "high";
	case SEVERITY_CRITICAL:
		return "critical";
	default:
		return NULL;
	}
}

const char *finding_cause_name(enum finding_cause cause)
{
	switch (cause) {
	case CAUSE_EARLIER_MAPPING:
		return "earlier-mapping";
	case CAUSE_DEVICE_OPEN:
		return "device-open";
	case CAUSE_DRIVER:
		return "driver";
	default:
		return NULL;
	}
}

static void add_where(struct sentence *sentence, const struct finding *finding)
{
	sentence_bytes(sentence, finding->bytes);
	sentence_add(sentence, " of ");
	sentence_bar(sentence, finding->device, finding->region);
	if (!finding->n_ranges)
		return;
	sentence_add(sentence, " at 0x%" PRIx64, finding->ranges[0].start);
	if (finding->n_ranges > 1)
		sentence_add(sentence, " and in %s%u other places", finding->ranges_cut ? "more than " : "",
			     finding->n_ranges - 1);
}

static void add_side(struct sentence *sentence, const struct finding *finding, const struct party *party,
		     enum memtype_arch arch)
{
	sentence_type(sentence, arch, party->type);
	sentence_add(sentence, " through ");
	sentence_source(sentence, party->source, finding->region, party->requested);
}

/* What two types on the same bytes may do. */
static void add_alias_effect(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	if (finding->severity == SEVERITY_CRITICAL)
		sentence_add(sentence,
			     " A cache may hold what the device has changed since, and write it back "
			     "later.");
	else
		sentence_add(sentence, " Writes through the write-combining one may be merged, delayed and "
				       "reordered against the others.");
	if (arch == MEMTYPE_ARCH_X86_64)
		sentence_add(sentence,
			     " Intel does not support two memory types on one page: what happens is "
			     "undefined.");
	else if (arch == MEMTYPE_ARCH_ARM64)
		sentence_add(sentence,
			     " To Arm these are mismatched attributes: the guarantees of the stricter "
			     "type are lost for both.");
}

static void explain_alias(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	const struct party *first = &finding->parties[0], *second = &finding->parties[1];
	bool same = first->process.tgid && first->process.tgid == second->process.tgid &&
		    first->process.start_ns == second->process.start_ns;

	sentence_process(sentence, &first->process, first->comm);
	if (!same) {
		sentence_add(sentence, " and ");
		sentence_process(sentence, &second->process, second->comm);
	}
	sentence_add(sentence, same ? " maps the same bytes twice (" : " map the same bytes (");
	add_where(sentence, finding);
	sentence_add(sentence, "): ");
	add_side(sentence, finding, first, arch);
	sentence_add(sentence, ", and ");
	add_side(sentence, finding, second, arch);
	sentence_add(sentence, ".");
	add_alias_effect(sentence, finding, arch);
}

static const char *deviation_effect(const struct finding *finding)
{
	if (finding->kind == FINDING_DEMOTION)
		return "accesses are slower than the program expects; their order is safe.";
	if (finding->severity == SEVERITY_CRITICAL)
		return "a cache may answer in place of the device, and writes may reach it late or never.";
	return "writes may be merged, delayed and reordered where the program relies on their order.";
}

static void add_earlier(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	const struct party *cause = &finding->cause_party;

	sentence_add(sentence, " ");
	sentence_process(sentence, &cause->process, cause->comm);
	sentence_add(sentence, " had ");
	sentence_source(sentence, cause->source, finding->region, cause->requested);
	if (finding->cause_phys_end > finding->cause_phys_start) {
		sentence_add(sentence, " (");
		sentence_bytes(sentence, finding->cause_phys_end - finding->cause_phys_start);
		sentence_add(sentence, " at 0x%" PRIx64 ")", finding->cause_phys_start);
	}
	sentence_add(sentence, " mapped as ");
	sentence_type(sentence, arch, cause->requested);
	sentence_add(sentence,
		     finding->cause_before_open ? " before VFIO opened the device" : " before this mapping");
	sentence_add(sentence,
		     "; x86 PAT gives every later mapping of the bytes, and VFIO the whole BAR, the "
		     "type of the first reservation.");
}

static void add_open(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	sentence_add(sentence, " VFIO has the device open, by ");
	sentence_process(sentence, &finding->cause_party.process, finding->cause_party.comm);
	sentence_add(sentence, ", and has reserved the BAR as ");
	sentence_type(sentence, arch, finding->parties[0].type);
	sentence_add(sentence, "; x86 PAT gives every later mapping that type.");
}

static void add_reservation(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	const struct finding_reservation *told = &finding->reservation;

	if (told->given == MEMTYPE_UNKNOWN)
		return;
	sentence_add(sentence, " The kernel reserved 0x%" PRIx64 " to 0x%" PRIx64 " as ", told->phys_start,
		     told->phys_end);
	sentence_type(sentence, arch, told->given);
	if (told->requested != told->given && told->requested != MEMTYPE_UNKNOWN) {
		sentence_add(sentence, ", though asked for ");
		sentence_type(sentence, arch, told->requested);
	}
	sentence_add(sentence, ", on behalf of ");
	sentence_process(sentence, &told->process, told->comm);
	sentence_add(sentence, ".");
}

static void add_cause(struct sentence *sentence, const struct finding *finding, enum memtype_arch arch)
{
	switch (finding->cause) {
	case CAUSE_EARLIER_MAPPING:
		add_earlier(sentence, finding, arch);
		break;
	case CAUSE_DEVICE_OPEN:
		add_open(sentence, finding, arch);
		break;
	case CAUSE_DRIVER:
		sentence_add(sentence, " The device is bound to a driver other than vfio-pci, and no earlier "
				       "mapping explains it: that driver decides the type.");
		break;
	default:
		sentence_add(sentence, " The cause is not known: no mapping that was seen explains it.");
	}
	add_reservation(sentence, finding, arch);
}

static void explain_deviation(struct sentence *sentence, const struct finding *finding,
			      enum memtype_arch arch)
{
	const struct party *party = &finding->parties[0];

	sentence_process(sentence, &party->process, party->comm);
	sentence_add(sentence, " asked for ");
	sentence_type(sentence, arch, party->requested);
	sentence_add(sentence, " through ");
	sentence_source(sentence, party->source, finding->region, party->requested);
	sentence_add(sentence, ", but for ");
	add_where(sentence, finding);
	sentence_add(sentence, " the CPU uses ");
	sentence_type(sentence, arch, party->type);
	sentence_add(sentence, ": %s", deviation_effect(finding));
	add_cause(sentence, finding, arch);
}

char *finding_explain(const struct finding *finding, enum memtype_arch arch, char *out, size_t size)
{
	struct sentence sentence = sentence_new(out, size);

	if (finding->kind == FINDING_ALIAS)
		explain_alias(&sentence, finding, arch);
	else
		explain_deviation(&sentence, finding, arch);
	return out;
}
