/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy says of a mapping, of a finding, and of a request that was decided. Sets of rules are made
 * and put together as the enforcer does it; see vfiowatch/policy.h.
 */
#include "core/policy_internal.h"

/* One side, as far as it is known. */
struct side {
	const char *unit, *machine; /* NULL: unknown; empty: none */
	size_t unit_size, machine_size;
	uint32_t uid;
	bool uid_known;
	uint32_t source;
};

/* A request: who asks for which bytes of what. */
struct request {
	const struct policy *policy;
	const struct ledger *ledger;
	const struct device *device; /* NULL: unknown */
	struct policy_sets of_device;
	uint32_t region;
	uint64_t phys_start, phys_end; /* equal: unknown */
	enum memtype type;
	struct side side;
};

static __u64 all_rules(const struct policy_bank *bank)
{
	return bank->n_rules == POLICY_RULES_MAX ? ~0ULL : (1ULL << bank->n_rules) - 1;
}

enum answer { NO, YES, MAYBE };

/* Text that fills its field of @size bytes may have been cut: it is not known. */
static enum answer matches(const struct policy_pattern *pattern, const char *text, size_t size)
{
	if (!pattern->length)
		return YES;
	if (!text || strnlen(text, size) == size)
		return MAYBE;
	return policy_pattern_matches(pattern, text) ? YES : NO;
}

static enum answer both(enum answer a, enum answer b)
{
	if (a == NO || b == NO)
		return NO;
	return a == MAYBE || b == MAYBE ? MAYBE : YES;
}

static void put(struct policy_sets *sets, int rule, enum answer answer)
{
	if (answer == YES)
		sets->yes |= 1ULL << rule;
	else if (answer == MAYBE)
		sets->maybe |= 1ULL << rule;
}

/* Facts of a device as text, and whether they are known. */
struct device_texts {
	char id[16], class_code[8], driver[EVENT_NAME_LEN + 1];
	bool known;
};

static struct device_texts texts_of(const struct device *device)
{
	struct device_texts texts = {.known = device->facts_known && device->facts.present};
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 4; i++) {
		texts.id[i] = digits[device->facts.vendor >> (12 - 4 * i) & 15];
		texts.id[5 + i] = digits[device->facts.product >> (12 - 4 * i) & 15];
	}
	texts.id[4] = ':';
	for (int i = 0; i < 6; i++)
		texts.class_code[i] = digits[device->facts.class_code >> (20 - 4 * i) & 15];
	memcpy(texts.driver, device->facts.driver, sizeof(device->facts.driver));
	return texts;
}

static struct policy_sets of_device(const struct policy_bank *bank, const struct device *device)
{
	struct policy_sets sets = {.yes = all_rules(bank) & ~bank->by_device};
	struct device_texts texts;

	if (!device) {
		sets.maybe = bank->by_device;
		return sets;
	}
	texts = texts_of(device);
	for (__u64 left = bank->by_device; left; left &= left - 1) {
		int i = policy_first(left);
		const struct policy_rule *rule = &bank->rules[i];
		enum answer answer = matches(&rule->device, device->name, sizeof(device->name));

		answer = both(answer, matches(&rule->id, texts.known ? texts.id : NULL, sizeof(texts.id)));
		answer = both(answer, matches(&rule->class_code, texts.known ? texts.class_code : NULL,
					      sizeof(texts.class_code)));
		answer = both(answer,
			      matches(&rule->driver, texts.known ? texts.driver : NULL, EVENT_NAME_LEN));
		put(&sets, i, answer);
	}
	return sets;
}

/* Of the rules in @asked those that hold of this side. */
static struct policy_sets of_side(const struct policy_bank *bank, const struct side *side, __u64 asked)
{
	__u64 of_source = asked & bank->sources[side->source < SOURCE_TYPES ? side->source : SOURCE_OTHER];
	struct policy_sets sets = {.yes = of_source & ~bank->by_process};

	for (__u64 left = of_source & bank->by_process; left; left &= left - 1) {
		int i = policy_first(left);
		const struct policy_rule *rule = &bank->rules[i];
		enum answer answer = matches(&rule->unit, side->unit, side->unit_size);

		answer = both(answer, matches(&rule->machine, side->machine, side->machine_size));
		if (rule->by_uid)
			answer = both(answer, !side->uid_known ? MAYBE : side->uid == rule->uid ? YES : NO);
		put(&sets, i, answer);
	}
	return sets;
}

static bool can_come(enum policy_kind kind, enum memtype a, enum memtype b)
{
	if (kind == POLICY_ALIAS)
		return memtype_conflict(a, b);
	return memtype_strength(a) != memtype_strength(b);
}

/*
 * Rules for two types together. If one of them is not known nothing is sure, not even that they are at odds.
 */
static struct policy_sets of_types(const struct policy_bank *bank, enum policy_kind kind, enum memtype a,
				   enum memtype b)
{
	struct policy_sets sets = {};

	if (memtype_strength(a) >= 0 && memtype_strength(b) >= 0) {
		sets.yes = bank->pairs[a][b];
		return sets;
	}
	for (int i = MEMTYPE_UC; i < MEMTYPE_TYPES; i++)
		for (int j = MEMTYPE_UC; j < MEMTYPE_TYPES; j++)
			if ((memtype_strength(a) < 0 || i == (int)a) &&
			    (memtype_strength(b) < 0 || j == (int)b) && can_come(kind, i, j))
				sets.maybe |= bank->pairs[i][j];
	return sets;
}

static struct policy_sets doubtful(struct policy_sets sets)
{
	return (struct policy_sets){.maybe = sets.yes | sets.maybe};
}

static enum policy_action action_of(const struct policy_bank *bank, int rule)
{
	__u64 bit = 1ULL << rule;

	if (bank->deny & bit)
		return bank->kill & bit ? POLICY_KILL : POLICY_DENY;
	return bank->log & bit ? POLICY_LOG : POLICY_ALLOW;
}

static struct policy_verdict nothing(void)
{
	return (struct policy_verdict){.kind = POLICY_REQUEST, .rule = -1};
}

static struct policy_verdict decide(const struct policy_bank *bank, enum policy_kind kind,
				    struct policy_sets sets, uint64_t peer)
{
	struct policy_verdict verdict = {.kind = kind, .rule = -1, .peer = peer};

	if (policy_unsure(bank, sets)) {
		verdict.unknown = true;
		verdict.action = bank->on_unknown;
		return verdict;
	}
	verdict.rule = policy_first(sets.yes);
	if (verdict.rule >= 0)
		verdict.action = action_of(bank, verdict.rule);
	return verdict;
}

/*
 * What counts of several verdicts, as in the enforcer: a denial, then what OnUnknown allowed, a record, and
 * of rules that allow that of the request itself.
 */
static int weight(struct policy_verdict verdict)
{
	if (policy_is_against(verdict))
		return 4;
	if (verdict.unknown)
		return 3;
	if (verdict.action == POLICY_LOG)
		return 2;
	return verdict.rule >= 0 && verdict.kind == POLICY_REQUEST;
}

/* The first of those that weigh most. */
static void consider(struct policy_verdict *so_far, struct policy_verdict next)
{
	if (weight(next) > weight(*so_far))
		*so_far = next;
}

static struct side side_of_process(const struct process *process, enum mapping_source source)
{
	struct side side = {.source = source, .unit_size = POLICY_TEXT_LEN, .machine_size = EVENT_NAME_LEN};

	if (!process)
		return side;
	side.uid = process->uid;
	side.uid_known = true;
	if (process->facts_known) {
		side.unit = process->unit;
		side.machine = process->machine;
	}
	return side;
}

static struct side side_of_party(const struct event_party *party)
{
	return (struct side){
		.unit = party->flags & PARTY_UNIT_KNOWN ? party->unit : NULL,
		.unit_size = sizeof(party->unit),
		.machine = party->flags & PARTY_MACHINE_KNOWN ? party->machine : NULL,
		.machine_size = sizeof(party->machine),
		.uid = party->who.uid,
		.uid_known = party->who.tgid != 0,
		.source = party->source,
	};
}

static struct policy_verdict judge_request(const struct request *request)
{
	const struct policy_bank *bank = &request->policy->bank;
	struct policy_sets sets =
		policy_and(policy_about(bank, POLICY_REQUEST, request->region), request->of_device);

	sets = policy_and(sets, policy_of_type(bank, request->type));
	sets = policy_and(sets, of_side(bank, &request->side, sets.yes | sets.maybe));
	return decide(bank, POLICY_REQUEST, sets, 0);
}

/* The BAR gives @given: a promotion if that is stronger than what is asked for. */
static struct policy_verdict judge_promotion(const struct request *request, enum memtype given)
{
	const struct policy_bank *bank = &request->policy->bank;
	int asked = memtype_strength(request->type);
	struct policy_sets sets;

	if (memtype_strength(given) < 0 || memtype_strength(given) <= asked)
		return nothing();
	sets = policy_and(policy_about(bank, POLICY_PROMOTION, request->region), request->of_device);
	sets = asked < 0 ? doubtful(sets)
			 : policy_and(sets, of_types(bank, POLICY_PROMOTION, request->type, given));
	sets = policy_and(sets, of_side(bank, &request->side, sets.yes | sets.maybe));
	return decide(bank, POLICY_PROMOTION, sets, 0);
}

static bool types_agree(enum memtype a, enum memtype b)
{
	return memtype_strength(a) >= 0 && memtype_strength(b) >= 0 && !memtype_conflict(a, b);
}

/* One other party of the same bytes; @sure: that they do share some is known. */
static struct policy_verdict judge_alias(const struct request *request, enum memtype type,
					 const struct side *other, bool sure, uint64_t peer)
{
	const struct policy_bank *bank = &request->policy->bank;
	struct policy_sets sets =
		policy_and(policy_about(bank, POLICY_ALIAS, request->region), request->of_device);
	__u64 asked;

	if (types_agree(request->type, type))
		return nothing();
	sets = policy_and(sets, of_types(bank, POLICY_ALIAS, request->type, type));
	asked = sets.yes | sets.maybe;
	if (!asked)
		return nothing();
	sets = policy_and(sets, policy_or(of_side(bank, &request->side, asked), of_side(bank, other, asked)));
	return decide(bank, POLICY_ALIAS, sure ? sets : doubtful(sets), peer);
}

/* An alias may be there, and with whom is not known: any rule about aliases of these bytes may match. */
static struct policy_verdict judge_possible_alias(const struct request *request)
{
	const struct policy_bank *bank = &request->policy->bank;
	struct policy_sets sets =
		policy_and(policy_about(bank, POLICY_ALIAS, request->region), request->of_device);

	return decide(bank, POLICY_ALIAS, doubtful(sets), 0);
}

/* Whether bytes may be shared with @mapping; *sure: they are. */
static bool may_share(const struct request *request, const struct mapping *mapping, bool *sure)
{
	uint64_t length = mapping->end - mapping->start, phys_start;
	uint32_t region;
	bool known = ledger_mapping_place(request->ledger, mapping, &phys_start, &region) && length;

	*sure = known && request->phys_start < request->phys_end;
	if (*sure)
		return phys_start < request->phys_end && request->phys_start < phys_start + length;
	return region == request->region || region == EVENT_REGION_UNKNOWN ||
	       request->region == EVENT_REGION_UNKNOWN;
}

/* Where the device is not known only the bytes tell. */
static bool is_peer(const struct request *request, const struct mapping *other, bool *sure)
{
	return may_share(request, other, sure) && (request->device || *sure) && !mapping_revoked(other);
}

/* The live mappings of the device one after the other: of all devices if it is not known. NULL starts. */
static const struct mapping *next_other(const struct request *request, const struct mapping *previous)
{
	if (!request->device)
		return ledger_next_live(request->ledger, previous);
	return previous ? previous->device_next : request->device->mapping_list;
}

/* 1 << enum memtype of each type that a peer must have for a rule to say more than that it is allowed. */
static unsigned int types_that_matter(const struct request *request)
{
	const struct policy_bank *bank = &request->policy->bank;
	struct policy_sets about =
		policy_and(policy_about(bank, POLICY_ALIAS, request->region), request->of_device);
	unsigned int matter = 0;

	for (int type = 0; type < MEMTYPE_TYPES; type++) {
		struct policy_sets sets =
			policy_and(about, of_types(bank, POLICY_ALIAS, request->type, type));

		if (!types_agree(request->type, type) && (sets.yes | sets.maybe) & (bank->deny | bank->log))
			matter |= 1U << type;
	}
	return matter;
}

/*
 * All live mappings of the device with an id below @before; of several that count alike the one with the
 * lowest id. What is said of a peer depends on its owner, source and type only, and those that follow each
 * other often have them in common. There may be very many: those that do not matter are passed over first.
 */
static struct policy_verdict judge_aliases(const struct request *request, uint64_t before)
{
	struct policy_verdict found = nothing(), last = nothing();
	const struct mapping *judged = NULL;
	enum memtype judged_type = MEMTYPE_UNKNOWN;
	unsigned int matter = types_that_matter(request);
	bool sure, judged_sure = false;

	if (!request->device && request->phys_start >= request->phys_end)
		return judge_possible_alias(request);
	for (const struct mapping *other = matter ? next_other(request, NULL) : NULL; other;
	     other = next_other(request, other)) {
		enum memtype type = ledger_requested(request->ledger, other);
		struct side side;

		if (!(matter >> type & 1) || other->id >= before || !is_peer(request, other, &sure))
			continue;
		if (!judged || judged->owner != other->owner || judged->source != other->source ||
		    judged_type != type || judged_sure != sure) {
			side = side_of_process(other->owner, other->source);
			last = judge_alias(request, type, &side, sure, other->id);
			judged = other;
			judged_type = type;
			judged_sure = sure;
		}
		last.peer = weight(last) ? other->id : 0;
		if (weight(last) == weight(found) && last.peer < found.peer)
			found = last;
		else
			consider(&found, last);
	}
	return found;
}

/*
 * The type that the kernel gives to all of the BAR, MEMTYPE_UNKNOWN: none is known to differ from what is
 * asked for. A reservation of the whole BAR lasts until VFIO closes the device; it is made when a process
 * opens the device, just before the file is there, or maps it first.
 */
static enum memtype turned_type(const struct request *request)
{
	const struct device *device = request->device;
	const struct device_file *oldest = device ? device->file_list : NULL;
	const struct event_bar *bar;

	if (!oldest || request->region >= EVENT_BARS || !device->facts_known)
		return MEMTYPE_UNKNOWN;
	for (const struct device_file *file = oldest; file; file = file->device_next)
		if (file->opened_ns < oldest->opened_ns)
			oldest = file;
	bar = &device->facts.bars[request->region];
	for (unsigned int i = 0; i < device->n_reservations; i++) {
		const struct reservation *reservation = &device->reservations[i];
		bool of_this_open = reservation->time_ns >= oldest->opened_ns ||
				    (reservation->process && reservation->process == oldest->opener);

		if (bar->size && of_this_open && reservation->phys_start <= bar->phys_start &&
		    reservation->phys_end >= bar->phys_start + bar->size)
			return reservation->given != reservation->requested ? reservation->given
									    : MEMTYPE_UNKNOWN;
	}
	return MEMTYPE_UNKNOWN;
}

struct policy_verdict policy_judge_mapping(const struct policy *policy, const struct ledger *ledger,
					   const struct mapping *mapping)
{
	struct request request = {
		.policy = policy,
		.ledger = ledger,
		.device = mapping->device,
		.side = side_of_process(mapping->owner, mapping->source),
	};
	struct policy_verdict verdict = nothing();

	if (!policy || !policy->bank.n_rules)
		return verdict;
	request.type = ledger_requested(ledger, mapping);
	request.of_device = of_device(&policy->bank, mapping->device);
	if (ledger_mapping_place(ledger, mapping, &request.phys_start, &request.region))
		request.phys_end = request.phys_start + (mapping->end - mapping->start);
	consider(&verdict, judge_request(&request));
	if (!policy_is_against(verdict))
		consider(&verdict, judge_promotion(&request, turned_type(&request)));
	if (!policy_is_against(verdict))
		consider(&verdict, judge_aliases(&request, mapping->id));
	return verdict;
}

struct policy_verdict policy_judge_finding(const struct policy *policy, const struct ledger *ledger,
					   const struct finding *finding)
{
	static const enum policy_kind kinds[FINDING_KINDS] = {
		[FINDING_ALIAS] = POLICY_ALIAS,
		[FINDING_PROMOTION] = POLICY_PROMOTION,
		[FINDING_DEMOTION] = POLICY_DEMOTION,
	};
	const struct party *first = &finding->parties[0];
	const struct party *second = finding->n_parties > 1 ? &finding->parties[1] : NULL;
	struct policy_sets sets, of_parties;
	const struct policy_bank *bank;
	enum policy_kind kind = kinds[finding->kind];
	enum memtype types[2] = {second ? first->type : first->requested,
				 second ? second->type : first->type};
	struct side side;
	__u64 asked;

	if (!policy || !policy->bank.n_rules)
		return (struct policy_verdict){.kind = kind, .rule = -1};
	bank = &policy->bank;
	sets = policy_and(
		policy_about(bank, kind, finding->region),
		of_device(bank, finding->device[0] ? ledger_device_by_name(ledger, finding->device) : NULL));
	sets = policy_and(sets, of_types(bank, kind, types[0], types[1]));
	asked = sets.yes | sets.maybe;
	side = side_of_process(ledger_process(ledger, &first->process), first->source);
	side.uid = first->uid;
	side.uid_known = first->process.tgid != 0;
	of_parties = of_side(bank, &side, asked);
	if (second) {
		side = side_of_process(ledger_process(ledger, &second->process), second->source);
		side.uid = second->uid;
		side.uid_known = second->process.tgid != 0;
		of_parties = policy_or(of_parties, of_side(bank, &side, asked));
	}
	return decide(bank, kind, policy_and(sets, of_parties), second ? second->mapping : 0);
}

/* Whether the enforcer left open with whom the bytes are shared. */
static bool peer_is_open(const struct event_request *request)
{
	switch (request->unknown) {
	case POLICY_UNKNOWN_ARGUMENTS:
	case POLICY_UNKNOWN_RANGE:
	case POLICY_UNKNOWN_FULL:
	case POLICY_UNKNOWN_BUSY:
	case POLICY_UNKNOWN_SKIPPED:
		return true;
	default:
		return !(request->party.flags & PARTY_RANGE_KNOWN);
	}
}

struct policy_verdict policy_judge_request(const struct policy *policy, const struct ledger *ledger,
					   const struct event_request *asked)
{
	struct device nameless = {};
	struct request request = {
		.policy = policy,
		.ledger = ledger,
		.region = asked->region,
		.type = asked->party.type,
		.side = side_of_party(&asked->party),
	};
	struct policy_verdict verdict = nothing();
	struct side peer = side_of_party(&asked->peer);
	bool same_policy;

	if (!policy || !policy->bank.n_rules)
		return verdict;
	/* Another policy may have passed over what this one asks for: then the ledger tells. */
	same_policy = asked->policy == policy->bank.digest;
	if (asked->flags & EVENT_MAPPING_DEVICE_KNOWN) {
		ledger_pci_name(asked->pci_address, nameless.name);
		request.device = ledger_device_by_name(ledger, nameless.name);
		if (!request.device)
			request.device = &nameless;
	}
	request.of_device = of_device(&policy->bank, request.device);
	if (asked->party.flags & PARTY_RANGE_KNOWN) {
		request.phys_start = asked->party.phys_start;
		request.phys_end = asked->party.phys_end;
	}
	consider(&verdict, judge_request(&request));
	if (policy_is_against(verdict) || asked->what == REQUEST_COOKIE)
		return verdict;
	if (asked->given || !same_policy)
		consider(&verdict,
			 judge_promotion(&request, asked->given ? asked->given : turned_type(&request)));
	if (!policy_is_against(verdict) && asked->has_peer)
		consider(&verdict, judge_alias(&request, asked->peer.type, &peer, true, 0));
	else if (!policy_is_against(verdict) && peer_is_open(asked))
		consider(&verdict, judge_possible_alias(&request));
	if (!policy_is_against(verdict) && !same_policy)
		consider(&verdict, judge_aliases(&request, UINT64_MAX));
	return verdict;
}
