// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * System calls by another ABI than our own: what a 32-bit or an x32 program would do, from this 64-bit one.
 * The 32-bit ABI takes addresses below 4 GiB only, and so do the numbers here.
 */

#include "client.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __x86_64__

/* arch/x86/entry/syscalls/syscall_32.tbl */
#define COMPAT_IOCTL            54
#define COMPAT_OLD_MMAP         90
#define COMPAT_MMAP2            192
#define COMPAT_REMAP_FILE_PAGES 257

/* arch/x86/entry/syscalls/syscall_64.tbl: ioctl has a number of its own, the rest those of the 64-bit ABI */
#define X32_BIT              0x40000000
#define X32_MMAP             (X32_BIT | 9)
#define X32_REMAP_FILE_PAGES (X32_BIT | 216)
#define X32_IOCTL            (X32_BIT | 514)

#define OFFSET_UNIT          4096ULL /* of mmap2 and remap_file_pages */

struct compat_call {
	uint32_t number, ebx, ecx, edx, esi, edi, ebp;
};

/* The kernel may clear r8 to r11; C has no name for ebp as an argument. */
long compat_syscall(const struct compat_call *call);
__asm__(".pushsection .text\n"
	".type compat_syscall, @function\n"
	"compat_syscall:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	mov (%rdi), %eax\n"
	"	mov 4(%rdi), %ebx\n"
	"	mov 8(%rdi), %ecx\n"
	"	mov 12(%rdi), %edx\n"
	"	mov 16(%rdi), %esi\n"
	"	mov 24(%rdi), %ebp\n"
	"	mov 20(%rdi), %edi\n"
	"	int $0x80\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size compat_syscall, . - compat_syscall\n"
	".popsection\n");

static long result_of(long r)
{
	if (r < 0 && r >= -4095) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

/* A page below 4 GiB for what the kernel reads and writes. */
static void *low_page(void)
{
	static void *page;

	if (!page || page == MAP_FAILED)
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
			    0);
	return page == MAP_FAILED ? NULL : page;
}

static bool is_low(uint64_t value)
{
	return value <= UINT32_MAX;
}

static void *compat_mmap2(size_t length, int prot, int flags, int fd, uint64_t offset)
{
	struct compat_call call = {COMPAT_MMAP2,
				   0,
				   (uint32_t)length,
				   (uint32_t)prot,
				   (uint32_t)flags,
				   (uint32_t)fd,
				   (uint32_t)(offset / OFFSET_UNIT)};

	if (!is_low(length) || offset % OFFSET_UNIT || !is_low(offset / OFFSET_UNIT)) {
		errno = EOVERFLOW;
		return MAP_FAILED;
	}
	return (void *)result_of(compat_syscall(&call));
}

/* Its six arguments are in memory, and the offset counts bytes. */
static void *compat_old_mmap(size_t length, int prot, int flags, int fd, uint64_t offset)
{
	uint32_t *arguments = low_page();
	struct compat_call call = {COMPAT_OLD_MMAP, (uint32_t)(uintptr_t)arguments, 0, 0, 0, 0, 0};

	if (!arguments || !is_low(length) || !is_low(offset)) {
		errno = EOVERFLOW;
		return MAP_FAILED;
	}
	arguments[0] = 0;
	arguments[1] = (uint32_t)length;
	arguments[2] = (uint32_t)prot;
	arguments[3] = (uint32_t)flags;
	arguments[4] = (uint32_t)fd;
	arguments[5] = (uint32_t)offset;
	return (void *)result_of(compat_syscall(&call));
}

void *abi_mmap(const struct client *c, size_t length, int prot, int flags, int fd, uint64_t offset)
{
	switch (c->abi) {
	case ABI_COMPAT:
		return compat_mmap2(length, prot, flags, fd, offset);
	case ABI_COMPAT_OLD:
		return compat_old_mmap(length, prot, flags, fd, offset);
	case ABI_X32:
		return (void *)syscall(X32_MMAP, 0, length, prot, flags, fd, offset);
	default:
		return mmap(NULL, length, prot, flags, fd, (off_t)offset);
	}
}

int abi_remap_file_pages(const struct client *c, void *address, size_t length, size_t page)
{
	struct compat_call call = {COMPAT_REMAP_FILE_PAGES,
				   (uint32_t)(uintptr_t)address,
				   (uint32_t)length,
				   0,
				   (uint32_t)page,
				   0,
				   0};

	switch (c->abi) {
	case ABI_COMPAT:
	case ABI_COMPAT_OLD:
		if (!is_low((uintptr_t)address) || !is_low(length) || !is_low(page)) {
			errno = EOVERFLOW;
			return -1;
		}
		return (int)result_of(compat_syscall(&call));
	case ABI_X32:
		return (int)syscall(X32_REMAP_FILE_PAGES, address, length, 0, page, 0);
	default:
		return remap_file_pages(address, length, 0, page, 0);
	}
}

int abi_ioctl(const struct client *c, int fd, unsigned long request, void *argument, size_t size)
{
	struct compat_call call = {COMPAT_IOCTL, (uint32_t)fd, (uint32_t)request, 0, 0, 0, 0};
	void *low = low_page();
	int r;

	if (c->abi == ABI_NATIVE)
		return ioctl(fd, request, argument);
	if (!low || size > 4096) {
		errno = EOVERFLOW;
		return -1;
	}
	memcpy(low, argument, size);
	call.edx = (uint32_t)(uintptr_t)low;
	r = c->abi == ABI_X32 ? (int)syscall(X32_IOCTL, fd, request, low)
			      : (int)result_of(compat_syscall(&call));
	memcpy(argument, low, size);
	return r;
}

#else

static bool is_native(const struct client *c)
{
	errno = ENOSYS;
	return c->abi == ABI_NATIVE;
}

void *abi_mmap(const struct client *c, size_t length, int prot, int flags, int fd, uint64_t offset)
{
	return is_native(c) ? mmap(NULL, length, prot, flags, fd, (off_t)offset) : MAP_FAILED;
}

int abi_remap_file_pages(const struct client *c, void *address, size_t length, size_t page)
{
	return is_native(c) ? remap_file_pages(address, length, 0, page, 0) : -1;
}

int abi_ioctl(const struct client *c, int fd, unsigned long request, void *argument, size_t size)
{
	(void)size;
	return is_native(c) ? ioctl(fd, request, argument) : -1;
}

#endif

int cmd_abi(struct client *c, int argc, char **argv)
{
	static const char *const names[] = {
		[ABI_NATIVE] = "native",
		[ABI_COMPAT] = "compat",
		[ABI_COMPAT_OLD] = "compat-old",
		[ABI_X32] = "x32",
	};

	(void)argc;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(argv[0], names[i]) == 0) {
			c->abi = (enum abi)i;
			return 0;
		}
	return wrong(c, "abi: '%s' must be native, compat, compat-old or x32", argv[0]);
}
