// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <json-c/json.h>

#include "manager.h"
#include "source/probes.h"
#include "source/report.h"
#include "vfiowatch/bus.h"

#define SYSFS "/sys"

const char *argp_program_version = "vfiowatchd " VFIOWATCH_VERSION;

enum action { RUN, DETACH, PROBE };

struct arguments {
	struct manager_options manager;
	enum action action;
	bool foreground;
};

enum {
	OPTION_SOCKET = 256,
	OPTION_PIN_DIRECTORY,
	OPTION_NO_SYSTEM_BUS,
	OPTION_KEEP,
	OPTION_POLICY_ROOT,
	OPTION_DETACH,
	OPTION_PROBE
};

static const struct argp_option options[] = {
	{"foreground", 'f', NULL, 0, "Run without a service manager", 0},
	{"socket", OPTION_SOCKET, "PATH", 0, "Serve clients at this socket instead of " BUS_SOCKET, 0},
	{"pin-directory", OPTION_PIN_DIRECTORY, "DIR", 0,
	 "Keep programs and tables here instead of " MANAGER_PIN_DIRECTORY "; must be on a BPF file system",
	 0},
	{"no-system-bus", OPTION_NO_SYSTEM_BUS, NULL, 0, "Serve the socket only", 0},
	{"keep-recording", OPTION_KEEP, NULL, 0,
	 "Leave recording on at the end, so that the next vfiowatchd misses nothing", 0},
	{"policy-root", OPTION_POLICY_ROOT, "DIR", 0,
	 "Look for policy files below DIR/etc, DIR/run and DIR/usr/lib", 0},
	{"detach", OPTION_DETACH, NULL, 0, "End recording and enforcement that were left on, and exit", 0},
	{"probe", OPTION_PROBE, NULL, 0, "Print what this kernel offers as JSON, and exit", 0},
	{0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'f':
		arguments->foreground = true;
		return 0;
	case OPTION_SOCKET:
		arguments->manager.socket = value;
		return 0;
	case OPTION_PIN_DIRECTORY:
		arguments->manager.pin_directory = value;
		return 0;
	case OPTION_NO_SYSTEM_BUS:
		arguments->manager.system_bus = false;
		return 0;
	case OPTION_KEEP:
		arguments->manager.keep_recording = true;
		return 0;
	case OPTION_POLICY_ROOT:
		arguments->manager.policy_root = value;
		return 0;
	case OPTION_DETACH:
		arguments->action = DETACH;
		return 0;
	case OPTION_PROBE:
		arguments->action = PROBE;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument: %s", value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_probe(const struct manager_options *options)
{
	struct json_object *report = report_kernel(options->sys, options->pin_directory);

	if (!report)
		return -ENOMEM;
	puts(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN));
	json_object_put(report);
	return 0;
}

static int detach(const struct manager_options *options)
{
	const char *reason;
	int r = probes_detach(options->pin_directory, &reason);

	if (r < 0)
		fprintf(stderr, "vfiowatchd: cannot remove %s: %s: %s\n", options->pin_directory, reason,
			strerror(-r));
	return r;
}

static int run(const struct manager_options *options)
{
	struct manager *manager;
	int r;

	r = manager_new(&manager, options);
	if (r < 0)
		return r;
	r = manager_run(manager);
	manager_free(manager);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct argp parser = {
		options,
		parse_option,
		NULL,
		"Records who maps which PCI BAR through VFIO, keeps the ledger that vfiowatch(1) shows, and "
		"enforces "
		"the policy of vfiowatch.policy(5).",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = {
		.manager = {.pin_directory = MANAGER_PIN_DIRECTORY,
			    .socket = BUS_SOCKET,
			    .sys = SYSFS,
			    .policy_root = "",
			    .system_bus = true},
	};
	int r;

	argp_err_exit_status = 2;
	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	if (arguments.action == RUN && !arguments.foreground && !getenv("NOTIFY_SOCKET")) {
		fprintf(stderr,
			"vfiowatchd: no service manager: use systemctl start vfiowatchd, or --foreground\n");
		return 2;
	}
	switch (arguments.action) {
	case DETACH:
		r = detach(&arguments.manager);
		break;
	case PROBE:
		r = print_probe(&arguments.manager);
		break;
	default:
		r = run(&arguments.manager);
		break;
	}
	if (r == MANAGER_POLICY_REFUSED)
		return EX_CONFIG;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
