/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIO_CLIENT_H
#define VFIO_CLIENT_H

/*
 * vfio-client: a scriptable user of VFIO for the VM tests. One struct client is one process's view: its
 * device files, mappings and child interpreters. fork(2) copies it, as it copies the mappings themselves.
 *
 * Everywhere: 0 is success and a negative errno is what the kernel answered. SCRIPT_ERROR means that the
 * script itself is wrong (unknown word, unknown name, bad number); it is never what `!` asks for.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* client.h is included first: mremap, strerrorname_np, sigabbrev_np */
#endif
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/types.h>

#define SCRIPT_ERROR   (-4095) /* below every errno */
#define NAME_SIZE      32
#define TEXT_SIZE      1024 /* answers and error texts; longer ones are cut */
#define LINE_SIZE      8192 /* one command; a longer one is a script error */
#define MAX_WORDS      64
#define MAX_REGIONS    64  /* cached per file; regions beyond are asked anew each time */
#define MAX_PIECES     256 /* per mapping; more is a script error */

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))

enum file_kind {
	FILE_DEVICE,
	FILE_DMABUF,
	FILE_PLAIN, /* opened by path: sysfs resourceN, /dev/mem, .. */
};

/* Which system calls map, remap and ask for cookies: `abi`. */
enum abi {
	ABI_NATIVE,
	ABI_COMPAT,     /* 32-bit: int $0x80 */
	ABI_COMPAT_OLD, /* the same, and mmap takes its arguments from memory */
	ABI_X32,
};

struct region {
	bool known;
	uint64_t offset; /* the cookie: file offset of the region's first byte */
	uint64_t size;   /* bytes */
	uint32_t flags;  /* VFIO_REGION_INFO_FLAG_* */
};

struct file {
	LIST_ENTRY(file) link;
	char name[NAME_SIZE];
	char device[NAME_SIZE]; /* BDF; empty for FILE_PLAIN */
	enum file_kind kind;
	int fd;
	struct region regions[MAX_REGIONS];
};

struct group {
	LIST_ENTRY(group) link;
	int number;
	int fd;
};

/* What is left of one mmap: `offset` counts from the first byte of that mmap, wherever it lives now. */
struct piece {
	uint64_t offset;
	uint64_t length;
	uint64_t file_offset; /* of its first byte */
	uint8_t *address;
};

struct map {
	LIST_ENTRY(map) link;
	char name[NAME_SIZE];
	char device[NAME_SIZE]; /* BDF; empty when not of a device */
	int region;             /* -1 when unknown */
	uint64_t file_offset;   /* of byte 0 */
	uint64_t length;        /* as first mapped */
	size_t n_pieces;
	struct piece pieces[MAX_PIECES]; /* ascending by offset */
};

struct child {
	LIST_ENTRY(child) link;
	char name[NAME_SIZE];
	pid_t pid;
	int fd;       /* our end of the socketpair; -1 once it no longer listens (exec) */
	bool pending; /* `start` was given, `join` not yet */
	bool shares;  /* our address space: `share` */
};

struct definition {
	LIST_ENTRY(definition) link;
	char name[NAME_SIZE];
	char *text;
};

struct client {
	LIST_HEAD(file_list, file) files;
	LIST_HEAD(group_list, group) groups;
	LIST_HEAD(map_list, map) maps;
	LIST_HEAD(child_list, child) children;
	LIST_HEAD(definition_list, definition) definitions;
	int container; /* /dev/vfio/vfio, -1 until the first group */
	int iommufd;   /* /dev/iommu, -1 until the first cdev */
	uint32_t ioas;
	int up;       /* socket to the parent interpreter, -1 in the first process */
	int received; /* descriptor that came with the last request, -1 none */
	enum abi abi;
	bool verbose;
	bool quit;
	int status;
	unsigned line;
	unsigned depth; /* nesting of definitions */
	char answer[TEXT_SIZE];
	char error[TEXT_SIZE];
};

struct words {
	int n;
	char *word[MAX_WORDS + 1]; /* NULL-terminated, for exec */
	char text[LINE_SIZE];
};

struct command {
	const char *name;
	int min, max; /* number of arguments; raw commands take the rest of the line as their last one */
	bool raw;
	int (*run)(struct client *c, int argc, char **argv); /* argv[0] is the first argument */
	const char *usage;
	const char *help;
};

extern const struct command commands[]; /* ends with a NULL name */

/* client.c: state and messages */
void client_init(struct client *c);
void client_after_fork(struct client *c, int up);
int answer(struct client *c, const char *format, ...) _printf_(2, 3);
int fail(struct client *c, int error, const char *format, ...) _printf_(3, 4); /* error > 0; returns -error */
int wrong(struct client *c, const char *format, ...) _printf_(2, 3);           /* returns SCRIPT_ERROR */
int set_address(struct client *c, const char *prefix, const char *name, uint64_t value); /* 0x.. */
int set_pid(struct client *c, const char *prefix, const char *name, pid_t pid);          /* decimal */
int check_name(struct client *c, const char *name);
struct file *file_find(struct client *c, const char *name);
struct file *file_add(struct client *c, const char *name, enum file_kind kind, const char *device, int fd);
struct map *map_find(struct client *c, const char *name);
struct child *child_find(struct client *c, const char *name);
int file_get(struct client *c, const char *name, struct file **ret);
int device_get(struct client *c, const char *name, struct file **ret);
int map_get(struct client *c, const char *name, struct map **ret);
int child_get(struct client *c, const char *name, struct child **ret);
int parse_number(struct client *c, const char *what, const char *text, uint64_t *ret);
void closep(int *fd);

/* script.c: the language */
int script_execute(struct client *c, const char *line);
int script_line(struct client *c, char *line, void (*done)(struct client *c));
int script_define(struct client *c, int argc, char **argv);
int errno_from_name(const char *name);

/* vfio.c: the uAPI */
int vfio_open_group(struct client *c, const char *device, int *ret_fd);
int vfio_open_cdev(struct client *c, const char *device, int *ret_fd);
int vfio_region(struct client *c, struct file *f, uint32_t index, struct region *ret);
int vfio_region_cached(struct client *c, struct file *f, uint32_t index, struct region *ret);
int vfio_export_dmabuf(struct client *c, struct file *f, uint32_t index, const uint64_t *ranges, uint32_t n,
		       int *ret_fd);
int vfio_reset(struct client *c, struct file *f);
int vfio_set_memory(struct client *c, struct file *f, bool on);
void vfio_close_groups(struct client *c);

/* mapping.c, pieces.c */
int pieces_cut(struct client *c, struct map *m, uint64_t offset, uint64_t length);
int pieces_add(struct client *c, struct map *m, const struct piece *piece);
const struct piece *pieces_next(const struct map *m, uint64_t offset, uint64_t length, size_t *cursor,
				struct piece *ret);
int pieces_export(struct client *c);

/* mapping.c */
int mapping_range(struct client *c, const struct map *m, int argc, char **argv, uint64_t *offset,
		  uint64_t *length);

/* dialect.c */
int bar_start(struct client *c, const char *bdf, const char *region, uint64_t *ret); /* physical */

/* abi.c: by the ABI that was chosen; as the functions of libc, also in errno */
void *abi_mmap(const struct client *c, size_t length, int prot, int flags, int fd, uint64_t offset);
int abi_remap_file_pages(const struct client *c, void *address, size_t length, size_t page);
int abi_ioctl(const struct client *c, int fd, unsigned long request, void *argument, size_t size);

/* process.c */
int child_request(struct client *c, struct child *ch, const char *text, int fd);
int child_answer(struct client *c, struct child *ch);
int child_route(struct client *c, const char *name, const char *text);
void children_finish(struct client *c);
int serve(struct client *c);

/* the commands, by file */
typedef int command_fn(struct client *c, int argc, char **argv);
command_fn cmd_open, cmd_dup, cmd_close, cmd_close_groups, cmd_info, cmd_storm_info, cmd_dmabuf, cmd_reset,
	cmd_memory;
command_fn cmd_mmap, cmd_mmap_huge, cmd_mmap_raw, cmd_mmap_fixed, cmd_munmap, cmd_mremap, cmd_mprotect,
	cmd_touch, cmd_remap_file_pages, cmd_maps;
command_fn cmd_fork, cmd_spawn, cmd_share, cmd_send, cmd_receive, cmd_exec, cmd_exit, cmd_kill, cmd_wait,
	cmd_start, cmd_join;
command_fn cmd_comm, cmd_cmdline, cmd_sleep, cmd_print, cmd_barrier, cmd_touch_file, cmd_hold, cmd_deafen,
	cmd_pid, cmd_run, cmd_set, cmd_pieces;
command_fn cmd_storm, cmd_bench, cmd_abi, cmd_race, cmd_eventually, cmd_expect_denied;
command_fn cmd_attrs, cmd_alias, cmd_get_mmap, cmd_memattr, cmd_revoke, cmd_wc_mode, cmd_variant_region,
	cmd_pciioc, cmd_bar;
command_fn cmd_pages, cmd_expect_types, cmd_expect_place;

#endif
