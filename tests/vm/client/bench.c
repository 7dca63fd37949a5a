// SPDX-License-Identifier: GPL-2.0-or-later

/* The fast loops: storms, that only have to be fast, and benches, that measure. */

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <linux/vfio.h>

#define MAX_PROCESSES 256
#define MAX_SAMPLES   10000000
#define BENCH_BYTES   65536

static int map_loop(int fd, uint64_t offset, uint64_t length, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

		if (p == MAP_FAILED || munmap(p, length) < 0)
			return -errno;
	}
	return 0;
}

/* All processes start together, when the gate's last writer is gone; returns how many were forked. */
static uint64_t fork_storm(const struct file *f, uint64_t offset, uint64_t length, uint64_t count,
			   uint64_t processes, pid_t *ret_pids)
{
	uint64_t n = 0;
	int gate[2];

	if (pipe2(gate, O_CLOEXEC) < 0)
		return 0;
	fflush(stdout);
	for (; n < processes; n++) {
		char byte;

		ret_pids[n] = fork();
		if (ret_pids[n] < 0)
			break;
		if (ret_pids[n] == 0) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0)
				_exit(EIO);
			_exit(-map_loop(f->fd, offset, length, count));
		}
	}
	close(gate[0]);
	close(gate[1]);
	return n;
}

static int run_storm(struct client *c, const struct file *f, uint64_t offset, uint64_t length, uint64_t count,
		     uint64_t processes)
{
	pid_t pids[MAX_PROCESSES];
	uint64_t n = fork_storm(f, offset, length, count, processes, pids);
	int error = n < processes ? EAGAIN : 0;

	for (uint64_t i = 0; i < n; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0)
			error = errno;
		else if (!WIFEXITED(status))
			error = EPIPE;
		else if (WEXITSTATUS(status))
			error = WEXITSTATUS(status);
	}
	return error ? fail(c, error, "storm on %s", f->name) : 0;
}

int cmd_storm(struct client *c, int argc, char **argv)
{
	uint64_t count, index, length, processes = 0;
	struct region region;
	struct file *f;
	int r;

	r = parse_number(c, "count", argv[0], &count);
	if (r < 0)
		return r;
	r = device_get(c, argv[1], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "region", argv[2], &index);
	if (r < 0)
		return r;
	r = parse_number(c, "length", argv[3], &length);
	if (r < 0)
		return r;
	if (argc > 4 && (r = parse_number(c, "processes", argv[4], &processes)) < 0)
		return r;
	if (processes > MAX_PROCESSES)
		return wrong(c, "storm: at most %d processes", MAX_PROCESSES);
	r = vfio_region_cached(c, f, (uint32_t)index, &region);
	if (r < 0)
		return r;
	if (processes == 0) {
		r = map_loop(f->fd, region.offset, length, count);
		return r < 0 ? fail(c, -r, "storm on %s", f->name) : answer(c, "%s pairs", argv[0]);
	}
	r = run_storm(c, f, region.offset, length, count, processes);
	if (r < 0)
		return r;
	return answer(c, "%llu pairs", (unsigned long long)(count * processes));
}

struct bench {
	int fd;
	uint32_t index;
	uint64_t offset;
};

/* One iteration each; false with errno on failure. */
static bool once_map(int fd, int flags, off_t offset)
{
	void *p = mmap(NULL, BENCH_BYTES, PROT_READ, flags, fd, offset);

	return p != MAP_FAILED && munmap(p, BENCH_BYTES) == 0;
}

static bool once_vfio_mmap(const struct bench *b)
{
	return once_map(b->fd, MAP_SHARED, (off_t)b->offset);
}

static bool once_region_info(const struct bench *b)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = b->index};

	return ioctl(b->fd, VFIO_DEVICE_GET_REGION_INFO, &info) == 0;
}

static bool once_anon_mmap(const struct bench *b)
{
	(void)b;
	return once_map(-1, MAP_PRIVATE | MAP_ANONYMOUS, 0);
}

static bool once_file_mmap(const struct bench *b)
{
	return once_map(b->fd, MAP_SHARED, 0);
}

static bool once_pipe_ioctl(const struct bench *b)
{
	int n;

	return ioctl(b->fd, FIONREAD, &n) == 0;
}

/* The request passes the kernel's security hook; the device then knows nothing of it. */
static bool once_null_ioctl(const struct bench *b)
{
	struct termios t;

	return ioctl(b->fd, TCGETS, &t) < 0 && errno == ENOTTY;
}

static bool once_clock(const struct bench *b)
{
	(void)b;
	return true;
}

static const struct bench_kind {
	const char *name;
	bool (*once)(const struct bench *b);
	bool device;
} bench_kinds[] = {
	{"vfio-mmap", once_vfio_mmap, true},    {"region-info", once_region_info, true},
	{"anon-mmap", once_anon_mmap, false},   {"file-mmap", once_file_mmap, false},
	{"pipe-ioctl", once_pipe_ioctl, false}, {"null-ioctl", once_null_ioctl, false},
	{"clock", once_clock, false},
};

static int compare_samples(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int measure(struct client *c, const struct bench_kind *kind, const struct bench *b, uint64_t count)
{
	uint64_t *samples = malloc(count * sizeof(*samples));
	double sum = 0;

	if (!samples)
		return fail(c, ENOMEM, "bench: %llu samples", (unsigned long long)count);
	memset(samples, 1, count * sizeof(*samples)); /* no page of it is faulted in while measuring */
	for (uint64_t i = 0; i < count; i++) {
		uint64_t start = now_ns();

		if (!kind->once(b)) {
			free(samples);
			return fail(c, errno, "bench %s", kind->name);
		}
		samples[i] = now_ns() - start;
	}
	for (uint64_t i = 0; i < count; i++)
		sum += (double)samples[i];
	qsort(samples, count, sizeof(*samples), compare_samples);
	printf("bench %s count %llu min %llu median %llu mean %.1f\n", kind->name, (unsigned long long)count,
	       (unsigned long long)samples[0], (unsigned long long)samples[count / 2], sum / (double)count);
	fflush(stdout);
	free(samples);
	return 0;
}

static int bench_device(struct client *c, int argc, char **argv, struct bench *b)
{
	struct region region;
	uint64_t index;
	struct file *f;
	int r;

	if (argc != 4)
		return wrong(c, "bench: usage: bench %s COUNT NAME REGION", argv[0]);
	r = device_get(c, argv[2], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "region", argv[3], &index);
	if (r < 0)
		return r;
	r = vfio_region_cached(c, f, (uint32_t)index, &region);
	if (r < 0)
		return r;
	*b = (struct bench){f->fd, (uint32_t)index, region.offset};
	return 0;
}

/* What is not of a device. A pipe's writing end stays open, so that nothing is at its end. */
static int bench_file(struct client *c, const struct bench_kind *kind, const char *path, int files[2])
{
	if (kind->once == once_pipe_ioctl)
		return pipe2(files, O_CLOEXEC) < 0 ? fail(c, errno, "bench: pipe") : 0;
	if (kind->once == once_null_ioctl)
		path = "/dev/null";
	else if (kind->once != once_file_mmap)
		return 0;
	files[0] = open(path, O_RDONLY | O_CLOEXEC);
	return files[0] < 0 ? fail(c, errno, "bench: open %s", path) : 0;
}

int cmd_bench(struct client *c, int argc, char **argv)
{
	const struct bench_kind *kind = NULL;
	int files[2] = {-1, -1};
	struct bench b = {.fd = -1};
	uint64_t count;
	int r;

	for (size_t i = 0; i < sizeof(bench_kinds) / sizeof(bench_kinds[0]); i++)
		if (strcmp(bench_kinds[i].name, argv[0]) == 0)
			kind = &bench_kinds[i];
	if (!kind)
		return wrong(c,
			     "bench: '%s' must be vfio-mmap, region-info, anon-mmap, file-mmap, pipe-ioctl, "
			     "null-ioctl or clock",
			     argv[0]);
	r = parse_number(c, "count", argv[1], &count);
	if (r < 0)
		return r;
	if (count == 0 || count > MAX_SAMPLES)
		return wrong(c, "bench: the count must be 1 to %d", MAX_SAMPLES);
	if (kind->device) {
		r = bench_device(c, argc, argv, &b);
		return r < 0 ? r : measure(c, kind, &b, count);
	}
	r = bench_file(c, kind, argc > 2 ? argv[2] : "/proc/self/exe", files);
	b.fd = files[0];
	if (r == 0)
		r = measure(c, kind, &b, count);
	closep(&files[0]);
	closep(&files[1]);
	return r;
}
