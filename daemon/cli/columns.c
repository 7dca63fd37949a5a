/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "cli/columns.h"

static const struct field device_fields[] = {
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "ID", .drop = 4}, "vendor", CELL_MODEL, FIELD_ALWAYS},
	{{.title = "CLASS", .drop = 6}, "class", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DRIVER", .shrink = true, .drop = 2}, "driver", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "GROUP", .right = true, .drop = 3}, "iommu_group", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OPEN", .right = true}, "open_files", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "MAPPINGS", .right = true}, "mappings", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "CONFLICTS", .right = true}, "conflicts", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "BARS", .shrink = true, .drop = 1}, "bars", CELL_BARS, FIELD_ALWAYS},
	{{.title = "NAME", .shrink = true, .drop = 5}, "name", CELL_TEXT, FIELD_ALWAYS},
};

static const struct field cookie_fields[] = {
	{{.title = "ID", .right = true, .drop = 4}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DIALECT", .drop = 2}, "dialect", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SIZE", .right = true}, "size", CELL_SIZE, FIELD_ALWAYS},
	{{.title = "TYPE"}, "type", CELL_PROMISED, FIELD_ALWAYS},
	{{.title = "ISSUED", .right = true, .drop = 3}, "issued", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "LIVE"}, "live", CELL_TEXT, FIELD_ALL},
};

static const struct field mapping_fields[] = {
	{{.title = "ID", .right = true, .drop = 6}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "START", .right = true}, "start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "END", .right = true, .drop = 1}, "end", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true, .drop = 3}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .right = true, .drop = 2}, "phys_start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REQUESTED"}, "requested", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "EFFECTIVE"}, "effective", CELL_EFFECTIVE, FIELD_ALWAYS},
	{{.title = "SOURCE", .drop = 5}, "source", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "ORIGIN", .drop = 7}, "origin", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SINCE", .drop = 8}, "since", CELL_TIME, FIELD_ALWAYS},
	{{.title = "UNIT", .shrink = true, .drop = 9}, "unit", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "MACHINE", .shrink = true, .drop = 10}, "machine", CELL_MACHINE, FIELD_ALWAYS},
	{{.title = "VERDICT", .shrink = true}, "verdict", CELL_VERDICT, FIELD_TOLD},
	{{.title = "LIVE"}, "live", CELL_TEXT, FIELD_ALL},
};

static const struct field conflict_fields[] = {
	{{.title = "ID", .right = true}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "KIND"}, "kind", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SEVERITY"}, "severity", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true, .drop = 1}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .right = true, .drop = 2}, "phys_start", CELL_PHYSICAL, FIELD_ALWAYS},
	{{.title = "TYPES"}, "types", CELL_TYPES, FIELD_ALWAYS},
	{{.title = "PIDS"}, "pids", CELL_NUMBERS, FIELD_ALWAYS},
	{{.title = "VERDICT", .shrink = true}, "verdict", CELL_VERDICT, FIELD_TOLD},
	{{.title = "SINCE", .drop = 4}, "since", CELL_TIME, FIELD_ALWAYS},
	{{.title = "UNTIL", .drop = 3}, "until", CELL_TIME, FIELD_ALL},
	{{.title = "ACTIVE"}, "active", CELL_TEXT, FIELD_ALL},
};

static const struct field lint_fields[] = {
	{{.title = "KIND"}, "kind", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COUNT", .right = true}, "count", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PROGRAM", .shrink = true, .drop = 1}, "exe", CELL_TEXT, FIELD_ALWAYS},
};

static const struct view views[] = {
	[ROWS_DEVICES] = VIEW("device", device_fields, NULL, NULL),
	[ROWS_COOKIES] = VIEW("cookie", cookie_fields, NULL, NULL),
	[ROWS_MAPPINGS] = VIEW("mapping", mapping_fields, NULL, NULL),
	[ROWS_CONFLICTS] = VIEW("conflict", conflict_fields, "text", "    why: "),
	[ROWS_LINT] = VIEW("lint finding", lint_fields, "text", "    advice: "),
};

const struct view *list_view(enum row_list list)
{
	return &views[list];
}
