/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/request.h"

#include <inttypes.h>
#include <string.h>

#include "core/policy.h"
#include "core/sentence.h"

#define PCI_ADDRESS_BITS 48

static bool party_is_good(const struct event_party *party)
{
	return party->type < MEMTYPE_TYPES && party->source < SOURCE_TYPES &&
	       (!(party->flags & PARTY_RANGE_KNOWN) || party->phys_start < party->phys_end);
}

/* Offset and size are what a program asked for: any number. */
bool request_is_good(const struct event_request *request)
{
	if (request->pci_address >> PCI_ADDRESS_BITS && request->flags & EVENT_MAPPING_DEVICE_KNOWN)
		return false;
	return request->what <= REQUEST_COOKIE && request->kind < POLICY_KINDS &&
	       request->action < POLICY_ACTIONS && request->denied <= REQUEST_KILLED &&
	       request->unknown < POLICY_UNKNOWN_REASONS && request->given < MEMTYPE_TYPES &&
	       request->has_peer <= 1 && party_is_good(&request->party) &&
	       (!request->has_peer || party_is_good(&request->peer));
}

const char *request_verdict_name(const struct event_request *request)
{
	if (request->denied)
		return request->denied == REQUEST_KILLED || request->action == POLICY_KILL ? "kill" : "deny";
	return request->action == POLICY_LOG ? "log" : "allow";
}

const char *request_what_name(unsigned int what)
{
	switch (what) {
	case REQUEST_MMAP:
		return "mmap";
	case REQUEST_COOKIE:
		return "cookie";
	default:
		return NULL;
	}
}

const struct device_file *request_file(const struct ledger *ledger, const struct event_request *request)
{
	const struct device_file *file = ledger_file(ledger, request->file_id);
	const struct cookie *cookie = file ? NULL : ledger_cookie(ledger, request->file_id);

	return cookie ? cookie->file : file;
}

void request_device(const struct ledger *ledger, const struct event_request *request,
		    char name[EVENT_NAME_LEN + 1])
{
	const struct device_file *file = request_file(ledger, request);

	memset(name, 0, EVENT_NAME_LEN + 1);
	if (request->flags & EVENT_MAPPING_DEVICE_KNOWN)
		ledger_pci_name(request->pci_address, name);
	else if (file && file->device)
		memcpy(name, file->device->name, EVENT_NAME_LEN + 1);
}

static const char *why_unknown(unsigned int unknown)
{
	switch (unknown) {
	case POLICY_UNKNOWN_ARGUMENTS:
		return "the arguments of the system call are not understood";
	case POLICY_UNKNOWN_RANGE:
		return "which bytes it reaches is not known before the driver has mapped them";
	case POLICY_UNKNOWN_TYPE:
		return "which memory type the driver will ask for is not known";
	case POLICY_UNKNOWN_PARTY:
		return "a rule selects by something that is not known of the process or the device";
	case POLICY_UNKNOWN_FULL:
		return "the kernel's table of mappings of this BAR is full, so others cannot be ruled out";
	case POLICY_UNKNOWN_BUSY:
		return "others kept changing the table of mappings meanwhile";
	case POLICY_UNKNOWN_SKIPPED:
		return "the kernel skipped the programs that decide, so it was mapped before it was judged";
	default:
		return NULL;
	}
}

static void add_process(struct sentence *sentence, const struct event_process_id *who)
{
	const struct process_key key = {.start_ns = who->start_ns, .tgid = who->tgid};
	char comm[EVENT_COMM_LEN + 1] = {};

	memcpy(comm, who->comm, EVENT_COMM_LEN);
	sentence_process(sentence, &key, comm);
}

static void add_rule(struct sentence *sentence, const struct event_request *request)
{
	if (!request->rule[0]) {
		sentence_add(sentence, "OnUnknown");
		return;
	}
	sentence_add(sentence, "rule ");
	sentence_text(sentence, request->rule, sizeof(request->rule));
}

/* "a mapping of 64 KiB of 0000:3b:00.0 BAR 2 at 0xfc000000 as write-combining (WC) through VFIO" */
static void add_request(struct sentence *sentence, const struct ledger *ledger,
			const struct event_request *request)
{
	const struct event_party *party = &request->party;
	char device[EVENT_NAME_LEN + 1];

	request_device(ledger, request, device);
	sentence_add(sentence, request->what == REQUEST_COOKIE ? "a cookie for " : "a mapping of ");
	if (request->size) {
		sentence_bytes(sentence, request->size);
		sentence_add(sentence, " of ");
	}
	sentence_bar(sentence, device, request->region);
	if (party->flags & PARTY_RANGE_KNOWN)
		sentence_add(sentence, " at 0x%" PRIx64, (uint64_t)party->phys_start);
	sentence_add(sentence, " as ");
	sentence_type(sentence, ledger_arch(ledger), party->type);
	sentence_add(sentence, " through ");
	sentence_source(sentence, party->source, request->region, party->type);
}

static void add_peer(struct sentence *sentence, const struct ledger *ledger,
		     const struct event_request *request)
{
	const struct event_party *peer = &request->peer;

	sentence_add(sentence, ": ");
	add_process(sentence, &peer->who);
	sentence_add(sentence, peer->flags & PARTY_PENDING ? " is mapping " : " has ");
	if (peer->flags & PARTY_RANGE_KNOWN)
		sentence_add(sentence, "0x%" PRIx64 " to 0x%" PRIx64, (uint64_t)peer->phys_start,
			     (uint64_t)peer->phys_end);
	else
		sentence_add(sentence, "bytes of it");
	sentence_add(sentence, peer->flags & PARTY_PENDING ? " as " : " mapped as ");
	sentence_type(sentence, ledger_arch(ledger), peer->type);
	sentence_add(sentence, " through ");
	sentence_source(sentence, peer->source, request->region, peer->type);
}

static void add_why(struct sentence *sentence, const struct ledger *ledger,
		    const struct event_request *request)
{
	if (why_unknown(request->unknown)) {
		sentence_add(sentence, ": %s", why_unknown(request->unknown));
	} else if (request->has_peer) {
		add_peer(sentence, ledger, request);
	} else if (request->kind == POLICY_PROMOTION) {
		sentence_add(sentence, ": the BAR is reserved so that the CPU would use ");
		sentence_type(sentence, ledger_arch(ledger), request->given);
	}
	sentence_add(sentence, ".");
}

char *request_explain(const struct ledger *ledger, const struct event *event, char *out, size_t size)
{
	const struct event_request *request = &event->request;
	struct sentence sentence = sentence_new(out, size);
	bool decided = request->rule[0] || request->unknown;

	add_process(&sentence, &event->header.who);
	sentence_add(&sentence, request->denied == REQUEST_KILLED ? " was killed for "
				: request->denied                 ? " was denied "
								  : " was granted ");
	add_request(&sentence, ledger, request);
	if (decided) {
		sentence_add(&sentence, " by ");
		add_rule(&sentence, request);
	}
	if (decided || request->has_peer)
		add_why(&sentence, ledger, request);
	else
		sentence_add(&sentence, ".");
	return out;
}
