/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli/text.h"
#include "tui/said.h"

void said_begin(struct said *said)
{
	int fds[2];

	*said = (struct said){.fd = -1, .before = -1};
	/* Nobody waits until it is read: what finds no room is lost. */
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	said->fd = fds[0];
	said->before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (said->before < 0 || dup2(fds[1], STDERR_FILENO) < 0) {
		closefd(&said->before);
		closefd(&said->fd);
	}
	close(fds[1]);
}

static int on_said(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct said *said = userdata;
	char text[1024], *line, *safe;
	ssize_t length = read(fd, text, sizeof(text) - 1);

	(void)revents;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length <= 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	while (length > 0 && strchr("\r\n", text[length - 1]))
		length--;
	text[length] = '\0';
	line = strrchr(text, '\n');
	safe = text_safe(line ? line + 1 : text);
	if (safe && *safe)
		said->line(said->userdata, safe);
	free(safe);
	return 0;
}

int said_watch(struct said *said, sd_event *event, void (*line)(void *userdata, const char *line),
	       void *userdata)
{
	said->line = line;
	said->userdata = userdata;
	return said->fd < 0 ? 0 : sd_event_add_io(event, &said->source, said->fd, EPOLLIN, on_said, said);
}

void said_end(struct said *said)
{
	char text[1024];
	ssize_t length;

	said->source = sd_event_source_disable_unref(said->source);
	if (said->before < 0)
		return;
	if (dup2(said->before, STDERR_FILENO) >= 0)
		while ((length = read(said->fd, text, sizeof(text))) > 0)
			if (write(STDERR_FILENO, text, (size_t)length) < 0)
				break;
	closefd(&said->before);
	closefd(&said->fd);
}
