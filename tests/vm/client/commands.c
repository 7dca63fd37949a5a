// SPDX-License-Identifier: GPL-2.0-or-later

/* The command table: the language reference that `vfio-client --help` prints. */

#include "client.h"

#include <stddef.h>

#define ANY (MAX_WORDS - 1)

const struct command commands[] = {
	{"open", 3, 3, false, cmd_open, "NAME group|cdev BDF, or NAME path|path-ro FILE",
	 "open a VFIO device through its group (one type1 container per process), or through its character "
	 "device with iommufd; or any file (resourceN, /dev/mem, ..), read-write or read-only, with O_SYNC"},
	{"dup", 2, 2, false, cmd_dup, "NAME NEW", "duplicate the descriptor"},
	{"close", 1, 1, false, cmd_close, "NAME", "close the descriptor; mappings and group stay"},
	{"close-groups", 0, 0, false, cmd_close_groups, "", "close every group descriptor and the container"},
	{"info", 2, 4, false, cmd_info, "NAME REGION [issued VARIABLE]",
	 "VFIO_DEVICE_GET_REGION_INFO; VARIABLE gets the file offset"},
	{"storm-info", 3, 3, false, cmd_storm_info, "NAME REGION COUNT", "the same, COUNT times"},
	{"dmabuf", 3, ANY, false, cmd_dmabuf, "NEW NAME REGION [OFFSET LENGTH]...",
	 "VFIO_DEVICE_FEATURE_DMA_BUF over these ranges, or the whole region"},
	{"reset", 1, 1, false, cmd_reset, "NAME", "VFIO_DEVICE_RESET"},
	{"memory", 2, 2, false, cmd_memory, "NAME on|off",
	 "the memory bit of the command register; off revokes BAR mappings"},
	{"mmap", 3, 6, false, cmd_mmap, "MAP NAME REGION [OFFSET [LENGTH]] [rw|ro|none]",
	 "map shared; asks for region information only when NAME has not asked yet; sets ADDR_MAP"},
	{"mmap-huge", 3, 6, false, cmd_mmap_huge, "MAP NAME REGION [OFFSET [LENGTH]] [rw|ro|none]",
	 "the same, at an address to which 2 MiB leaves fit"},
	{"mmap-raw", 4, 5, false, cmd_mmap_raw, "MAP NAME FILEOFFSET LENGTH [rw|ro|none]",
	 "map without ever asking; any open file"},
	{"mmap-fixed", 5, 7, false, cmd_mmap_fixed,
	 "NEW MAP OFFSET LENGTH anon, or .. NAME REGION REGIONOFFSET",
	 "MAP_FIXED over that part of MAP, which loses it to NEW"},
	{"munmap", 1, 3, false, cmd_munmap, "MAP [OFFSET LENGTH]", "unmap what is left of that range"},
	{"mremap", 4, 5, false, cmd_mremap, "MAP OFFSET LENGTH NEWLENGTH [move]",
	 "resize; with move to a reserved free address (MREMAP_FIXED)"},
	{"mprotect", 2, 4, false, cmd_mprotect, "MAP [OFFSET LENGTH] ro|rw|none", "change protection"},
	{"touch", 1, 3, false, cmd_touch, "MAP [OFFSET LENGTH]",
	 "read one u32 of each page; SIGBUS or SIGSEGV is EFAULT"},
	{"remap-file-pages", 4, 4, false, cmd_remap_file_pages, "MAP OFFSET LENGTH NEWOFFSET",
	 "remap_file_pages: those pages show NEWOFFSET, counted like OFFSET"},
	{"abi", 1, 1, false, cmd_abi, "native|compat|compat-old|x32",
	 "the system calls that mmap, mmap-raw, remap-file-pages and the WC cookie commands make from now "
	 "on: "
	 "64-bit, 32-bit (mmap2, or the old mmap with its arguments in memory), or x32"},
	{"expect-denied", 4, 4, false, cmd_expect_denied, "FILE NAME FILEOFFSET LENGTH",
	 "map that again and again until FILE exists: each time the answer must be EPERM"},
	{"eventually", 1, 1, true, cmd_eventually, "COMMAND...",
	 "again and again until it succeeds, for half a minute"},
	{"maps", 0, 0, false, cmd_maps, "",
	 "print this process's device lines of /proc/self/maps, after its pid"},
	{"pieces", 0, 0, false, cmd_pieces, "",
	 "print what this process and its children mapped: PID START END BDF REGION FILEOFFSET"},
	{"fork", 1, 1, false, cmd_fork, "CHILD",
	 "a child interpreter with all files and mappings; sets PID_CHILD"},
	{"spawn", 1, 1, false, cmd_spawn, "CHILD", "a fresh vfio-client as child; sets PID_CHILD"},
	{"share", 1, 1, false, cmd_share, "CHILD",
	 "a process that shares this address space (CLONE_VM) and only sleeps: kill and wait for it"},
	{"send", 2, 2, false, cmd_send, "NAME CHILD",
	 "hand a descriptor over by SCM_RIGHTS, under the same name"},
	{"receive", 3, 3, false, cmd_receive, "NAME KIND BDF", "what send says to the child"},
	{"exec", 1, ANY, false, cmd_exec, "PROGRAM [ARGUMENT]...",
	 "become another program; answered when it really has"},
	{"exit", 0, 1, false, cmd_exit, "[STATUS]",
	 "end this interpreter; @CHILD exit answers after it was reaped"},
	{"kill", 2, 2, false, cmd_kill, "CHILD SIGNAL", "send a signal by name"},
	{"wait", 1, 2, false, cmd_wait, "CHILD [STATUS|SIGNAL]",
	 "end the conversation, reap the child, and compare how it ended"},
	{"start", 2, 2, true, cmd_start, "CHILD COMMAND...", "like @CHILD, but do not wait for the answer"},
	{"join", 1, 1, false, cmd_join, "CHILD", "wait for the answer to start"},
	{"define", 2, 2, true, script_define, "WORD COMMAND...", "WORD ARGS.. becomes COMMAND.. ARGS.."},
	{"set", 2, 2, false, cmd_set, "VARIABLE VALUE", "set a variable"},
	{"comm", 1, 1, false, cmd_comm, "STRING", "prctl PR_SET_NAME; \\xNN and \\\\ are bytes"},
	{"cmdline", 1, 2, false, cmd_cmdline, "STRING [SIZE]",
	 "what /proc/PID/cmdline says from now on: those bytes, as of comm, filled up with x to SIZE"},
	{"sleep", 1, 1, false, cmd_sleep, "MS", "sleep"},
	{"print", 0, ANY, false, cmd_print, "[WORD]...", "print to stdout"},
	{"barrier", 1, 1, false, cmd_barrier, "FILE", "wait until FILE exists"},
	{"touch-file", 1, 1, false, cmd_touch_file, "FILE", "create FILE"},
	{"hold", 0, 1, false, cmd_hold, "[FILE]", "create FILE, then pause until SIGTERM"},
	{"deafen", 1, 1, false, cmd_deafen, "PID",
	 "take the BPF maps of that process out of its epolls: it never hears of an event again. Files that "
	 "this "
	 "process has open under the same numbers are closed"},
	{"pid", 0, 0, false, cmd_pid, "", "answer with the pid; sets PID"},
	{"run", 1, 1, true, cmd_run, "COMMAND...",
	 "sh -c; fails when that does (a ';' for sh must be quoted)"},
	{"storm", 4, 5, false, cmd_storm, "COUNT NAME REGION LENGTH [PROCESSES]",
	 "COUNT mmap+munmap pairs in this process, or in each of PROCESSES forked ones (COUNT*PROCESSES in "
	 "all)"},
	{"race", 7, ANY, false, cmd_race, "ATTEMPTS PROCESSES SEED PAGES {NAME OFFSET uc|wc}...",
	 "PROCESSES map, use and unmap up to 8 of those PAGES, each time by another of the sources (byte 0 "
	 "of "
	 "the pages is at OFFSET), ATTEMPTS times in all. Prints the counts; EIO when conflicting types were "
	 "mapped together or EPERM had no reason"},
	{"bench", 2, 4, false, cmd_bench,
	 "vfio-mmap|region-info COUNT NAME REGION, or anon-mmap|pipe-ioctl|null-ioctl|clock COUNT, or "
	 "file-mmap COUNT [FILE]",
	 "print ns of one iteration: min, median, mean (64 KiB; clock is the empty iteration)"},
	{"bar", 3, 3, false, cmd_bar, "BDF REGION VARIABLE",
	 "VARIABLE gets the physical address of that BAR: the offset in /dev/mem and /proc/bus/pci"},
	{"pciioc", 2, 2, false, cmd_pciioc, "NAME mem|io|wc|uc",
	 "of a file of /proc/bus/pci: PCIIOC_MMAP_IS_MEM or _IS_IO, PCIIOC_WRITE_COMBINE on or off"},
	{"attrs", 3, 3, false, cmd_attrs, "NAME REGION|OFFSET wc|none|NUMBER",
	 "VFIO_DEVICE_SET_MMAP_ATTRS of an offset, or of the one of REGION (below 64). This command and the "
	 "next "
	 "six need the test driver: test-modules load, vfio-bind --driver vfiowatch-test"},
	{"alias", 4, 4, false, cmd_alias, "NAME REGION wc|none|NUMBER VARIABLE",
	 "VFIO_DEVICE_FEATURE_ALIAS_REGION; VARIABLE gets the index, for info and mmap"},
	{"get-mmap", 4, 4, false, cmd_get_mmap, "NAME REGION wc|none|NUMBER VARIABLE",
	 "VFIO_REGION_GET_MMAP; VARIABLE gets the file offset, for mmap-raw"},
	{"memattr", 2, 2, false, cmd_memattr, "DMABUF nc|wc|NUMBER", "VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR"},
	{"revoke", 1, 1, false, cmd_revoke, "DMABUF", "VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE"},
	{"wc-mode", 2, 5, false, cmd_wc_mode,
	 "BDF prot|remap|pte, or BDF iomap [REGION], or BDF split REGION OFFSET LENGTH",
	 "how the test driver makes a write-combining mapping from now on"},
	{"variant-region", 2, 2, false, cmd_variant_region, "BDF REGION|none",
	 "the region whose plain offset the test driver maps write-combining"},
	{"pages", 1, 3, false, cmd_pages, "MAP [OFFSET LENGTH]",
	 "print what /proc/vfiowatch-test-pages says: OFFSET LENGTH PHYS LEAFSIZE TYPE (test-modules load)"},
	{"expect-types", 2, ANY, false, cmd_expect_types, "MAP [OFFSET LENGTH] TYPE[:LENGTH]...",
	 "exactly these, in ascending order, each over all pages up to the next: wb, wc, uc-, uc, wp, wt, "
	 "unpopulated"},
	{"expect-place", 4, 4, false, cmd_expect_place, "MAP BDF REGION OFFSET",
	 "every populated page is where the BAR has it, when byte 0 of MAP is byte OFFSET of the BAR; one "
	 "is"},
	{NULL, 0, 0, false, NULL, NULL, NULL},
};
