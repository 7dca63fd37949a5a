// SPDX-License-Identifier: GPL-2.0-or-later

/* Memory types of x86, and how they get on with each other. */

#include "findings.h"

enum type { WB, WC, UC_MINUS, UC, WP, WT };

const char *type_name(unsigned type)
{
	static const char *const names[] = {"wb", "wc", "uc-", "uc", "wp", "wt"};

	return names[type];
}

/* The PAT as Linux programs it. */
unsigned type_of_pat(unsigned index)
{
	static const unsigned types[8] = {WB, WC, UC_MINUS, UC, WB, WP, UC_MINUS, WT};

	return types[index & 7];
}

/* 0 uncached, 1 write-combining, 2 reads come from a cache, 3 writes stay in it as well. */
int type_class(unsigned type)
{
	switch (type) {
	case UC:
	case UC_MINUS:
		return 0;
	case WC:
		return 1;
	case WP:
	case WT:
		return 2;
	default:
		return 3;
	}
}

const char *kind_name(enum kind kind)
{
	static const char *const names[KINDS] = {"alias", "promotion", "demotion"};

	return names[kind];
}
