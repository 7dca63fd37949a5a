// SPDX-License-Identifier: GPL-2.0-or-later

/* attach OBJECT READY: attaches all programs of a BPF object, makes the file READY, and stays until it is
 * killed. */

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int attach_all(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__attach(program)) {
			fprintf(stderr, "attach: %s: %m\n", bpf_program__name(program));
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	int ready;

	if (argc != 3) {
		fputs("usage: attach OBJECT READY\n", stderr);
		return 2;
	}
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object) < 0) {
		fprintf(stderr, "attach: %s: %m\n", argv[1]);
		return 1;
	}
	if (attach_all(object))
		return 1;
	ready = open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (ready < 0) {
		fprintf(stderr, "attach: %s: %m\n", argv[2]);
		return 1;
	}
	close(ready);
	while (1)
		pause();
}
