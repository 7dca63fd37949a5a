/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding_internal.h"

/*
 * Why an effective type is not the one asked for. On x86 the kernel keeps one type for each physical range
 * (PAT reservations), so that an earlier mapping, or VFIO's own one, decides; other architectures have no
 * such table.
 *
 * A claim is a mapping that may have decided: one that asked for a stronger type than uncached, or that does
 * not come from VFIO. There are few. They are copies and stay for a while after the mapping is gone.
 */

#define VFIO_PCI "vfio-pci"

struct place *place_find(const struct findings *findings, const char *name)
{
	struct place *place = NULL;

	HASH_FIND(hh, findings->places, name, strlen(name), place);
	return place;
}

int place_get(struct findings *findings, const char *name, struct place **ret)
{
	struct place *place = place_find(findings, name);

	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return -ENOMEM;
		memcpy(place->name, name, strnlen(name, EVENT_NAME_LEN));
		HASH_ADD_KEYPTR(hh, findings->places, place->name, strlen(place->name), place);
		if (!place->hh.tbl) {
			free(place);
			return -ENOMEM;
		}
	}
	*ret = place;
	return 0;
}

void place_drop_if_empty(struct findings *findings, struct place *place)
{
	if (place->active || place->claims || place->remembered)
		return;
	HASH_DEL(findings->places, place);
	free(place);
}

static bool through_vfio(enum mapping_source source)
{
	return source == SOURCE_VFIO || source == SOURCE_DMABUF;
}

static bool is_claim(const struct ledger *ledger, const struct mapping *mapping)
{
	int strength = memtype_strength(ledger_requested(ledger, mapping));

	return ledger_arch(ledger) == MEMTYPE_ARCH_X86_64 && mapping->device && strength >= 0 &&
	       (strength > 0 || !through_vfio(mapping->source));
}

static void claim_free(struct findings *findings, struct claim *claim)
{
	struct place *place = claim->place;

	DL_DELETE2(place->claims, claim, previous, next);
	if (claim->closed) {
		DL_DELETE2(findings->closed_claims, claim, closed_previous, closed_next);
		findings->n_closed_claims--;
	}
	free(claim);
	place_drop_if_empty(findings, place);
}

static void claim_describe(struct update *update, struct claim *claim, const struct mapping *mapping)
{
	uint64_t cursor = 0;
	struct piece piece;

	claim->party = party_of(update->ledger, mapping);
	claim->mapped_ns = mapping->mapped_ns;
	claim->region = mapping->region;
	if (mapping->phys_known && mapping->start != mapping->end) {
		claim->phys_start = mapping->phys_start;
		claim->phys_end = mapping->phys_start + (mapping->end - mapping->start);
	} else if (mapping_next_piece(update->ledger, mapping, &cursor, &piece)) {
		claim->phys_start = piece.phys_start;
		claim->phys_end = piece.phys_start + (piece.end - piece.start);
	}
	if (claim->region == EVENT_REGION_UNKNOWN && claim->phys_end > claim->phys_start)
		ledger_device_at(update->ledger, claim->phys_start, &claim->region);
}

static int claim_new(struct update *update, const struct mapping *mapping, struct claim **ret)
{
	struct findings *findings = update->findings;
	struct place *place;
	struct claim *claim;

	if (place_get(findings, mapping->device->name, &place) < 0)
		return -ENOMEM;
	claim = calloc(1, sizeof(*claim));
	if (!claim) {
		place_drop_if_empty(findings, place);
		return -ENOMEM;
	}
	claim->place = place;
	DL_APPEND2(place->claims, claim, previous, next);
	*ret = claim;
	return 0;
}

/* Makes the claim of a live mapping what the ledger says. */
int claim_update(struct update *update, struct tracked *tracked, const struct mapping *mapping)
{
	bool wanted = is_claim(update->ledger, mapping);
	struct claim *claim = tracked->claim;

	if (claim && (!wanted || strcmp(claim->place->name, mapping->device->name) != 0)) {
		claim_free(update->findings, claim);
		claim = tracked->claim = NULL;
	}
	if (!wanted)
		return 0;
	if (!claim) {
		if (claim_new(update, mapping, &claim) < 0)
			return -ENOMEM;
		tracked->claim = claim;
	}
	claim_describe(update, claim, mapping);
	claim->place->claims_changed = true;
	return 0;
}

static void claim_enter_history(struct findings *findings, struct claim *claim, uint64_t closed_ns)
{
	claim->closed = true;
	claim->closed_ns = closed_ns;
	DL_APPEND2(findings->closed_claims, claim, closed_previous, closed_next);
	findings->n_closed_claims++;
	while (findings->n_closed_claims > findings->limits.history)
		claim_free(findings, findings->closed_claims);
}

/* A mapping that is known only since it is gone. */
int claim_note_closed(struct update *update, const struct mapping *mapping)
{
	struct place *place;
	struct claim *claim;

	if (!is_claim(update->ledger, mapping))
		return 0;
	place = place_find(update->findings, mapping->device->name);
	DL_FOREACH (place ? place->claims : NULL, claim)
		if (claim->party.mapping == mapping->id)
			return 0;
	if (claim_new(update, mapping, &claim) < 0)
		return -ENOMEM;
	claim_describe(update, claim, mapping);
	claim->place->claims_changed = true;
	claim_enter_history(update->findings, claim, mapping->closed_ns);
	return 0;
}

void claim_close(struct findings *findings, struct tracked *tracked, uint64_t closed_ns)
{
	if (tracked->claim)
		claim_enter_history(findings, tracked->claim, closed_ns);
	tracked->claim = NULL;
}

/* What a cause is looked for with. */
struct question {
	const struct finding *finding;
	const struct mapping *mapping;
	const struct device *device;
	uint64_t mapped_ns; /* 0: unknown, as the next two */
	uint64_t opened_ns; /* of the mapping's own file */
	uint64_t held_ns;   /* a mapping that was gone by then has no reservation left */
};

/* Since when the device was open without a break, as far as the files that are open now tell. */
static uint64_t open_since(const struct device *device)
{
	const struct device_file *file;
	uint64_t since = UINT64_MAX;

	DL_FOREACH2 (device->file_list, file, device_next) {
		if (!file->opened_ns)
			return 0;
		if (file->opened_ns < since)
			since = file->opened_ns;
	}
	return since == UINT64_MAX ? 0 : since;
}

static bool same_type(enum memtype a, enum memtype b)
{
	return a == b || (memtype_strength(a) == 0 && memtype_strength(b) == 0);
}

static bool is_variant(const struct device *device)
{
	return device && device->facts_known && device->facts.driver[0] &&
	       strncmp(device->facts.driver, VFIO_PCI, sizeof(device->facts.driver)) != 0;
}

/* A mapping through the device's own driver does not decide: that driver does, for both. */
static bool is_of_variant(const struct question *question, enum mapping_source source)
{
	return through_vfio(source) && is_variant(question->device);
}

static bool may_decide(const struct question *question, const struct claim *claim)
{
	return claim->party.mapping != question->finding->parties[0].mapping &&
	       claim->region == question->finding->region && claim->region != EVENT_REGION_UNKNOWN &&
	       same_type(claim->party.requested, question->finding->parties[0].type) &&
	       !(claim->closed && question->held_ns && claim->closed_ns <= question->held_ns) &&
	       !is_of_variant(question, claim->party.source);
}

static bool is_earlier(uint64_t claim_ns, uint64_t than_ns)
{
	return !claim_ns || (than_ns && claim_ns < than_ns);
}

static bool is_newer(const struct claim *claim, const struct claim *best)
{
	if (!best)
		return true;
	return claim->mapped_ns != best->mapped_ns ? claim->mapped_ns > best->mapped_ns
						   : claim->party.mapping > best->party.mapping;
}

/* The newest that was there before the device file was opened, else the newest before the mapping. */
static const struct claim *earlier_claim(const struct place *place, const struct question *question,
					 bool *before_open)
{
	const struct claim *claim, *opened = NULL, *mapped = NULL;

	DL_FOREACH (place ? place->claims : NULL, claim) {
		if (!may_decide(question, claim))
			continue;
		if (question->opened_ns && is_earlier(claim->mapped_ns, question->opened_ns) &&
		    is_newer(claim, opened))
			opened = claim;
		if (is_earlier(claim->mapped_ns, question->mapped_ns) && is_newer(claim, mapped))
			mapped = claim;
	}
	*before_open = opened;
	return opened ? opened : mapped;
}

static struct remembered *remembered_find(const struct place *place, uint32_t region, enum memtype type)
{
	struct remembered *remembered = place ? place->remembered : NULL;

	while (remembered && !(remembered->region == region && same_type(remembered->party.requested, type)))
		remembered = remembered->next;
	return remembered;
}

/* Without memory it is not remembered: a later finding then has no cause, which is said. */
static void remember(struct place *place, const struct finding *finding)
{
	struct remembered *remembered =
		remembered_find(place, finding->region, finding->cause_party.requested);

	if (!remembered) {
		remembered = calloc(1, sizeof(*remembered));
		if (!remembered)
			return;
		remembered->next = place->remembered;
		place->remembered = remembered;
	}
	remembered->region = finding->region;
	remembered->party = finding->cause_party;
	remembered->phys_start = finding->cause_phys_start;
	remembered->phys_end = finding->cause_phys_end;
}

static void forget_remembered(struct place *place)
{
	while (place->remembered) {
		struct remembered *next = place->remembered->next;

		free(place->remembered);
		place->remembered = next;
	}
}

static void set_earlier(struct finding *finding, const struct party *party, uint64_t phys_start,
			uint64_t phys_end, bool before_open)
{
	finding->cause = CAUSE_EARLIER_MAPPING;
	finding->cause_party = *party;
	finding->cause_phys_start = phys_start;
	finding->cause_phys_end = phys_end;
	finding->cause_before_open = before_open;
}

/* VFIO reserved the BAR when it opened the device or first mapped it. */
static bool set_device_open(struct finding *finding, const struct question *question)
{
	const struct device_file *file;

	DL_FOREACH2 (question->device ? question->device->file_list : NULL, file, device_next) {
		if (file->opened_ns && question->mapped_ns && file->opened_ns > question->mapped_ns)
			continue;
		finding->cause = CAUSE_DEVICE_OPEN;
		if (file->opener) {
			finding->cause_party.process = file->opener->key;
			finding->cause_party.uid = file->opener->uid;
			memcpy(finding->cause_party.comm, file->opener->comm,
			       sizeof(finding->cause_party.comm));
		}
		return true;
	}
	return false;
}

static bool find_earlier(struct finding *finding, struct place *place, const struct question *question)
{
	bool before_open;
	const struct claim *claim = earlier_claim(place, question, &before_open);
	const struct remembered *remembered;

	if (claim) {
		set_earlier(finding, &claim->party, claim->phys_start, claim->phys_end, before_open);
		if (question->device && question->device->files)
			remember(place, finding);
		return true;
	}
	remembered = remembered_find(place, finding->region, finding->parties[0].type);
	if (!remembered || !question->device || !question->device->files ||
	    is_of_variant(question, remembered->party.source))
		return false;
	set_earlier(finding, &remembered->party, remembered->phys_start, remembered->phys_end, true);
	return true;
}

static void find_on_x86(struct finding *finding, struct place *place, const struct question *question)
{
	bool vfio = through_vfio(finding->parties[0].source);

	if (finding->kind == FINDING_DEMOTION && !vfio && set_device_open(finding, question))
		return;
	if (find_earlier(finding, place, question))
		return;
	if (finding->kind == FINDING_PROMOTION && !vfio)
		set_device_open(finding, question);
}

static void find_reservation(struct finding *finding, const struct device *device)
{
	for (unsigned int i = 0; device && i < device->n_reservations; i++) {
		const struct reservation *reservation = &device->reservations[i];

		if (!same_type(reservation->given, finding->parties[0].type) ||
		    reservation->phys_start >= finding->ranges[0].end ||
		    reservation->phys_end <= finding->ranges[0].start)
			continue;
		finding->reservation.phys_start = reservation->phys_start;
		finding->reservation.phys_end = reservation->phys_end;
		finding->reservation.requested = reservation->requested;
		finding->reservation.given = reservation->given;
		if (!reservation->process)
			return;
		finding->reservation.process = reservation->process->key;
		memcpy(finding->reservation.comm, reservation->process->comm,
		       sizeof(finding->reservation.comm));
		return;
	}
}

/* The VFIO device file that it was made through, or that its DMABUF was exported from; NULL: unknown. */
static const struct device_file *file_of(const struct mapping *mapping)
{
	if (!mapping || mapping->file)
		return mapping ? mapping->file : NULL;
	return mapping->cookie ? mapping->cookie->file : NULL;
}

/* Looks for the cause anew. True if it is another one than before. */
bool cause_find(struct update *update, struct opened *opened)
{
	struct finding *finding = &opened->finding;
	enum finding_cause before = finding->cause;
	uint64_t mapping_before = finding->cause_party.mapping;
	uint64_t tgid_before = finding->cause_party.process.tgid;
	const struct mapping *mapping = ledger_mapping(update->ledger, finding->parties[0].mapping);
	const struct device *device = ledger_device_by_name(update->ledger, finding->device);
	const struct device_file *file = file_of(mapping);
	struct question question = {
		.finding = finding,
		.mapping = mapping,
		.device = device,
		.mapped_ns = mapping ? mapping->mapped_ns : 0,
		.opened_ns = file ? file->opened_ns : 0,
	};

	question.held_ns =
		device && through_vfio(finding->parties[0].source) ? open_since(device) : question.mapped_ns;
	finding->cause = CAUSE_UNKNOWN;
	finding->cause_before_open = false;
	finding->cause_phys_start = finding->cause_phys_end = 0;
	memset(&finding->cause_party, 0, sizeof(finding->cause_party));
	memset(&finding->reservation, 0, sizeof(finding->reservation));
	if (ledger_arch(update->ledger) == MEMTYPE_ARCH_X86_64) {
		find_reservation(finding, device);
		find_on_x86(finding, opened->place, &question);
	}
	if (finding->cause == CAUSE_UNKNOWN && is_variant(device))
		finding->cause = CAUSE_DRIVER;
	return finding->cause != before || finding->cause_party.mapping != mapping_before ||
	       finding->cause_party.process.tgid != tgid_before;
}

/* Whether news may change it. A cause that was found stays, but one that is another mapping of VFIO's, as the
 * driver may turn out to be no vfio-pci. */
static bool is_open_question(const struct finding *finding)
{
	return finding->cause == CAUSE_UNKNOWN || finding->cause == CAUSE_DRIVER ||
	       (finding->cause == CAUSE_EARLIER_MAPPING && through_vfio(finding->cause_party.source));
}

static bool place_changed(struct place *place, const struct device *device)
{
	unsigned int files = device ? device->files : 0;
	const char *driver = device && device->facts_known ? device->facts.driver : "";
	bool changed = place->claims_changed || files != place->files ||
		       strncmp(driver, place->driver, EVENT_NAME_LEN) != 0;

	place->claims_changed = false;
	place->files = files;
	memset(place->driver, 0, sizeof(place->driver));
	memcpy(place->driver, driver, strnlen(driver, EVENT_NAME_LEN));
	return changed;
}

/*
 * What is told in no order (a scan) may bring a cause after the finding, and all that is remembered ends with
 * the last open file.
 */
void causes_update(struct update *update)
{
	struct place *place, *next;

	for (place = update->findings->places; place; place = next) {
		const struct device *device;
		struct opened *opened;

		next = place->hh.next;
		if (!place->deviations && !place->remembered)
			continue;
		device = ledger_device_by_name(update->ledger, place->name);
		if (!place_changed(place, device))
			continue;
		if (!place->files)
			forget_remembered(place);
		DL_FOREACH2 (place->deviations, opened, place_next) {
			if (is_open_question(&opened->finding) && cause_find(update, opened) &&
			    update->notify)
				update->notify(update->userdata, FINDING_CHANGED, &opened->finding);
		}
		place_drop_if_empty(update->findings, place);
	}
}

void causes_clear(struct findings *findings)
{
	struct place *place = findings->places;

	HASH_CLEAR(hh, findings->places);
	while (place) {
		struct place *next = place->hh.next;

		while (place->claims) {
			struct claim *claim = place->claims->next;

			free(place->claims);
			place->claims = claim;
		}
		forget_remembered(place);
		free(place);
		place = next;
	}
}
