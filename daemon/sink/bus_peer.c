/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The peer-to-peer socket: one D-Bus connection per client, root only, no message bus in between. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-id128.h>
#include <utlist.h>

#include "cleanup.h"
#include "sink/bus_internal.h"

/* How long to stop accepting after descriptors or memory ran out: the waiting clients stay in the backlog. */
#define PAUSE_USEC (1000ULL * 1000)

void peer_end(struct peer *peer)
{
	struct bus *bus = peer->owner;

	wait_drop_connection(bus, peer->outlet.connection);
	gate_drop_connection(bus, peer->outlet.connection);
	DL_DELETE2(bus->server.peers, peer, previous, next);
	bus->server.n_peers--;
	/* No flush: it would block on a client that does not read. */
	sd_bus_close_unref(peer->outlet.connection);
	free(peer);
}

struct peer *peer_of(struct bus *bus, sd_bus *connection)
{
	struct peer *peer;

	DL_SEARCH_SCALAR2(bus->server.peers, peer, outlet.connection, connection, next);
	return peer;
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
	(void)signal, (void)error;
	peer_end(userdata);
	return 0;
}

/* Sets *fd to -1 once the connection owns it. */
static int peer_setup(struct peer *peer, int *fd)
{
	struct bus *bus = peer->owner;
	sd_bus *connection = peer->outlet.connection;
	sd_id128_t id;
	int r;

	if ((r = sd_id128_randomize(&id)) < 0 ||
	    (r = sd_bus_set_description(connection, "vfiowatch-peer")) < 0 ||
	    (r = sd_bus_set_server(connection, true, id)) < 0 ||
	    (r = sd_bus_set_anonymous(connection, true)) < 0 ||
	    (r = sd_bus_negotiate_fds(connection, false)) < 0 ||
	    (r = sd_bus_set_exit_on_disconnect(connection, false)) < 0 ||
	    (r = bus_export(bus, connection)) < 0 ||
	    (r = sd_bus_add_filter(connection, NULL, outlet_filter, bus)) < 0 ||
	    (r = sd_bus_match_signal(connection, NULL, NULL, "/org/freedesktop/DBus/Local",
				     "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, peer)) <
		    0)
		return r;
	r = sd_bus_set_fd(connection, *fd, *fd);
	if (r < 0)
		return r;
	*fd = -1;
	r = sd_bus_start(connection);
	if (r >= 0)
		r = outlet_bound(connection);
	if (r < 0)
		return r;
	return sd_bus_attach_event(connection, bus->event, BUS_PRIORITY);
}

/* Root, or in tests the user that the daemon itself runs as. */
static bool may_connect(int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return false;
	return credentials.uid == 0 || credentials.uid == geteuid();
}

/* Takes *fd on success. */
static int peer_add(struct bus *bus, int *fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer)
		return -ENOMEM;
	peer->owner = bus;
	peer->share.is_root = true;
	r = sd_bus_new(&peer->outlet.connection);
	if (r >= 0)
		r = peer_setup(peer, fd);
	if (r < 0) {
		sd_bus_close_unref(peer->outlet.connection);
		free(peer);
		return r;
	}
	DL_APPEND2(bus->server.peers, peer, previous, next);
	bus->server.n_peers++;
	return 0;
}

/* Accepting would fail again and again, in a busy loop: leave it for a while. */
static int pause_accept(struct bus *bus)
{
	int r = sd_event_source_set_enabled(bus->server.accept, SD_EVENT_OFF);

	if (r >= 0)
		r = sd_event_source_set_time_relative(bus->server.resume, PAUSE_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(bus->server.resume, SD_EVENT_ONESHOT);
}

static int on_resume(sd_event_source *source, uint64_t now, void *userdata)
{
	struct bus *bus = userdata;

	(void)source, (void)now;
	return sd_event_source_set_enabled(bus->server.accept, SD_EVENT_ON);
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	struct bus *bus = userdata;
	int fd _cleanup_(closefd) = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source, (void)revents;
	if (fd < 0) {
		bool lacking = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;

		return lacking ? pause_accept(bus) : 0;
	}
	if (bus->server.n_peers >= BUS_PEERS_MAX || !may_connect(fd) || peer_add(bus, &fd) < 0)
		bus->server.refused++;
	return 0;
}

/* The directory of @path, made if missing; nobody but its owner may put a socket there (or it is sticky, as
 * /tmp). */
static int prepare_directory(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');
	struct stat status;

	snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (stat(directory, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	if ((status.st_uid != 0 && status.st_uid != geteuid()) ||
	    ((status.st_mode & 022) && !(status.st_mode & S_ISVTX)))
		return -EPERM;
	return 0;
}

/*
 * A daemon holds the lock for as long as it lives, so a lock that can be had proves that the socket is stale,
 * however its daemon ended. A lock file may have been removed between open and flock: then the lock is on
 * nothing.
 */
static int take_lock(const char *path)
{
	for (;;) {
		struct stat own, named;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int r = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;

			close(fd);
			return r;
		}
		if (fstat(fd, &own) >= 0 && stat(path, &named) >= 0 && own.st_dev == named.st_dev &&
		    own.st_ino == named.st_ino)
			return fd;
		close(fd);
	}
}

static int remove_stale(const struct sockaddr_un *address)
{
	struct stat status;
	bool live;
	int fd;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	/* Somebody who does not know of the lock may listen there. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	live = connect(fd, (const struct sockaddr *)address, sizeof(*address)) >= 0 || errno == EAGAIN;
	close(fd);
	if (live)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_socket(struct peer_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	strcpy(address.sun_path, server->path); /* peer_server_open() checked the length */
	r = remove_stale(&address);
	if (r < 0)
		return r;
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0)
		return -errno;
	/* The mode of an unbound socket becomes that of its file: it is never open to others. */
	if (fchmod(server->fd, 0600) < 0 ||
	    bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	server->bound = true;
	return listen(server->fd, SOMAXCONN) < 0 ? -errno : 0;
}

int peer_server_open(struct bus *bus, const char *path)
{
	struct peer_server *server = &bus->server;
	int r;

	if (path[0] != '/')
		return -EINVAL;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -ENAMETOOLONG;
	server->path = strdup(path);
	if (!server->path || asprintf(&server->lock_path, "%s.lock", path) < 0) {
		server->lock_path = NULL;
		return -ENOMEM;
	}
	if ((r = prepare_directory(path)) < 0 || (r = server->lock_fd = take_lock(server->lock_path)) < 0 ||
	    (r = bind_socket(server)) < 0 ||
	    (r = sd_event_add_time(bus->event, &server->resume, CLOCK_MONOTONIC, 0, 0, on_resume, bus)) < 0 ||
	    (r = sd_event_source_set_enabled(server->resume, SD_EVENT_OFF)) < 0)
		return r;
	r = sd_event_add_io(bus->event, &server->accept, server->fd, EPOLLIN, on_accept, bus);
	return r < 0 ? r : sd_event_source_set_priority(server->accept, BUS_PRIORITY);
}

void peer_server_close(struct bus *bus)
{
	struct peer_server *server = &bus->server;

	server->accept = sd_event_source_disable_unref(server->accept);
	server->resume = sd_event_source_disable_unref(server->resume);
	while (server->peers)
		peer_end(server->peers);
	if (server->bound)
		(void)unlink(server->path);
	if (server->fd >= 0)
		close(server->fd);
	/* Removed while it is still held: whoever opened it meanwhile sees that it is gone and opens a new
	 * one. */
	if (server->lock_fd >= 0) {
		(void)unlink(server->lock_path);
		close(server->lock_fd);
	}
	free(server->path);
	free(server->lock_path);
}
