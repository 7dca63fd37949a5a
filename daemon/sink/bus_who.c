/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Who calls over the system bus, and whether he may. Root may do all; who is in the group of readers may
 * read; of all others, and of readers who want to change something, polkit decides. Everything is asked
 * asynchronously: neither the message bus nor polkit can hold up the daemon. Whatever cannot be told is a no.
 */

#include <errno.h>
#include <string.h>

#include "sink/bus_internal.h"

/* The message bus itself answers. */
#define WHO_USEC    (10ULL * 1000 * 1000)
#define POLKIT_USEC (10ULL * 1000 * 1000)
/* Somebody may have to enter a password. */
#define INTERACTIVE_USEC (120ULL * 1000 * 1000)

/* CheckAuthorizationFlags of polkit. */
#define ALLOW_USER_INTERACTION 1U

struct caller *who_find(struct bus *bus, const char *name)
{
	struct caller *oldest = NULL;

	if (!*name || strlen(name) >= sizeof(oldest->name))
		return NULL;
	for (struct caller *caller = bus->who.callers; caller < bus->who.callers + BUS_CALLERS; caller++) {
		if (strcmp(caller->name, name) == 0) {
			caller->used = ++bus->who.uses;
			return caller;
		}
		if (!caller->held && !caller->question && (!oldest || caller->used < oldest->used))
			oldest = caller;
	}
	if (oldest) {
		*oldest = (struct caller){.used = ++bus->who.uses};
		strcpy(oldest->name, name);
	}
	return oldest;
}

/* There are more users than held calls, so one that is not needed is always found. */
_Static_assert(BUS_USERS > BUS_HELD_MAX, "an entry is always free");

struct share *who_share(struct bus *bus, uid_t uid)
{
	struct user *oldest = NULL;

	for (struct user *user = bus->who.users; user < bus->who.users + BUS_USERS; user++) {
		if (user->taken && user->uid == uid) {
			user->used = ++bus->who.uses;
			return &user->share;
		}
		if (!user->share.held && (!oldest || user->used < oldest->used))
			oldest = user;
	}
	*oldest = (struct user){.taken = true, .uid = uid, .used = ++bus->who.uses};
	return &oldest->share;
}

bool who_may(const struct caller *caller, enum access access)
{
	return caller->uid == 0 || (access == ACCESS_READ && caller->reader);
}

/* The value of the variant at the cursor, if it tells who calls. */
static int read_credential(sd_bus_message *answer, const char *key, struct caller *caller, gid_t readers)
{
	const uint32_t *groups;
	uint32_t uid;
	size_t size;
	int r;

	if (strcmp(key, "UnixUserID") == 0) {
		r = sd_bus_message_read(answer, "v", "u", &uid);
		caller->uid = uid;
		caller->known = r >= 0;
		return r;
	}
	if (strcmp(key, "UnixGroupIDs") != 0)
		return sd_bus_message_skip(answer, "v");
	if ((r = sd_bus_message_enter_container(answer, 'v', "au")) < 0 ||
	    (r = sd_bus_message_read_array(answer, 'u', (const void **)&groups, &size)) < 0)
		return r;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		caller->reader |= readers != 0 && groups[i] == readers;
	return sd_bus_message_exit_container(answer);
}

static int read_credentials(sd_bus_message *answer, struct caller *caller, gid_t readers)
{
	int r = sd_bus_message_enter_container(answer, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(answer, 'e', "sv")) > 0) {
		const char *key;

		r = sd_bus_message_read(answer, "s", &key);
		if (r >= 0)
			r = read_credential(answer, key, caller, readers);
		if (r >= 0)
			r = sd_bus_message_exit_container(answer);
	}
	return r;
}

static struct caller *asked_with(struct bus *bus, sd_bus_message *answer)
{
	sd_bus_slot *slot = sd_bus_get_current_slot(sd_bus_message_get_bus(answer));

	for (struct caller *caller = bus->who.callers; caller < bus->who.callers + BUS_CALLERS; caller++)
		if (slot && caller->question == slot)
			return caller;
	return NULL;
}

static int on_credentials(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	struct caller *caller = asked_with(bus, answer);

	(void)error;
	if (!caller)
		return 0;
	if (sd_bus_message_is_method_error(answer, NULL) ||
	    read_credentials(answer, caller, bus->readers) < 0)
		caller->known = caller->reader = false;
	caller->question = sd_bus_slot_unref(caller->question);
	gate_caller_known(bus, caller);
	return 0;
}

int who_ask(struct bus *bus, struct caller *caller)
{
	sd_bus_message *call = NULL;
	int r;

	if (caller->question)
		return 0;
	r = sd_bus_message_new_method_call(bus->system.outlet.connection, &call, "org.freedesktop.DBus",
					   "/org/freedesktop/DBus", "org.freedesktop.DBus",
					   "GetConnectionCredentials");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", caller->name);
	if (r >= 0)
		r = sd_bus_call_async(bus->system.outlet.connection, &caller->question, call, on_credentials,
				      bus, WHO_USEC);
	sd_bus_message_unref(call);
	return r;
}

static void refuse(struct held *held, const char *name, const char *message)
{
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, message);

	gate_refuse(held, &error);
}

#define ACCESS_HINT "be root or, to read, a member of group " BUS_GROUP

static int on_polkit(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct held *held = userdata;
	int authorized = 0, challenge = 0;

	(void)error;
	if (sd_bus_message_is_method_error(answer, NULL))
		refuse(held, SD_BUS_ERROR_ACCESS_DENIED,
		       "polkit does not answer, so nobody but root may do this: " ACCESS_HINT);
	else if (sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
		 sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0)
		refuse(held, SD_BUS_ERROR_ACCESS_DENIED, "polkit's answer is not understood: " ACCESS_HINT);
	else if (authorized)
		gate_allow(held);
	else if (challenge)
		refuse(held, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
		       "an administrator has to authenticate for this, and nobody can be asked: run "
		       "pkttyagent, "
		       "or " ACCESS_HINT);
	else
		refuse(held, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no: " ACCESS_HINT);
	return 0;
}

int who_ask_polkit(struct held *held)
{
	bool interactive = sd_bus_message_get_allow_interactive_authorization(held->call) > 0;
	const char *action = held->method->access == ACCESS_READ ? BUS_ACTION_READ : BUS_ACTION_CHANGE;
	sd_bus *connection = held->outlet->connection;
	sd_bus_message *call = NULL;
	int r;

	if ((r = sd_bus_message_new_method_call(
		     connection, &call, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
		     "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization")) >= 0 &&
	    (r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
				       held->caller->name, action, 0,
				       interactive ? ALLOW_USER_INTERACTION : 0U, "")) >= 0)
		r = sd_bus_call_async(connection, &held->question, call, on_polkit, held,
				      interactive ? INTERACTIVE_USEC : POLKIT_USEC);
	sd_bus_message_unref(call);
	return r;
}

/* Another message bus gives out the same names again. No call of the one before is held any more. */
void who_forget(struct bus *bus)
{
	for (struct caller *caller = bus->who.callers; caller < bus->who.callers + BUS_CALLERS; caller++) {
		sd_bus_slot_unref(caller->question);
		*caller = (struct caller){};
	}
}
