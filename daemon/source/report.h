/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_REPORT_H
#define VFIOWATCH_SOURCE_REPORT_H

/* What this kernel offers for recording and enforcement: the body of `vfiowatch doctor`. Found without
 * attaching anything but, for a moment, a program that allows everything. */

#include <json-c/json.h>

/*
 * {"checks": [{"name", "ok": true | false | null, "detail", "remedy"}]}; null: cannot be told yet. @sys:
 * where sysfs is mounted; @pin_directory: where the daemon pins. NULL: out of memory.
 */
struct json_object *report_kernel(const char *sys, const char *pin_directory);

#endif
