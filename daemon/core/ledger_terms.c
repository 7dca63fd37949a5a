/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/vfio.h>

#include "core/ledger_internal.h"

const char *mapping_source_name(enum mapping_source source)
{
	switch (source) {
	case SOURCE_VFIO:
		return "vfio";
	case SOURCE_DMABUF:
		return "dmabuf";
	case SOURCE_SYSFS:
		return "sysfs";
	case SOURCE_DEVMEM:
		return "devmem";
	case SOURCE_OTHER:
		return "other";
	default:
		return NULL;
	}
}

const char *cookie_dialect_name(enum cookie_dialect dialect)
{
	switch (dialect) {
	case DIALECT_REGION_INFO:
		return "region-info";
	case DIALECT_MMAP_ATTRS:
		return "mmap-attrs";
	case DIALECT_ALIAS_REGION:
		return "alias-region";
	case DIALECT_GET_MMAP:
		return "get-mmap";
	case DIALECT_DMA_BUF:
		return "dma-buf";
	case DIALECT_VARIANT:
		return "variant";
	default:
		return NULL;
	}
}

enum memtype ledger_requested(const struct ledger *ledger, const struct mapping *mapping)
{
	return mapping->page_prot ? memtype_from_prot(ledger->arch, mapping->page_prot) : MEMTYPE_UNKNOWN;
}

/* What a DMABUF allows is the exporter's choice and is not told. */
bool cookie_is_for_mmap(const struct cookie *cookie)
{
	return cookie->dialect == DIALECT_DMA_BUF || cookie->flags & VFIO_REGION_INFO_FLAG_MMAP;
}

/* Of what tells no attributes only plain region info has an answer that is the same in every kernel. */
enum memtype ledger_promised(const struct ledger *ledger, const struct cookie *cookie)
{
	if (cookie->attributes & COOKIE_ATTRIBUTES_KNOWN)
		return cookie->attributes & COOKIE_WC ? MEMTYPE_WC : memtype_noncached(ledger->arch);
	return cookie->dialect == DIALECT_REGION_INFO ? memtype_noncached(ledger->arch) : MEMTYPE_UNKNOWN;
}
