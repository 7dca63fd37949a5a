// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * /proc/vfiowatch-test-pages: what the page tables of a process say, read with the kernel's own accessors.
 * The oracle for the product's walk, with which it shares nothing.
 *
 * Write "PID START END" (PID decimal, addresses hexadecimal), then read from the same open file: one line for
 * each longest run of populated leaves of one size and one memory type with contiguous physical addresses,
 * "START END PHYS LEAFSIZE PATINDEX", hexadecimal. PATINDEX is PAT<<2 | PCD<<1 | PWT of the leaf. A leaf that
 * mprotect(PROT_NONE) hides from the CPU counts as populated. After them comes for each VMA that reaches into
 * the range "VMA START END PATINDEX FAULT": all of it, what vm_page_prot asks for, and 1 if a page that is
 * not there can come by a fault, else 0. Each write takes a new snapshot.
 */

#include <linux/irqflags.h>
#include <linux/kernfs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define LINE_LENGTH 96
#define MAX_TEXT    (16UL << 20) /* more is E2BIG: ask for a smaller range */

struct run {
	unsigned long start, end;
	u64 phys, leaf;
	unsigned int pat;
};

struct snapshot {
	struct mutex lock;
	char *text;
	size_t length, size;
	struct run run; /* of the reading under way; empty when start equals end */
	int error;
};

static unsigned int pat_index(pteval_t flags, pteval_t pat)
{
	return (flags & pat ? 4 : 0) | (flags & _PAGE_PCD ? 2 : 0) | (flags & _PAGE_PWT ? 1 : 0);
}

/* Room for what one page of page table entries can need; called where sleeping is allowed. */
static bool make_room(struct snapshot *s)
{
	size_t wanted = s->length + (PTRS_PER_PTE + 1) * LINE_LENGTH, size;
	char *text;

	if (s->error || wanted <= s->size)
		return !s->error;
	size = max(wanted, 2 * s->size);
	text = size <= MAX_TEXT ? kvmalloc(size, GFP_KERNEL) : NULL;
	if (!text) {
		s->error = size <= MAX_TEXT ? -ENOMEM : -E2BIG;
		return false;
	}
	memcpy(text, s->text, s->length);
	kvfree(s->text);
	s->text = text;
	s->size = size;
	return true;
}

static void put_run(struct snapshot *s)
{
	const struct run *r = &s->run;

	if (r->start != r->end)
		s->length += scnprintf(s->text + s->length, s->size - s->length, "%lx %lx %llx %llx %x\n",
				       r->start, r->end, r->phys, r->leaf, r->pat);
	s->run.start = s->run.end;
}

/* [start, end) lies within one leaf, or is one. */
static void put_leaf(struct snapshot *s, unsigned long start, unsigned long end, u64 phys, u64 leaf,
		     unsigned int pat)
{
	struct run *r = &s->run;

	if (r->start != r->end && r->end == start && r->phys + (r->end - r->start) == phys &&
	    r->leaf == leaf && r->pat == pat) {
		r->end = end;
		return;
	}
	put_run(s);
	*r = (struct run){start, end, phys, leaf, pat};
}

/* Interrupts off keep the table from being freed, as for the kernel's lockless walkers. */
static void walk_ptes(struct snapshot *s, pmd_t *pmdp, unsigned long address, unsigned long end)
{
	unsigned long flags;
	pmd_t pmd;

	local_irq_save(flags);
	pmd = READ_ONCE(*pmdp);
	if (pmd_none(pmd) || !pmd_present(pmd))
		goto out;
	if (pmd_leaf(pmd)) {
		put_leaf(s, address, end, ((u64)pmd_pfn(pmd) << PAGE_SHIFT) + (address & ~PMD_MASK), PMD_SIZE,
			 pat_index(pmd_flags(pmd), _PAGE_PAT_LARGE));
		goto out;
	}
	for (; address < end; address += PAGE_SIZE) {
		pte_t pte = READ_ONCE(*pte_offset_kernel(&pmd, address));

		if (pte_present(pte))
			put_leaf(s, address, address + PAGE_SIZE, (u64)pte_pfn(pte) << PAGE_SHIFT, PAGE_SIZE,
				 pat_index(pte_flags(pte), _PAGE_PAT));
	}
out:
	local_irq_restore(flags);
}

static void walk_pmds(struct snapshot *s, pud_t pud, unsigned long address, unsigned long end)
{
	for (unsigned long next; address < end; address = next) {
		next = pmd_addr_end(address, end);
		if (!make_room(s))
			return;
		walk_ptes(s, pmd_offset(&pud, address), address, next);
	}
}

static void walk_puds(struct snapshot *s, p4d_t *p4d, unsigned long address, unsigned long end)
{
	for (unsigned long next; address < end; address = next) {
		pud_t pud = READ_ONCE(*pud_offset(p4d, address));

		next = pud_addr_end(address, end);
		if (!make_room(s))
			return;
		if (pud_none(pud) || !pud_present(pud))
			continue;
		if (pud_leaf(pud))
			put_leaf(s, address, next, ((u64)pud_pfn(pud) << PAGE_SHIFT) + (address & ~PUD_MASK),
				 PUD_SIZE, pat_index(pud_flags(pud), _PAGE_PAT_LARGE));
		else
			walk_pmds(s, pud, address, next);
	}
}

static void walk_range(struct snapshot *s, struct mm_struct *mm, unsigned long address, unsigned long end)
{
	for (unsigned long next; address < end && !s->error; address = next) {
		pgd_t *pgd = pgd_offset(mm, address);
		p4d_t *p4d;

		next = p4d_addr_end(address, pgd_addr_end(address, end));
		if (pgd_none(*pgd) || pgd_bad(*pgd))
			continue;
		p4d = p4d_offset(pgd, address);
		if (!p4d_none(*p4d) && !p4d_bad(*p4d))
			walk_puds(s, p4d, address, next);
	}
}

static bool can_fault(const struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	/* kernfs has a handler of its own for every file, which asks that of the attribute's mmap */
	if (vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == SYSFS_MAGIC)
		ops = ((struct kernfs_open_file *)((struct seq_file *)vma->vm_file->private_data)->private)
			      ->vm_ops;
	return ops && (ops->fault || ops->huge_fault);
}

static void put_vmas(struct snapshot *s, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;

	while (start < end && (vma = find_vma(mm, start)) && vma->vm_start < end && make_room(s)) {
		s->length += scnprintf(s->text + s->length, s->size - s->length, "VMA %lx %lx %x %d\n",
				       vma->vm_start, vma->vm_end,
				       pat_index(pgprot_val(vma->vm_page_prot), _PAGE_PAT), can_fault(vma));
		start = vma->vm_end;
	}
}

/* Only within VMAs: the tables of anything else may be on their way out. */
static int walk_mm(struct snapshot *s, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long address = start;
	struct vm_area_struct *vma;

	s->length = 0;
	s->error = 0;
	s->run = (struct run){};
	mmap_read_lock(mm);
	while (address < end && (vma = find_vma(mm, address)) && vma->vm_start < end) {
		walk_range(s, mm, max(address, vma->vm_start), min(end, vma->vm_end));
		address = vma->vm_end;
		cond_resched();
	}
	if (make_room(s))
		put_run(s);
	put_vmas(s, mm, start, end);
	mmap_read_unlock(mm);
	return s->error;
}

static int take_snapshot(struct snapshot *s, int nr, unsigned long start, unsigned long end)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;
	int r = -ESRCH;

	if (mm) {
		r = walk_mm(s, mm, start, end);
		mmput(mm);
	}
	if (task)
		put_task_struct(task);
	put_pid(pid);
	return r;
}

static ssize_t pages_write(struct file *file, const char __user *buf, size_t count, loff_t *ppos)
{
	struct snapshot *s = file->private_data;
	unsigned long start, end;
	char text[80], rest;
	int pid, r;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	text[count] = '\0';
	if (sscanf(text, "%d %lx %lx %c", &pid, &start, &end, &rest) != 3 || start >= end ||
	    end > TASK_SIZE_MAX || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(end))
		return -EINVAL;
	mutex_lock(&s->lock);
	r = take_snapshot(s, pid, start, end);
	if (r < 0)
		s->length = 0;
	mutex_unlock(&s->lock);
	*ppos = 0; /* reading begins at the first line */
	return r < 0 ? r : count;
}

static ssize_t pages_read(struct file *file, char __user *buf, size_t count, loff_t *ppos)
{
	struct snapshot *s = file->private_data;
	ssize_t r;

	mutex_lock(&s->lock);
	r = simple_read_from_buffer(buf, count, ppos, s->text, s->length);
	mutex_unlock(&s->lock);
	return r;
}

static int pages_open(struct inode *inode, struct file *file)
{
	struct snapshot *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	file->private_data = s;
	return 0;
}

static int pages_release(struct inode *inode, struct file *file)
{
	struct snapshot *s = file->private_data;

	kvfree(s->text);
	kfree(s);
	return 0;
}

static const struct proc_ops pages_ops = {
	.proc_open = pages_open,
	.proc_release = pages_release,
	.proc_read = pages_read,
	.proc_write = pages_write,
	.proc_lseek = default_llseek,
};

static int __init pages_init(void)
{
	return proc_create("vfiowatch-test-pages", 0600, NULL, &pages_ops) ? 0 : -ENOMEM;
}

static void __exit pages_exit(void)
{
	remove_proc_entry("vfiowatch-test-pages", NULL);
}

module_init(pages_init);
module_exit(pages_exit);
MODULE_DESCRIPTION("page tables of a process as text, for the tests of vfiowatch");
MODULE_LICENSE("GPL");
