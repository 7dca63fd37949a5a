/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that the enforcer decided: counted, and the entries they concern are found. Nothing is kept of
 * them. */
#include "core/ledger_internal.h"
#include "core/request.h"

int apply_request(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_request *request = &event->request;
	char name[EVENT_NAME_LEN + 1];

	if (!request_is_good(request))
		return -EBADMSG;
	change->kind = CHANGE_REQUEST;
	change->file = request_file(ledger, request);
	change->cookie = ledger_cookie(ledger, request->file_id);
	request_device(ledger, request, name);
	if (name[0])
		change->device = ledger_device_by_name(ledger, name);
	if (request->denied)
		ledger->counts.requests_denied++;
	else
		ledger->counts.requests_granted++;
	return 0;
}
