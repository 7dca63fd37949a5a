/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <signal.h>

#include "cleanup.h"
#include "cli/follow.h"
#include "vfiowatch/bus.h"

enum exit_code follow_read(struct client *client, const char *member, bool wait, uint64_t *cursor,
			   uint64_t *skipped, sd_bus_message **ret, struct failure *failure)
{
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_method(client, &call, member, failure);

	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_append(call, "tub", *cursor, BUS_ROWS_MAX, wait) < 0)
		return fail_memory(failure);
	code = client_call(client, call, CLIENT_USEC, &answer, failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_read(answer, "tt", cursor, skipped) < 0)
		return fail_answer(failure, member);
	*ret = answer;
	answer = NULL;
	return EXIT_OK;
}

enum exit_code follow_state(struct client *client, uint64_t *cursor, sd_bus_message **ret,
			    struct failure *failure)
{
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_method(client, &call, "ReadState", failure);

	if (code == EXIT_OK)
		code = client_call(client, call, CLIENT_USEC, ret, failure);
	if (code == EXIT_OK && sd_bus_message_read(*ret, "t", cursor) < 0)
		code = fail_answer(failure, "ReadState");
	return code;
}

bool follow_ended(struct client *client, struct failure *failure)
{
	if (failure->signal != SIGINT && failure->signal != SIGTERM && failure->signal != SIGHUP)
		return false;
	*failure = (struct failure){};
	client->signal = 0;
	return true;
}
