/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_EVENT_H
#define VFIOWATCH_EVENT_H

/*
 * Events: what BPF programs write, the daemon reads, and captures store. One layout for all three.
 *
 * An event says either that something happened in the kernel (origin EVENT_ORIGIN_KERNEL: made in a BPF hook,
 * counted in struct recorder) or what the truth is right now (EVENT_ORIGIN_SCAN: read from live VMAs, files
 * and BPF maps by an iterator, or from sysfs and /proc by the daemon). Applying the second kind twice changes
 * nothing.
 *
 * All fields are in the byte order of the host that made them. Structures have no implicit padding, and BPF
 * zeroes the whole record before filling it. Text is not terminated when it fills its field, and may hold any
 * byte.
 */

#include <linux/types.h>

#define EVENT_VERSION 2

/* TASK_COMM_LEN of include/linux/sched.h. */
#define EVENT_COMM_LEN 16
#define EVENT_NAME_LEN 64
#define EVENT_PATH_LEN 256
#define EVENT_BARS     6
#define EVENT_RUNS_MAX 8

/* MODULE_NAME_LEN of include/linux/module.h on 64 bit; VFIO drivers that the recorder knows by name. */
#define EVENT_MODULE_LEN  56
#define EVENT_DRIVERS_MAX 16

enum event_type {
	EVENT_NONE = 0,
	EVENT_OPEN,           /* struct event_file: a VFIO device file came to be */
	EVENT_RELEASE,        /* struct event_file: its last reference is gone; only file_id is set */
	EVENT_COOKIE,         /* struct event_cookie: a cookie was issued, for the first time or again */
	EVENT_COOKIE_RELEASE, /* struct event_cookie: an exported DMABUF was released; cookie_id and file_id
				 are set */
	EVENT_MAP,            /* struct event_mapping: mmap of a cookie succeeded */
	EVENT_COPY,   /* struct event_mapping: the kernel copied a mapped VMA (fork, split, mremap); its range
			 is that of the original and is settled by a later EVENT_MAPPING */
	EVENT_UNMAP,  /* struct event_mapping: the VMA is gone; only mapping_id is set */
	EVENT_MODULE, /* struct event_module: a kernel module was loaded or freed */
	EVENT_POPULATE,    /* struct event_pages: a fault or an mmap filled page-table entries */
	EVENT_REVOKE,      /* struct event_revoke: the kernel took away page-table entries of BARs */
	EVENT_RESERVATION, /* struct event_reservation: the kernel reserved physical bytes with WC, or with
			      another memory type than was asked for */
	EVENT_REQUEST, /* struct event_request: the enforcer decided on a mapping or a cookie that was asked
			  for, before there was one */
	EVENT_KERNEL_TYPES, /* number of types above: those a BPF program generates and counts */

	EVENT_FILE = 32,   /* struct event_file: this file is open */
	EVENT_COOKIE_LIVE, /* struct event_cookie: this cookie is valid */
	EVENT_MAPPING,  /* struct event_mapping: this VMA is mapped, with this range, owned by header.who */
	EVENT_HOLDER,   /* struct event_holder: header.who has this file in its descriptor table */
	EVENT_DEVICE,   /* struct event_device: facts of a PCI device */
	EVENT_PROCESS,  /* struct event_process: facts of the process header.who */
	EVENT_LOST,     /* struct event_lost: kernel events of one type were dropped */
	EVENT_PAGES,    /* struct event_pages: what the page tables say */
	EVENT_IDENTITY, /* struct event_identity: further facts of the process header.who */
	EVENT_TYPES,
};

enum event_origin {
	EVENT_ORIGIN_KERNEL = 0,
	EVENT_ORIGIN_SCAN = 1,
};

/* Where a mapping of a BAR comes from. */
enum mapping_source {
	SOURCE_VFIO = 0,
	SOURCE_DMABUF,
	SOURCE_SYSFS,
	SOURCE_DEVMEM,
	SOURCE_OTHER,
	SOURCE_TYPES,
};

/* The uAPI by which a cookie was issued; names as in the JSON contract. */
enum cookie_dialect {
	DIALECT_REGION_INFO = 0,
	DIALECT_MMAP_ATTRS,
	DIALECT_ALIAS_REGION,
	DIALECT_GET_MMAP,
	DIALECT_DMA_BUF,
	DIALECT_VARIANT,
	DIALECT_TYPES,
};

/* Mapping attributes of a cookie, as userspace asked for them and the kernel accepted them. */
enum event_cookie_attributes {
	COOKIE_ATTRIBUTES_KNOWN = 1 << 0, /* else the dialect or the driver decides, and WC says nothing */
	COOKIE_WC = 1 << 1,               /* write-combining; else uncached */
	COOKIE_REVOKED = 1 << 2,          /* mappings of it fault for ever */
};

/* EVENT_REGION_UNKNOWN: the region index is not known; never a real index. */
#define EVENT_REGION_UNKNOWN 0xffffffffU

/*
 * A process as the kernel knows it. start_ns is task_struct.start_boottime of the thread group leader: with
 * the tgid it names one process of this boot, also after the pid was reused. All zero: not known.
 */
struct event_process_id {
	__u64 start_ns;  /* ns since boot, CLOCK_BOOTTIME */
	__u64 cgroup_id; /* inode number of the cgroup v2 directory, 0: unknown */
	__u32 tgid;      /* in the initial pid namespace, 0: unknown */
	__u32 uid;       /* in the initial user namespace */
	char comm[EVENT_COMM_LEN];
};

struct event_header {
	__u16 version;  /* EVENT_VERSION */
	__u16 type;     /* enum event_type */
	__u16 size;     /* bytes of this record with its header */
	__u16 origin;   /* enum event_origin */
	__u64 sequence; /* kernel events: unique, rising in the order generated, gaps are losses; else 0 */
	__u64 time_ns;  /* CLOCK_BOOTTIME when it happened or was read */
	struct event_process_id who;
};

/*
 * A PCI address packed as domain << 16 | bus << 8 | devfn. Only valid with EVENT_DEVICE_IS_PCI.
 * Domains are 32 bits wide in the kernel (VMD uses 0x10000 and up), so this is a __u64.
 */
#define EVENT_PCI_ADDRESS(domain, bus, devfn) ((__u64)(domain) << 16 | (__u64)(bus) << 8 | (__u64)(devfn))

enum event_file_flags {
	EVENT_DEVICE_IS_PCI = 1 << 0,
	EVENT_FILE_FROM_SCAN =
		1 << 1,              /* it was open before recording began: what it did earlier is unknown */
	EVENT_FILE_IS_CDEV = 1 << 2, /* opened as /dev/vfio/devices/vfioN, else through a group */
	EVENT_FILE_VARIANT = 1 << 4, /* the driver has its own mmap handler, not vfio_pci_core_mmap() */
	EVENT_FILE_HOLDERS_KNOWN = 1 << 3, /* ledger_replay() only: all its holders follow as EVENT_HOLDER */
	EVENT_FILE_COOKIES_UNCERTAIN =
		1 << 4, /* ledger_replay() only: cookies may have been issued on it that were not seen */
};

struct event_file {
	__u64 file_id;     /* names one struct file for ever, never 0, never reused */
	__u64 pci_address; /* EVENT_PCI_ADDRESS() */
	__u64 opened_ns;   /* CLOCK_BOOTTIME, 0: unknown */
	__u32 flags;       /* enum event_file_flags */
	__u32 reserved;
	char device[EVENT_NAME_LEN]; /* dev_name() of the device behind the file */
};

struct event_cookie {
	__u64 cookie_id; /* names one cookie for ever, never 0, never reused */
	__u64 file_id;   /* file it is valid on; a DMABUF cookie has the file it was exported from */
	__u64 offset;    /* file offset in bytes; 0 for a DMABUF */
	__u64 size;      /* bytes */
	__u64 issued; /* times issued so far since recording began, this one included; 0: found by scan only
		       */
	__u64 issued_ns;    /* CLOCK_BOOTTIME of the first time seen, 0: unknown */
	__u64 phys_start;   /* DMABUF: first physical address, else 0 */
	__u32 region;       /* region index */
	__u32 flags;        /* VFIO_REGION_INFO_FLAG_* of include/uapi/linux/vfio.h; 0 for a DMABUF */
	__u32 dialect;      /* enum cookie_dialect */
	__u32 ranges;       /* DMABUF: number of physical ranges; else 1 */
	__u32 attributes;   /* enum event_cookie_attributes */
	__u32 alias_of;     /* the region that this one names again, else EVENT_REGION_UNKNOWN */
	__u32 mapped_types; /* ledger_replay() only: 1 << enum memtype of each type that was mapped; else 0 */
	__u32 reserved;
};

enum event_mapping_flags {
	EVENT_MAPPING_PHYS_KNOWN = 1 << 0,   /* phys_start and region are the kernel's own layout */
	EVENT_MAPPING_OFFSET_KNOWN = 1 << 1, /* offset is in the file's cookie space */
	EVENT_MAPPING_FROM_SCAN = 1 << 2,    /* it was mapped before recording began */
	EVENT_MAPPING_UNSETTLED =
		1 << 3, /* read in the middle of a system call (mmap lock held for writing, or a fork not
			   finished): range and owner may still change, with no further event */
	EVENT_MAPPING_DEVICE_KNOWN = 1 << 4, /* pci_address is the device; set without a device file only */
	EVENT_MAPPING_NO_FAULT =
		1 << 5, /* its VMA has no fault handler: what is not populated now never will be */
};

struct event_mapping {
	__u64 mapping_id;  /* names one VMA for ever, never 0, never reused */
	__u64 from_id;     /* EVENT_COPY: the mapping it was copied from; else 0 */
	__u64 file_id;     /* VFIO device file; 0: unknown, or another source */
	__u64 cookie_id;   /* DMABUF: the cookie that is the file; else 0 */
	__u64 pci_address; /* EVENT_PCI_ADDRESS(), with EVENT_MAPPING_DEVICE_KNOWN */
	__u64 start;       /* first byte of the VMA */
	__u64 end;         /* first byte after it, a multiple of the page size */
	__u64 offset;      /* file offset of start in bytes */
	__u64 phys_start;  /* physical address of start */
	__u64 page_prot;   /* vma->vm_page_prot as the architecture has it */
	__u64 vm_flags;    /* vma->vm_flags */
	__u64 mapped_ns;   /* CLOCK_BOOTTIME of the mmap or copy, 0: unknown */
	__u32 region;      /* BAR index, or EVENT_REGION_UNKNOWN */
	__u16 source;      /* enum mapping_source */
	__u16 flags;       /* enum event_mapping_flags */
};

/* Size of a page-table leaf. */
enum event_leaf {
	LEAF_4K = 0,
	LEAF_2M,
	LEAF_1G,
	LEAF_SIZES,
};

/* Populated pages with leaves of one size and the same attributes, contiguous in both address spaces. */
struct event_page_run {
	__u64 start; /* virtual, a multiple of the page size; as end and phys_start */
	__u64 end;
	__u64 phys_start;
	__u32 type; /* enum memtype that the leaves say */
	__u32 leaf; /* enum event_leaf */
};

/*
 * What the page tables say of one mapping between start and end: exactly these runs are populated, in rising
 * order; the rest of it is not. Nothing is said of what lies outside. In the ring, and only there, a record
 * may end after its last run.
 */
struct event_pages {
	__u64 mapping_id;
	__u64 start;
	__u64 end;
	__u32 n_runs; /* at most EVENT_RUNS_MAX */
	__u32 reserved;
	struct event_page_run runs[EVENT_RUNS_MAX];
};

enum event_revoke_scope {
	REVOKE_IOMEM = 0,  /* the mappings of these physical bytes that do not come from VFIO: a driver
			      claimed them (revoke_iomem() of kernel/resource.c) */
	REVOKE_DEVICE = 1, /* all mappings through VFIO of the device: reset, or its memory is switched off;
			      they may fault again */
	REVOKE_VFIO = 2,   /* all mappings through VFIO of any device: hot reset; always uncertain */
};

struct event_revoke {
	__u64 pci_address; /* REVOKE_DEVICE */
	__u64 phys_start;  /* REVOKE_IOMEM */
	__u64 phys_end;    /* first byte after */
	__u32 scope;       /* enum event_revoke_scope */
	__u32 uncertain; /* 1: pages may have been taken or not, and may be back: nothing is known of them */
};

/* memtype_reserve() of arch/x86/mm/pat/memtype.c. header.who is the process in whose context it ran. */
struct event_reservation {
	__u64 phys_start;
	__u64 phys_end;  /* first byte after */
	__u32 requested; /* enum memtype */
	__u32 given;     /* enum memtype */
};

enum event_request_what {
	REQUEST_MMAP = 0,
	REQUEST_COOKIE = 1, /* an ioctl asked for write-combining */
};

enum event_request_outcome {
	REQUEST_GRANTED = 0,
	REQUEST_DENIED = 1, /* the caller got EPERM */
	REQUEST_KILLED = 2, /* the mapping was there before it was judged: its process was ended */
};

enum event_party_flags {
	PARTY_UNIT_KNOWN = 1 << 0,    /* unit is its unit; empty: it is in none */
	PARTY_MACHINE_KNOWN = 1 << 1, /* machine is its machine; empty: it is in none */
	PARTY_PENDING = 1 << 2,       /* its own request was granted, its mmap had not returned yet */
	PARTY_RANGE_KNOWN = 1 << 3,   /* phys_start and phys_end */
};

/* One side of a request that was decided. */
struct event_party {
	struct event_process_id who; /* of the requester: as in the header */
	__u64 phys_start, phys_end;  /* what it asked for, or has mapped */
	__u32 type;                  /* enum memtype that it asked for */
	__u16 source;                /* enum mapping_source */
	__u16 flags;                 /* enum event_party_flags */
	char unit[2 * EVENT_NAME_LEN];
	char machine[EVENT_NAME_LEN];
};

struct event_request {
	__u64 pci_address;         /* EVENT_PCI_ADDRESS(), with EVENT_MAPPING_DEVICE_KNOWN in flags */
	__u64 file_id;             /* VFIO device file, or that of the DMABUF; 0: unknown or none */
	__u64 offset;              /* file offset asked for, of REQUEST_COOKIE the offset it concerns or 0 */
	__u64 size;                /* bytes */
	__u64 policy;              /* digest in struct policy_bank */
	__u32 region;              /* BAR index, or EVENT_REGION_UNKNOWN */
	__u16 flags;               /* EVENT_MAPPING_DEVICE_KNOWN */
	__u16 what;                /* enum event_request_what */
	__u16 kind;                /* enum policy_kind that decided */
	__u16 action;              /* enum policy_action of the rule; without a rule POLICY_ALLOW */
	__u16 denied;              /* enum event_request_outcome */
	__u16 unknown;             /* enum policy_unknown: why OnUnknown decided */
	__u32 given;               /* POLICY_PROMOTION: enum memtype that it would have got, else 0 */
	__u32 has_peer;            /* 1: peer is the mapping whose bytes it shares; with POLICY_ALIAS */
	char rule[EVENT_NAME_LEN]; /* that decided; empty: none */
	struct event_party party;  /* who asked */
	struct event_party peer;
};

/* enum module_state of include/linux/module.h, as far as the tracepoints tell. */
enum event_module_state {
	EVENT_MODULE_COMING = 1, /* tracepoint module_load: not yet live */
	EVENT_MODULE_GONE = 2,   /* tracepoint module_free */
};

struct event_module {
	__u32 state; /* enum event_module_state */
	__u32 reserved;
	char name[EVENT_NAME_LEN]; /* at most EVENT_MODULE_LEN */
};

/* header.who holds fds open descriptors of the file; fds 0 ends its holding. */
struct event_holder {
	__u64 file_id;
	__u32 fds;
	__u32 reserved;
};

/* IORESOURCE_* bits of include/linux/ioport.h that we read, as sysfs `resource` prints them. */
#define EVENT_BAR_PREFETCH 0x00002000ULL
#define EVENT_BAR_MEM      0x00000200ULL

struct event_bar {
	__u64 phys_start;
	__u64 size;  /* bytes, 0: the device has no such BAR */
	__u64 flags; /* IORESOURCE_* */
};

struct event_device {
	__u64 pci_address;
	__u32 class_code; /* 24 bits: class, subclass, programming interface */
	__u16 vendor;
	__u16 product;
	__s32 iommu_group; /* -1: none or unknown */
	__u32 present;     /* 1: in sysfs; 0: gone */
	struct event_bar bars[EVENT_BARS];
	char driver[EVENT_NAME_LEN]; /* empty: none */
};

/* Facts that the daemon looks up about header.who. Empty text: unknown. */
struct event_process {
	char unit[2 * EVENT_NAME_LEN]; /* of the system manager */
	char machine[EVENT_NAME_LEN];  /* by event_identity.machine_source, never a claim */
	char exe[EVENT_PATH_LEN];      /* /proc/PID/exe; cut at the end */
};

/* Who says what machine a process belongs to; names as in the JSON contract. */
enum machine_source {
	MACHINE_UNKNOWN = 0,
	MACHINE_MACHINED,      /* systemd-machined registered its unit */
	MACHINE_LIBVIRT_SCOPE, /* machined says nothing; the unit is called like that of a domain */
	MACHINE_COMMAND_LINE,  /* the process itself, by its command line: it may say anything */
	MACHINE_SOURCES,
};

/*
 * Facts about header.who that came after struct event_process, told before it. Empty text: unknown. What
 * would not fit its field is unknown, too: a part of a name is another name.
 */
struct event_identity {
	__u64 image;          /* of the program that it executes; another exec, another number */
	__u32 machine_source; /* of event_process.machine: MACHINE_COMMAND_LINE never */
	__u32 reserved;
	char slice[2 * EVENT_NAME_LEN];     /* innermost slice of the system manager; -.slice is the root */
	char user_unit[2 * EVENT_NAME_LEN]; /* of the manager of a user */
	char domain[2 * EVENT_NAME_LEN];    /* of libvirt */
	char claimed[2 * EVENT_NAME_LEN];   /* what the command line calls the machine: a claim */
	char uuid[40];                      /* .. and its UUID, 36 characters: a claim, too */
};

struct event_lost {
	__u32 type; /* enum event_type of the dropped events */
	__u32 reserved;
	__u64 count; /* dropped since the EVENT_LOST before */
};

struct event {
	struct event_header header;
	union {
		struct event_file file;
		struct event_cookie cookie;
		struct event_mapping mapping;
		struct event_module module;
		struct event_pages pages;
		struct event_revoke revoke;
		struct event_reservation reservation;
		struct event_request request;
		struct event_holder holder;
		struct event_device device;
		struct event_process process;
		struct event_identity identity;
		struct event_lost lost;
	};
};

/* The only right header.size of an event of @type; 0 for a value that is no event type. */
static inline __u16 event_size(__u32 type)
{
	switch (type) {
	case EVENT_OPEN:
	case EVENT_RELEASE:
	case EVENT_FILE:
		return sizeof(struct event_header) + sizeof(struct event_file);
	case EVENT_COOKIE:
	case EVENT_COOKIE_RELEASE:
	case EVENT_COOKIE_LIVE:
		return sizeof(struct event_header) + sizeof(struct event_cookie);
	case EVENT_MAP:
	case EVENT_COPY:
	case EVENT_UNMAP:
	case EVENT_MAPPING:
		return sizeof(struct event_header) + sizeof(struct event_mapping);
	case EVENT_MODULE:
		return sizeof(struct event_header) + sizeof(struct event_module);
	case EVENT_POPULATE:
	case EVENT_PAGES:
		return sizeof(struct event_header) + sizeof(struct event_pages);
	case EVENT_REVOKE:
		return sizeof(struct event_header) + sizeof(struct event_revoke);
	case EVENT_RESERVATION:
		return sizeof(struct event_header) + sizeof(struct event_reservation);
	case EVENT_REQUEST:
		return sizeof(struct event_header) + sizeof(struct event_request);
	case EVENT_HOLDER:
		return sizeof(struct event_header) + sizeof(struct event_holder);
	case EVENT_DEVICE:
		return sizeof(struct event_header) + sizeof(struct event_device);
	case EVENT_PROCESS:
		return sizeof(struct event_header) + sizeof(struct event_process);
	case EVENT_IDENTITY:
		return sizeof(struct event_header) + sizeof(struct event_identity);
	case EVENT_LOST:
		return sizeof(struct event_header) + sizeof(struct event_lost);
	default:
		return 0;
	}
}

/* Makes @event one of @type that tells a fact that was looked up at @time_ns (EVENT_ORIGIN_SCAN); all else is
 * 0. */
static inline void event_scanned(struct event *event, enum event_type type, __u64 time_ns)
{
	/* An initializer need not clear more of the union than its first member: GCC 15 does not. */
	__builtin_memset(event, 0, sizeof(*event));
	event->header.version = EVENT_VERSION;
	event->header.type = type;
	event->header.size = event_size(type);
	event->header.origin = EVENT_ORIGIN_SCAN;
	event->header.time_ns = time_ns;
}

/*
 * Shared state of the BPF programs and the consumer of the ring: one element of a pinned, memory-mapped
 * array, so that it outlives the daemon. Generated, lost, untracked and modules are written by BPF only, the
 * consumer part by the daemon only. For every type, at rest: generated = delivered + lost.
 */
struct recorder {
	__u64 sequence;                      /* last event sequence given out */
	__u64 identity;                      /* last file, cookie or mapping id given out */
	__u64 generated[EVENT_KERNEL_TYPES]; /* events the programs wanted to write */
	__u64 lost[EVENT_KERNEL_TYPES];      /* of those, dropped because the ring was full */
	__u64 untracked_mappings;            /* mappings missed because the table of VMAs was full */
	__u64 untracked_files;
	__u64 untracked_cookies;
	__u64 suspect; /* entries met whose VMA is not VFIO's any more: its end was not seen */

	__u64 audit;   /* loader: number of the audit that is going on; see bpf/audit.bpf.c */
	__u64 waiting; /* consumer: 1: asleep, wake it on the next event; BPF resets it */
	__u64 delivered[EVENT_KERNEL_TYPES]; /* consumer: events taken from the ring */
	__u64 reported[EVENT_KERNEL_TYPES];  /* consumer: losses already announced by an EVENT_LOST */
	__u64 skips_reported; /* consumer: skipped runs of what is attached that are in the journal already */
	__u64 last_sequence;  /* consumer: event handled last; a restart meets it again at most once */
	__u64 build;    /* loader: digest of the BPF objects whose programs fill this; 0: of several builds */
	__u64 layout;   /* loader: digest of what the tables are made of, and of the targets */
	__u64 modules;  /* modules loaded since recording began: what they speak must be found out */
	__u64 dialects; /* loader: 1 << enum cookie_dialect of those that a loaded driver speaks .. */
	__u64 dialects_at; /* .. when that many modules had been loaded; until then any may be spoken */
	/* loader: vfio_pci_core and the drivers on top of it, whose DMABUFs are ours; a driver over the limit
	 * is known only by what it issues while recorded */
	char drivers[EVENT_DRIVERS_MAX][EVENT_MODULE_LEN];
};

#endif
