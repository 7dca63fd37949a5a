// SPDX-License-Identifier: GPL-2.0-or-later

/* Watching for the vfio modules to come and go, so that recording starts, stops and resumes by itself. */

#include "kernel_types.bpf.h"
#include "ring.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

static __always_inline int module_event(struct module *module, __u32 state)
{
	struct event_header *header;
	struct event_module *body;
	struct recorder *r = recorder_get();
	char name[sizeof(module->name)] = {};

	bpf_core_read_str(name, sizeof(name), &module->name);
	if (!r)
		return 0;
	if (state == EVENT_MODULE_COMING)
		__sync_fetch_and_add(&r->modules, 1);
	header = event_reserve(r, EVENT_MODULE, sizeof(struct event_module));
	if (!header)
		return 0;
	body = (struct event_module *)(header + 1);
	body->state = state;
	__builtin_memcpy(body->name, name, sizeof(name));
	event_submit(r, header);
	return 0;
}

SEC("tp_btf/module_load")
int BPF_PROG(module_loaded, struct module *module)
{
	return module_event(module, EVENT_MODULE_COMING);
}

SEC("tp_btf/module_free")
int BPF_PROG(module_freed, struct module *module)
{
	return module_event(module, EVENT_MODULE_GONE);
}

char LICENSE[] SEC("license") = "GPL";
