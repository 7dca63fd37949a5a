/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_WALK_BPF_H
#define VFIOWATCH_WALK_BPF_H

/*
 * Walking page tables: what the CPU really uses. x86-64 with 4 and 5 levels; elsewhere nothing is told, which
 * leaves the effective type unknown.
 *
 * Page tables are freed by RCU (CONFIG_MMU_GATHER_RCU_TABLE_FREE) and an address space keeps its top level
 * until its last VMA is freed. So while the VMA is in our table, which the caller makes sure of afterwards,
 * what is read here were page tables at least when the program began. A read that fails ends the walk: what
 * lies behind stays unknown.
 */

#include "facts.bpf.h"

#include "vfiowatch/memtype.h"

/* Rows that one walk makes at most; further ones are for the next walk, which goes on where this one ended.
 */
#define WALK_ROWS 24

/* One more for what is left at the end; a power of two, see walk_row_at(). */
#define WALK_ROWS_ROOM 32

/* Tables looked at in one walk: the program runs without a break, so this bounds how long it holds the CPU.
 */
#define WALK_STEPS    1024

#define TABLE_ENTRIES 512

/* arch/x86/include/asm/pgtable_types.h */
#define X86_PRESENT   (1ULL << 0)
#define X86_PWT       (1ULL << 3)
#define X86_PCD       (1ULL << 4)
#define X86_PSE       (1ULL << 7) /* in a 4 KiB entry: PAT */
#define X86_PROTNONE  (1ULL << 8) /* if not present: kept, but no access; the address is inverted */

#define X86_TYPE_BITS (X86_PRESENT | X86_PWT | X86_PCD | X86_PSE)

/* PAGE_OFFSET without KASLR, for kernels where it is no variable; arch/x86/include/asm/page_64_types.h. */
#define X86_PAGE_OFFSET 0xffff888000000000ULL

/* 52 bits of physical address without those of the page offset; sme_me_mask is no part of it. */
#define X86_PHYSICAL_MASK 0x000ffffffffff000ULL

#if defined(__TARGET_ARCH_x86)
#define WALK_SUPPORTED 1
#else
#define WALK_SUPPORTED 0
#endif

/* Addresses of kernel variables, set by the loader; 0: this kernel has it as a constant. */
const volatile __u64 page_offset_base_address = 0;
const volatile __u64 pgdir_shift_address = 0;
const volatile __u64 physical_mask_address = 0;

struct row_pages {
	struct event_header header;
	struct event_pages pages;
};

struct walk {
	__u64 cursor, end; /* what is left to look at */
	__u64 pgd, page_offset, physical_mask;
	__u64 expected;            /* type bits and address of the leaf that would go on with the run */
	struct event_page_run run; /* in the making; start == end: none */
	__u32 pgdir_shift;
	__u32 broken;           /* a table could not be read: nothing is known from the cursor on */
	__u32 index, index_end; /* entries of table to look at */
	__u32 n_rows;           /* complete ones */
	struct row_pages rows[WALK_ROWS_ROOM];
	__u64 table[TABLE_ENTRIES];
};

/* A program that is preempted must not share its scratch with the one that runs instead. */
enum walk_user {
	WALK_ITERATOR,
	WALK_FAULT,
	WALK_MMAP_VFIO,
	WALK_MMAP_PCI,
	WALK_MMAP_DEVMEM,
	WALK_MMAP_DMABUF,
	WALK_USERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALK_USERS);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct walk_context {
	struct walk *walk;
};

/* The mask is written out because the compiler would drop it, knowing more than the verifier. */
static __always_inline struct row_pages *walk_row_at(struct walk *w, __u64 i)
{
	asm volatile("%0 &= %1" : "+r"(i) : "i"(WALK_ROWS_ROOM - 1));
	return &w->rows[i];
}

/* The row in the making. */
static __always_inline struct event_pages *walk_row(struct walk *w)
{
	return w->n_rows <= WALK_ROWS ? &walk_row_at(w, w->n_rows)->pages : NULL;
}

static __always_inline void walk_end_run(struct walk *w)
{
	struct event_pages *row = walk_row(w), *next;
	__u32 n;

	if (!row || w->run.start == w->run.end)
		return;
	n = row->n_runs;
	if (n < EVENT_RUNS_MAX)
		row->runs[n] = w->run;
	row->n_runs = n + 1;
	if (n + 1 >= EVENT_RUNS_MAX) {
		row->end = w->run.end;
		w->n_rows++;
		next = walk_row(w);
		if (next) {
			next->mapping_id = row->mapping_id;
			next->start = row->end;
			next->n_runs = 0;
		}
	}
	w->run.start = w->run.end = 0;
}

static __always_inline void walk_add(struct walk *w, __u64 start, __u64 end, __u64 phys, __u32 type,
				     __u32 leaf)
{
	struct event_page_run *run = &w->run;

	if (run->start != run->end && run->end == start && run->type == type && run->leaf == leaf &&
	    run->phys_start + (run->end - run->start) == phys) {
		run->end = end;
		return;
	}
	walk_end_run(w);
	run->start = start;
	run->end = end;
	run->phys_start = phys;
	run->type = type;
	run->leaf = leaf;
}

/* An entry that is kept without access has its address inverted: __pte_needs_invert() of
 * arch/x86/include/asm/pgtable-invert.h. */
static __always_inline __u64 entry_address(const struct walk *w, __u64 entry)
{
	return (entry & X86_PRESENT ? entry : ~entry) & w->physical_mask;
}

/* Entries looked at in one go if they are alike: a full table is the common case. */
#define WALK_GROUP 32

/* The bits in which the entries differ from those that would go on with the run. */
static __always_inline __u64 group_difference(const struct walk *w, const __u64 *entries)
{
	__u64 expected = w->expected, different = 0;

#pragma unroll
	for (int k = 0; k < WALK_GROUP; k++) {
		different |= entries[k] ^ expected;
		expected += 4096;
	}
	return different & (w->physical_mask | X86_TYPE_BITS);
}

static __always_inline bool group_is_empty(const __u64 *entries)
{
	__u64 any = 0;

#pragma unroll
	for (int k = 0; k < WALK_GROUP; k++)
		any |= entries[k];
	return !any;
}

static __always_inline long group_done(struct walk *w)
{
	w->index += WALK_GROUP;
	w->cursor += WALK_GROUP * 4096ULL;
	return 0;
}

/* A group of entries that go on with the run, or of empty ones, or else one entry. */
static long walk_entries(__u32 i, struct walk_context *context)
{
	struct walk *w = context->walk;
	__u32 index = w->index;
	__u64 entry, address;

	if (index >= w->index_end || w->n_rows >= WALK_ROWS)
		return 1;
	if (index % WALK_GROUP == 0 && index + WALK_GROUP <= w->index_end &&
	    index <= TABLE_ENTRIES - WALK_GROUP) {
		if (w->run.end == w->cursor && !group_difference(w, &w->table[index])) {
			w->run.end += WALK_GROUP * 4096ULL;
			w->expected += WALK_GROUP * 4096ULL;
			return group_done(w);
		}
		if (group_is_empty(&w->table[index])) {
			w->expected = 0;
			return group_done(w);
		}
	}
	if (index >= TABLE_ENTRIES)
		return 1;
	entry = w->table[index];
	address = w->cursor;
	w->expected = 0;
	if (entry & (X86_PRESENT | X86_PROTNONE)) {
		walk_add(w, address, address + 4096, entry_address(w, entry), memtype_from_x86_prot(entry),
			 LEAF_4K);
		/* Only an entry with access is told by its bits alone. */
		if (entry & X86_PRESENT)
			w->expected = (entry & (w->physical_mask | X86_TYPE_BITS)) + 4096;
	}
	w->index = index + 1;
	w->cursor = address + 4096;
	return 0;
}

static __always_inline void walk_table(struct walk_context *context, __u64 table)
{
	struct walk *w = context->walk;
	__u64 address = w->cursor, pages = (w->end - address) >> 12;
	__u32 index = address >> 12 & (TABLE_ENTRIES - 1);

	w->index = index;
	w->index_end = pages < TABLE_ENTRIES - index ? index + pages : TABLE_ENTRIES;
	if (pages == 1)
		w->broken = bpf_probe_read_kernel(&w->table[index], 8, (void *)(table + index * 8)) != 0;
	else
		w->broken = bpf_probe_read_kernel(w->table, sizeof(w->table), (void *)table) != 0;
	if (!w->broken)
		bpf_loop(TABLE_ENTRIES + 1, walk_entries, context, 0);
}

/* The entry for the cursor in the table at @table of the level whose entries span 1 << @shift bytes. */
static __always_inline __u64 walk_entry(struct walk *w, __u64 table, __u32 shift)
{
	__u64 entry = 0;

	if (bpf_probe_read_kernel(&entry, sizeof(entry),
				  (void *)(table + (w->cursor >> shift & (TABLE_ENTRIES - 1)) * 8)))
		w->broken = 1;
	return entry;
}

static __always_inline void walk_skip(struct walk *w, __u32 shift)
{
	__u64 next = ((w->cursor >> shift) + 1) << shift;

	if (w->broken)
		return;
	w->expected = 0;
	w->cursor = next < w->end ? next : w->end;
}

/* True if @entry is a leaf of 1 << @shift bytes: then it was taken. */
static __always_inline bool walk_leaf(struct walk *w, __u64 entry, __u32 shift)
{
	__u64 start = w->cursor, size = 1ULL << shift, phys;

	if (!(entry & X86_PSE))
		return false;
	phys = entry_address(w, entry) & ~(size - 1);
	walk_skip(w, shift);
	walk_add(w, start, w->cursor, phys + (start & (size - 1)), memtype_from_x86_large_leaf(entry),
		 shift == 30 ? LEAF_1G : LEAF_2M);
	return true;
}

static long walk_step(__u32 i, struct walk_context *context)
{
	struct walk *w = context->walk;
	__u64 entry, table = w->pgd;

	if (w->cursor >= w->end || w->n_rows >= WALK_ROWS || w->broken)
		return 1;
	if (w->pgdir_shift == 48) {
		entry = walk_entry(w, table, 48);
		if (!(entry & X86_PRESENT)) {
			walk_skip(w, 48);
			return 0;
		}
		table = w->page_offset + (entry & w->physical_mask);
	}
	entry = walk_entry(w, table, 39);
	if (!(entry & X86_PRESENT)) {
		walk_skip(w, 39);
		return 0;
	}
	entry = walk_entry(w, w->page_offset + (entry & w->physical_mask), 30);
	if (!(entry & (X86_PRESENT | X86_PSE))) {
		walk_skip(w, 30);
		return 0;
	}
	if (walk_leaf(w, entry, 30))
		return 0;
	entry = walk_entry(w, w->page_offset + (entry & w->physical_mask), 21);
	if (!(entry & (X86_PRESENT | X86_PSE))) {
		walk_skip(w, 21);
		return 0;
	}
	if (!walk_leaf(w, entry, 21))
		walk_table(context, w->page_offset + (entry & w->physical_mask));
	return 0;
}

static __always_inline __u64 read_word(__u64 address, __u64 otherwise)
{
	__u64 value;

	if (!address || bpf_probe_read_kernel(&value, sizeof(value), (void *)address))
		return otherwise;
	return value;
}

/*
 * Walks @vma from @start to @end at most. Afterwards w->n_rows rows are complete, and if cursor is not end
 * the walk was cut short there. NULL: this architecture's page tables are not known.
 */
static __always_inline struct walk *walk_pages(__u32 user, __u64 mapping_id, struct vm_area_struct *vma,
					       __u64 start, __u64 end)
{
	struct walk_context context;
	struct event_pages *row;
	struct walk *w;

	if (!WALK_SUPPORTED)
		return NULL;
	w = bpf_map_lookup_elem(&walks, &user);
	if (!w)
		return NULL;
	w->cursor = start;
	w->end = end;
	w->pgd = (__u64)BPF_CORE_READ(vma, vm_mm, pgd);
	w->page_offset = read_word(page_offset_base_address, X86_PAGE_OFFSET);
	w->physical_mask = read_word(physical_mask_address, X86_PHYSICAL_MASK) & X86_PHYSICAL_MASK;
	w->pgdir_shift = (__u32)read_word(pgdir_shift_address, 39);
	w->n_rows = w->broken = 0;
	w->run.start = w->run.end = w->expected = 0;
	w->rows[0].pages.mapping_id = mapping_id;
	w->rows[0].pages.start = start;
	w->rows[0].pages.n_runs = 0;
	context.walk = w;
	bpf_loop(WALK_STEPS, walk_step, &context, 0);

	walk_end_run(w);
	row = walk_row(w);
	if (row && row->start < w->cursor) {
		row->end = w->cursor;
		w->n_rows++;
	}
	return w;
}

#endif
