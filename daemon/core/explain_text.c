/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/explain_internal.h"

#include <inttypes.h>

#include "core/sentence.h"

static const char *issued_by(enum cookie_dialect dialect)
{
	switch (dialect) {
	case DIALECT_REGION_INFO:
		return "VFIO_DEVICE_GET_REGION_INFO";
	case DIALECT_MMAP_ATTRS:
		return "VFIO_DEVICE_SET_MMAP_ATTRS";
	case DIALECT_ALIAS_REGION:
		return "an alias region of VFIO_DEVICE_FEATURE";
	case DIALECT_GET_MMAP:
		return "VFIO_REGION_GET_MMAP";
	case DIALECT_DMA_BUF:
		return "VFIO_DEVICE_FEATURE_DMA_BUF";
	default:
		return "the variant driver";
	}
}

static const char *driver_of(const struct device *device)
{
	return device && device->facts_known && device->facts.driver[0] ? device->facts.driver : NULL;
}

/* When the entries are made, and what decides their type. */
static void add_entries(struct sentence *sentence, const struct explained *explained, bool at_once)
{
	sentence_add(sentence, at_once ? "mmap inserts all page-table entries at once, "
				       : "page faults insert the page-table entries, ");
	if (explained->arch == MEMTYPE_ARCH_X86_64)
		sentence_add(sentence, "with the type that PAT has reserved for the bytes");
	else
		sentence_add(sentence, "with the type of the VMA");
}

static void add_vfio_path(struct sentence *sentence, const struct explained *explained,
			  const struct explained_mapping *entry)
{
	const struct mapping *mapping = entry->mapping;
	const char *driver = driver_of(mapping->device);

	if (mapping->source == SOURCE_DMABUF)
		sentence_add(sentence, "DMABUF");
	else
		sentence_add(sentence, "VFIO device file");
	if (mapping->source == SOURCE_VFIO && mapping->offset_known)
		sentence_add(sentence, " at offset 0x%" PRIx64, mapping->offset);
	if (entry->cookie)
		sentence_add(sentence, ", cookie %" PRIu64 " issued by %s", entry->cookie->id,
			     issued_by(entry->cookie->dialect));
	else
		sentence_add(sentence, ", through no cookie that is known");
	sentence_add(sentence, " -> mmap handler of ");
	if (driver)
		sentence_text(sentence, driver, EVENT_NAME_LEN);
	else
		sentence_add(sentence, "the VFIO driver");
	sentence_add(sentence, " -> ");
	add_entries(sentence, explained, mapping->no_fault);
}

char *explain_path(const struct explained *explained, const struct explained_mapping *entry, char *out,
		   size_t size)
{
	const struct mapping *mapping = entry->mapping;
	struct sentence sentence = sentence_new(out, size);

	switch (mapping->source) {
	case SOURCE_VFIO:
	case SOURCE_DMABUF:
		add_vfio_path(&sentence, explained, entry);
		break;
	case SOURCE_SYSFS:
		sentence_source(&sentence, mapping->source, mapping->region,
				ledger_requested(explained->ledger, mapping));
		sentence_add(&sentence, " -> pci_mmap_resource_range() -> ");
		add_entries(&sentence, explained, true);
		break;
	case SOURCE_DEVMEM:
		sentence_add(&sentence, "/dev/mem -> mmap_mem() -> ");
		add_entries(&sentence, explained, true);
		break;
	default:
		sentence_add(&sentence, "mmap handler of another driver, of whose way nothing is known");
	}
	sentence_add(&sentence, ".");
	return out;
}

static void tell_address(const struct explained *explained, struct sentence *sentence)
{
	const struct explain_subject *subject = explained->subject;
	const struct mapping *asked = explained->asked;

	sentence_add(sentence, "Address 0x%" PRIx64 " of ", subject->address);
	if (!asked) {
		sentence_add(
			sentence,
			"PID %" PRIu32 " is in no mapping of a device's BAR that is known: it is other "
			"memory, or not mapped, or the process is gone, or it was mapped while nothing was "
			"recorded.",
			subject->pid);
		return;
	}
	sentence_process(sentence, &asked->owner->key, asked->owner->comm);
	if (!explained->phys_known) {
		sentence_add(sentence, " is in a mapping of ");
		sentence_bar(sentence, explained->name, explained->region);
		sentence_add(sentence,
			     "; which physical byte it reaches is not known, as the driver's layout is "
			     "its own and the page was not seen populated.");
		return;
	}
	sentence_add(sentence, " is physical address 0x%" PRIx64, explained->phys);
	if (explained->offset_known) {
		sentence_add(sentence, ", byte 0x%" PRIx64 " of ", explained->offset);
		sentence_bar(sentence, explained->name, explained->region);
	} else {
		sentence_add(sentence, ", which is in no BAR that is known");
	}
	sentence_add(sentence, ".");
}

static void tell_device(const struct explained *explained, struct sentence *sentence)
{
	const struct explain_subject *subject = explained->subject;
	const struct device *device = explained->device;

	sentence_bar(sentence, explained->name, subject->region);
	if (!device) {
		sentence_add(sentence,
			     " is not known: no VFIO device file of it was open, and nothing of it was "
			     "mapped, since recording began. Check the address with lspci -D.");
		return;
	}
	if (!device->facts_known) {
		sentence_add(sentence, ": its BARs and its driver are not known.");
		return;
	}
	if (!device->facts.present) {
		sentence_add(sentence, " is gone from the system.");
		return;
	}
	if (driver_of(device)) {
		sentence_add(sentence, " is bound to ");
		sentence_text(sentence, driver_of(device), EVENT_NAME_LEN);
	} else {
		sentence_add(sentence, " has no driver");
	}
	if (device->files)
		sentence_add(sentence, "; VFIO device files open: %u", device->files);
	sentence_add(sentence, ".");
}

static void tell_bar(const struct explained *explained, struct sentence *sentence)
{
	const struct device *device = explained->device;
	const struct event_bar *bar;

	if (!device || !device->facts_known || explained->subject->region >= EVENT_BARS)
		return;
	bar = &device->facts.bars[explained->subject->region];
	if (!bar->size) {
		sentence_add(sentence, " The device has no such BAR.");
		return;
	}
	sentence_add(sentence, " The BAR is ");
	sentence_bytes(sentence, bar->size);
	sentence_add(sentence, " at physical address 0x%" PRIx64, (uint64_t)bar->phys_start);
	sentence_add(sentence, bar->flags & EVENT_BAR_PREFETCH ? ", prefetchable." : ", not prefetchable.");
	if (explained->beyond)
		sentence_add(sentence, " Offset 0x%" PRIx64 " lies behind its end.", explained->offset);
	else if (explained->phys_known)
		sentence_add(sentence, " Offset 0x%" PRIx64 " of it is physical address 0x%" PRIx64 ".",
			     explained->offset, explained->phys);
}

static void tell_subject(const struct explained *explained, struct sentence *sentence)
{
	if (explained->subject->kind == EXPLAIN_ADDRESS) {
		tell_address(explained, sentence);
		return;
	}
	tell_device(explained, sentence);
	tell_bar(explained, sentence);
}

/* How many map it. */
static void tell_number(const struct explained *explained, struct sentence *sentence)
{
	const char *what = explained->phys_known || explained->subject->offset_given ? "this byte"
			   : explained->asked                                        ? "it"
			   : explained->region != EVENT_REGION_UNKNOWN               ? "this BAR"
										     : "this device";
	size_t n = explained->n_mappings + explained->mappings_omitted;

	if (n == 0)
		sentence_add(sentence, "No mapping of %s is known.", what);
	else if (n == 1)
		sentence_add(sentence, "One mapping of %s is known.", what);
	else
		sentence_add(sentence, "%zu mappings of %s are known.", n, what);
	if (explained->mappings_omitted)
		sentence_add(sentence, " Not shown: %zu of them.", explained->mappings_omitted);
}

static void add_effective(struct sentence *sentence, const struct explained *explained,
			  const struct explained_mapping *entry)
{
	struct effective effective;

	if (entry->piece.start < entry->piece.end && entry->piece.populated) {
		sentence_add(sentence, "the CPU uses ");
		sentence_type(sentence, explained->arch, entry->piece.type);
		return;
	}
	mapping_effective(entry->mapping, &effective);
	if (effective.kind == EFFECTIVE_REVOKED) {
		sentence_add(sentence,
			     "the kernel has taken its pages away for good: touching it raises SIGBUS");
	} else if (entry->piece.start < entry->piece.end) {
		sentence_add(sentence, "this page is not populated, its type shows when it is touched");
	} else if (effective.kind == EFFECTIVE_ONE) {
		sentence_add(sentence, "where it is populated the CPU uses ");
		sentence_type(sentence, explained->arch, effective.type);
	} else if (effective.kind == EFFECTIVE_MIXED) {
		sentence_add(sentence, "the CPU uses different types in different pages");
	} else if (effective.kind == EFFECTIVE_UNPOPULATED) {
		sentence_add(sentence, "no page of it is populated, its type shows when it is touched");
	} else {
		sentence_add(sentence, "what the CPU uses is not known, as its pages were not read yet");
	}
}

/* What the policy says of it, in words. @kills: Action=kill ends the process, else it denies. */
static void add_verdict(struct sentence *sentence, const struct explained *explained,
			struct policy_verdict verdict, bool kills)
{
	const char *rule = policy_rule_name(explained->policy, verdict.rule);
	bool audit = policy_mode(explained->policy) == POLICY_AUDIT;
	bool denies = policy_is_against(verdict);

	if (verdict.unknown) {
		sentence_add(sentence, " Too little is known for the rules: OnUnknown %s%s it.",
			     audit ? "would " : "",
			     denies  ? audit ? "deny" : "denies"
			     : audit ? "allow"
				     : "allows");
		return;
	}
	if (!rule) {
		sentence_add(sentence, " No rule of the policy is against it.");
		return;
	}
	sentence_add(sentence, " Rule %s of the policy ", rule);
	if (verdict.action == POLICY_KILL && kills)
		sentence_add(sentence, audit ? "would end the process for it, but only audits."
					     : "ends the process for it.");
	else if (denies)
		sentence_add(sentence, audit ? "would deny it, but only audits." : "denies it.");
	else if (verdict.action == POLICY_LOG)
		sentence_add(sentence, "allows it and has it logged.");
	else
		sentence_add(sentence, "allows it.");
}

static void tell_mapping(const struct explained *explained, const struct explained_mapping *entry,
			 struct sentence *sentence)
{
	const struct mapping *mapping = entry->mapping;
	const struct process nobody = {}, *owner = mapping->owner ? mapping->owner : &nobody;
	enum memtype requested = ledger_requested(explained->ledger, mapping);
	char path[SENTENCE_MAX];

	sentence_add(sentence, "Mapping %" PRIu64 ": ", mapping->id);
	sentence_process(sentence, &owner->key, owner->comm);
	sentence_identity(sentence, owner);
	if (mapping->start != mapping->end)
		sentence_add(sentence, " maps it at 0x%" PRIx64 " to 0x%" PRIx64, mapping->start,
			     mapping->end);
	else
		sentence_add(sentence, " maps it, where is not known");
	sentence_add(sentence, " and asked for ");
	sentence_type(sentence, explained->arch, requested);
	sentence_add(sentence, "; ");
	add_effective(sentence, explained, entry);
	sentence_add(sentence, ". %s", explain_path(explained, entry, path, sizeof(path)));
	if (explained->policy && mapping->live)
		add_verdict(sentence, explained,
			    policy_judge_mapping(explained->policy, explained->ledger, mapping), false);
}

static void tell_cookie(const struct explained *explained, const struct cookie *cookie,
			struct sentence *sentence)
{
	const struct process nobody = {}, *issuer = cookie->issuer ? cookie->issuer : &nobody;
	enum memtype promised = ledger_promised(explained->ledger, cookie);

	sentence_add(sentence, "Cookie %" PRIu64 " (", cookie->id);
	sentence_bytes(sentence, cookie->size);
	if (cookie->dialect != DIALECT_DMA_BUF)
		sentence_add(sentence, " at file offset 0x%" PRIx64, cookie->offset);
	sentence_add(sentence, ") was issued by %s to ", issued_by(cookie->dialect));
	sentence_process(sentence, &issuer->key, issuer->comm);
	sentence_identity(sentence, issuer);
	sentence_add(sentence, "; mmap of it asks for ");
	if (promised == MEMTYPE_UNKNOWN)
		sentence_add(sentence, "what the driver decides");
	else
		sentence_type(sentence, explained->arch, promised);
	sentence_add(sentence,
		     cookie->attributes & COOKIE_REVOKED ? ". It is revoked: mappings of it fault." : ".");
}

static void tell_reservation(const struct explained *explained, const struct reservation *reservation,
			     struct sentence *sentence)
{
	const struct process nobody = {};
	const struct process *process = reservation->process ? reservation->process : &nobody;

	sentence_add(sentence, "PAT: 0x%" PRIx64 " to 0x%" PRIx64 " were reserved on behalf of ",
		     reservation->phys_start, reservation->phys_end);
	sentence_process(sentence, &process->key, process->comm);
	sentence_add(sentence, ", who asked for ");
	sentence_type(sentence, explained->arch, reservation->requested);
	sentence_add(sentence, " and was given ");
	sentence_type(sentence, explained->arch, reservation->given);
	sentence_add(sentence, ". Its end is not told: it may be gone by now.");
}

static void tell_finding(const struct explained *explained, const struct finding *finding,
			 struct sentence *sentence)
{
	char text[SENTENCE_MAX];

	sentence_add(sentence, "%s", finding_explain(finding, explained->arch, text, sizeof(text)));
	if (explained->policy)
		add_verdict(sentence, explained,
			    policy_judge_finding(explained->policy, explained->ledger, finding), true);
}

static void tell_meaning(const struct explained *explained, struct row *row, struct json_object *array)
{
	char text[SENTENCE_MAX];

	for (size_t i = 0; i < explained->n_found; i++) {
		struct sentence sentence = sentence_new(text, sizeof(text));

		tell_finding(explained, explained->found[i], &sentence);
		row_append_sentence(row, array, text);
	}
	if (explained->found_omitted) {
		struct sentence sentence = sentence_new(text, sizeof(text));

		sentence_add(&sentence, "Further conflicts, not shown: %zu.", explained->found_omitted);
		row_append_sentence(row, array, text);
	}
	if (!explained->n_found && explained->n_mappings)
		row_append_sentence(
			row, array,
			"No conflict is open here: as far as pages were read, everyone uses what they "
			"asked for, and nobody disagrees about the type of the same bytes.");
	for (size_t i = 0; i < explained->n_rules; i++)
		row_append_sentence(row, array,
				    lint_explain(explained->rules[i], explained->arch, text, sizeof(text)));
}

void explain_text(const struct explained *explained, struct row *row, struct json_object *array)
{
	char text[SENTENCE_MAX];
	struct sentence sentence;

#define TELL(...)                                                                                            \
	do {                                                                                                 \
		sentence = sentence_new(text, sizeof(text));                                                 \
		__VA_ARGS__;                                                                                 \
		row_append_sentence(row, array, text);                                                       \
	} while (0)

	TELL(tell_subject(explained, &sentence));
	if (explained->asked || explained->device)
		TELL(tell_number(explained, &sentence));
	for (size_t i = 0; i < explained->n_mappings; i++)
		TELL(tell_mapping(explained, &explained->mappings[i], &sentence));
	for (size_t i = 0; i < explained->n_cookies; i++)
		TELL(tell_cookie(explained, explained->cookies[i], &sentence));
	for (size_t i = 0; i < explained->n_reservations; i++)
		TELL(tell_reservation(explained, explained->reservations[i], &sentence));
#undef TELL
	tell_meaning(explained, row, array);
}
