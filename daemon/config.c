// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "core/snapshot.h"

/* In order of precedence. */
static const char *const directories[] = {
	"/etc/vfiowatch/policy.d",
	"/run/vfiowatch/policy.d",
	"/usr/lib/vfiowatch/policy.d",
};
#define DIRECTORIES (sizeof(directories) / sizeof(directories[0]))

/* A drop-in: the file of its name that counts. */
struct drop_in {
	char *path;
	const char *name; /* the last part of path */
};

/* Drop-ins, or files that were read. More than POLICY_FILES_MAX are noticed, not kept. */
struct files {
	struct drop_in drop_ins[POLICY_FILES_MAX];
	size_t n;
	struct policy_text texts[POLICY_FILES_MAX];
	size_t n_texts;
};

static void files_done(struct files **files)
{
	for (size_t i = 0; *files && i < (*files)->n; i++)
		free((*files)->drop_ins[i].path);
	for (size_t i = 0; *files && i < (*files)->n_texts; i++)
		free((char *)(*files)->texts[i].text);
	free(*files);
}

/* What could not be read, said as errors in files are. Returns 0, with *outcome set. */
static int refuse(enum policy_outcome *outcome, char error[POLICY_ERROR_LEN], const char *path,
		  const char *format, ...)
{
	char safe[256];
	va_list arguments;
	int n;

	*outcome = POLICY_REFUSED;
	n = snprintf(error, POLICY_ERROR_LEN, "%s:1: ", text_escape(path, strlen(path), safe, sizeof(safe)));
	va_start(arguments, format);
	vsnprintf(error + n, POLICY_ERROR_LEN - n, format, arguments);
	va_end(arguments);
	return 0;
}

static bool is_policy_file(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static bool is_there(const struct files *files, const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->drop_ins[i].name, name) == 0)
			return true;
	return false;
}

/* Adds the drop-ins of one directory whose names are not there yet. */
static int find_in(struct files *files, const char *directory, enum policy_outcome *outcome,
		   char error[POLICY_ERROR_LEN])
{
	_cleanup_(closedirectory) DIR *stream = opendir(directory);
	struct dirent *entry;

	if (!stream && errno == ENOENT)
		return 0;
	if (!stream && errno == ENOMEM)
		return -ENOMEM;
	if (!stream)
		return refuse(outcome, error, directory,
			      "cannot be read: %s; make it a readable directory, or remove it",
			      strerror(errno));
	while (errno = 0, (entry = readdir(stream))) {
		char *path;

		if (!is_policy_file(entry->d_name) || is_there(files, entry->d_name))
			continue;
		if (files->n == POLICY_FILES_MAX)
			return refuse(outcome, error, directory,
				      "there are more than %d policy files; write fewer, longer ones",
				      POLICY_FILES_MAX);
		if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
			return -ENOMEM;
		files->drop_ins[files->n++] = (struct drop_in){path, strrchr(path, '/') + 1};
	}
	if (errno == ENOMEM)
		return -ENOMEM;
	if (errno)
		return refuse(outcome, error, directory,
			      "cannot be read: %s; make it a readable directory, or remove it",
			      strerror(errno));
	return 0;
}

/* Reads all of @fd, one byte more than is allowed at most. */
static int read_all(int fd, char **ret, size_t *length)
{
	_cleanup_(freep) char *text = malloc(POLICY_FILE_MAX + 1);
	size_t at = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (n > 0 && at <= POLICY_FILE_MAX) {
		n = read(fd, text + at, POLICY_FILE_MAX + 1 - at);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return -errno;
		else
			at += n;
	}
	*ret = realloc(text, at + 1);
	if (!*ret)
		return -ENOMEM;
	text = NULL;
	*length = at;
	return 0;
}

/* Reads one file. *hidden: it is empty, or a link to /dev/null. A FIFO or a device is neither waited for nor
 * read. */
static int read_file(struct files *files, const char *path, bool *hidden, enum policy_outcome *outcome,
		     char error[POLICY_ERROR_LEN])
{
	_cleanup_(closefd) int fd = -1;
	bool input = strcmp(path, "-") == 0;
	size_t length = 0;
	struct stat status;
	char *text = NULL;
	int r;

	fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		   : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0)
		return refuse(outcome, error, path, "cannot be read: %s; mend it, or remove it",
			      strerror(errno));
	*hidden = S_ISCHR(status.st_mode) && major(status.st_rdev) == 1 && minor(status.st_rdev) == 3;
	if (*hidden)
		return 0;
	if (!S_ISREG(status.st_mode) && !input)
		return refuse(outcome, error, path, "is no file; write a file, or link it to /dev/null");
	r = read_all(fd, &text, &length);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(outcome, error, path, "cannot be read: %s; mend it, or remove it",
			      strerror(-r));
	*hidden = length == 0;
	if (length > POLICY_FILE_MAX) {
		free(text);
		return refuse(outcome, error, path, "has more than %u bytes; write several files",
			      POLICY_FILE_MAX);
	}
	files->texts[files->n_texts++] = (struct policy_text){input ? "<stdin>" : path, text, length};
	return 0;
}

static int find_user(void *userdata, const char *name, uint32_t *ret)
{
	struct passwd entry, *found = NULL;
	char room[4096];
	int r;

	(void)userdata;
	r = getpwnam_r(name, &entry, room, sizeof(room), &found);
	/* What getpwnam(3) lists for "not there". */
	if (!found && (r == 0 || r == ENOENT || r == ESRCH || r == EBADF || r == EPERM))
		return -ENOENT;
	if (!found)
		return -r;
	*ret = entry.pw_uid;
	return 0;
}

/* SHA-256 of the canonical text. */
static int set_digest(struct policy *policy)
{
	_cleanup_(freep) char *text = policy_to_text(policy, false);
	unsigned char digest[POLICY_DIGEST_LEN / 2];
	char hexadecimal[POLICY_DIGEST_LEN + 1];

	if (!text)
		return -ENOMEM;
	/* libsystemd uses the library too, and may have set it up. */
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		gcry_check_version(NULL);
		gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, text, strlen(text));
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hexadecimal + 2 * i, 3, "%02x", digest[i]);
	policy_set_digest(policy, hexadecimal);
	return 0;
}

static int parse(struct policy **ret, const struct files *files, enum policy_outcome *outcome,
		 char error[POLICY_ERROR_LEN])
{
	struct policy *policy;
	int r;

	r = policy_parse(&policy, files->texts, files->n_texts, find_user, NULL, outcome, error);
	if (r < 0 || *outcome != POLICY_OK)
		return r;
	r = set_digest(policy);
	if (r < 0)
		policy_free(policy);
	else
		*ret = policy;
	return r;
}

static int compare_names(const void *a, const void *b)
{
	const struct drop_in *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int config_read_policy(struct policy **ret, const char *root, enum policy_outcome *outcome,
		       char error[POLICY_ERROR_LEN])
{
	_cleanup_(files_done) struct files *files = calloc(1, sizeof(*files));
	char directory[PATH_MAX];
	bool hidden;
	int r = 0;

	*ret = NULL;
	*outcome = POLICY_OK;
	error[0] = 0;
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < DIRECTORIES && r == 0 && *outcome == POLICY_OK; i++) {
		if ((size_t)snprintf(directory, sizeof(directory), "%s%s", root, directories[i]) >=
		    sizeof(directory))
			return -ENAMETOOLONG;
		r = find_in(files, directory, outcome, error);
	}
	if (files->n > 1)
		qsort(files->drop_ins, files->n, sizeof(files->drop_ins[0]), compare_names);
	for (size_t i = 0; i < files->n && r == 0 && *outcome == POLICY_OK; i++)
		r = read_file(files, files->drop_ins[i].path, &hidden, outcome, error);
	return r < 0 || *outcome != POLICY_OK ? r : parse(ret, files, outcome, error);
}

int config_read_files(struct policy **ret, char *const paths[], size_t n, enum policy_outcome *outcome,
		      char error[POLICY_ERROR_LEN])
{
	_cleanup_(files_done) struct files *files = calloc(1, sizeof(*files));
	bool hidden;
	int r = 0;

	*ret = NULL;
	*outcome = POLICY_OK;
	error[0] = 0;
	if (!files)
		return -ENOMEM;
	if (n > POLICY_FILES_MAX)
		return refuse(outcome, error, paths[POLICY_FILES_MAX],
			      "this is file %d, %d are the most; name fewer", POLICY_FILES_MAX + 1,
			      POLICY_FILES_MAX);
	for (size_t i = 0; i < n && r == 0 && *outcome == POLICY_OK; i++)
		r = read_file(files, paths[i], &hidden, outcome, error);
	return r < 0 || *outcome != POLICY_OK ? r : parse(ret, files, outcome, error);
}
