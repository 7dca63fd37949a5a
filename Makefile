# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make          build vfiowatchd and vfiowatch
#   make demo     show the main job in a VM on real vfio-pci
#   make test     everything that CI runs
#   make install  DESTDIR= PREFIX=/usr
#   make deb      the Debian package, in build/deb

MAKEFLAGS += --no-print-directory

VERSION := 0.1
# what tests upgrade it to
NEXT_VERSION := 0.2
PREFIX  := /usr
ZSH_COMPLETIONS := $(PREFIX)/share/zsh/site-functions
B       := build
Q       := $(if $(V),,@)

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)

WARN     := -Wall -Wextra -Werror
CPPFLAGS := -D_GNU_SOURCE -DVFIOWATCH_VERSION='"$(VERSION)"' -Idaemon -Iinclude -I$(B)/bpf
# Where it was built is in no program: nor does it make another build of the BPF objects.
ANYWHERE := -ffile-prefix-map=$(CURDIR)=.
CFLAGS   := -std=gnu11 -O2 -g $(ANYWHERE) -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(WARN)
LDFLAGS  := -Wl,-z,relro,-z,now
DEPFLAGS  = -MMD -MP

MACHINE    := $(shell uname -m)
BPF_ARCH   := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(MACHINE)))
BPF_CFLAGS := -g -O2 $(ANYWHERE) -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) $(WARN) -Wno-unused-parameter \
	-Wno-missing-declarations -Iinclude -Ibpf -I/usr/include/$(MACHINE)-linux-gnu

BPF_NAMES := record pages scan audit watch enforce
SKELETONS := $(BPF_NAMES:%=$(B)/bpf/%.skel.h)

CORE_SRC   := $(wildcard daemon/core/*.c) daemon/capture.c daemon/config.c daemon/identity.c
DAEMON_SRC := $(wildcard daemon/source/*.c daemon/sink/*.c) daemon/main.c $(wildcard daemon/manager*.c)
CLI_SRC    := $(wildcard daemon/cli/*.c daemon/tui/*.c)
CORE_LIBS  := -ljson-c -linih -lgcrypt -lz
TUI_LIBS   := -lncursesw -ltinfo
obj         = $(patsubst %.c,$(B)/obj/%.o,$(1))

all: $(B)/vfiowatchd $(B)/vfiowatch

$(B)/vfiowatchd: $(call obj,$(DAEMON_SRC) $(CORE_SRC))
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lsystemd -lbpf $(CORE_LIBS)

$(B)/vfiowatch: $(call obj,$(CLI_SRC) $(CORE_SRC))
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lsystemd $(TUI_LIBS) $(CORE_LIBS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(call obj,$(addprefix daemon/source/,probes.c probes_load.c pins.c enforcer.c enforcer_state.c)): \
	$(SKELETONS) $(B)/bpf/record_build.h

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h include/vfiowatch/*.h)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# What the tables are made of, and the functions whose programs fill them. A daemon takes over those of another
# build if this is the same, comments apart; it replaces the programs that are not of its own build.
LAYOUT := $(addprefix include/vfiowatch/,event.h policy.h extent.h memtype.h) \
	$(addprefix bpf/,maps.bpf.h enforce_maps.bpf.h) daemon/source/targets.c
RECORDING := $(addprefix $(B)/bpf/,record.bpf.o pages.bpf.o enforce.bpf.o)
$(B)/bpf/record_build.h: $(RECORDING) $(LAYOUT)
	$(Q)printf '#define RECORD_BUILD 0x%sULL\n#define RECORD_LAYOUT 0x%sULL\n' \
		"$$(cat $(RECORDING) | sha256sum | cut -c 1-16)" \
		"$$(cat $(LAYOUT) | $(CC) -fpreprocessed -dD -E -P -xc - | sha256sum | cut -c 1-16)" > $@

VM_TOOLS := $(addprefix $(B)/tests/vm/,vfio-client check-ledger check-findings view-frames bus-flood)
vm-tools: $(VM_TOOLS)

$(B)/tests/vm/vfio-client: $(call obj,$(wildcard tests/vm/client/*.c))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(B)/tests/vm/check-ledger: $(call obj,$(wildcard tests/vm/oracle/*.c))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -ljson-c

$(B)/tests/vm/check-findings: $(call obj,$(wildcard tests/vm/oracle/findings/*.c) \
		$(addprefix tests/vm/oracle/,item.c ledger.c proc.c report.c sysfs.c))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -ljson-c

$(B)/tests/vm/view-frames: $(call obj,tests/tui/frames.c tests/tui/screen.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lvterm -lutil

$(B)/tests/vm/bus-flood: $(call obj,tests/vm/bus/flood.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lsystemd

BENCH_TOOLS := $(addprefix $(B)/tests/bench/,attach empty-lsm.bpf.o empty-fmod_ret.bpf.o)

$(B)/tests/bench/attach: $(call obj,tests/bench/attach.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lbpf

$(B)/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# What drives the live view in a pseudo-terminal; also natively.
TUI_TOOLS := $(addprefix $(B)/tests/tui/,frames serve speed fixed.so)
tui-tools: $(TUI_TOOLS)

$(B)/tests/tui/frames: $(call obj,tests/tui/frames.c tests/tui/screen.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lvterm -lutil

$(B)/tests/tui/fixed.so: tests/tui/fixed.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -D_GNU_SOURCE -fPIC -shared $(LDFLAGS) -o $@ $<

$(B)/tests/tui/speed: $(call obj,tests/tui/speed.c tests/tui/screen.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lvterm -lutil

$(B)/tests/tui/serve: $(call obj,tests/tui/serve.c $(wildcard daemon/sink/bus*.c) $(CORE_SRC))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lsystemd $(CORE_LIBS)

install: all
	install -D -m 755 $(B)/vfiowatchd $(DESTDIR)$(PREFIX)/sbin/vfiowatchd
	install -D -m 755 $(B)/vfiowatch $(DESTDIR)$(PREFIX)/bin/vfiowatch
	install -D -m 644 systemd/vfiowatchd.service $(DESTDIR)/lib/systemd/system/vfiowatchd.service
	install -D -m 644 systemd/vfiowatch.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/vfiowatch.catalog
	install -D -m 644 systemd/vfiowatch.preset $(DESTDIR)/lib/systemd/system-preset/50-vfiowatch.preset
	install -D -m 644 systemd/vfiowatch.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/vfiowatch.conf
	install -D -m 644 systemd/vfiowatch.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/vfiowatch.conf
	install -D -m 644 systemd/org.vfiowatch1.conf $(DESTDIR)$(PREFIX)/share/dbus-1/system.d/org.vfiowatch1.conf
	install -D -m 644 systemd/org.vfiowatch1.service \
		$(DESTDIR)$(PREFIX)/share/dbus-1/system-services/org.vfiowatch1.service
	install -D -m 644 systemd/org.vfiowatch1.xml $(DESTDIR)$(PREFIX)/share/dbus-1/interfaces/org.vfiowatch1.xml
	install -D -m 644 systemd/org.vfiowatch1.policy \
		$(DESTDIR)$(PREFIX)/share/polkit-1/actions/org.vfiowatch1.policy
	install -D -m 644 systemd/50-default.conf $(DESTDIR)$(PREFIX)/lib/vfiowatch/policy.d/50-default.conf
	install -D -m 644 systemd/completions/vfiowatch.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vfiowatch
	ln -sf vfiowatch $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vfiowatchd
	install -D -m 644 systemd/completions/_vfiowatch $(DESTDIR)$(ZSH_COMPLETIONS)/_vfiowatch
	install -d -m 755 $(DESTDIR)/etc/vfiowatch/policy.d
	install -D -m 644 docs/vfiowatch.1 $(DESTDIR)$(PREFIX)/share/man/man1/vfiowatch.1
	install -D -m 644 docs/vfiowatch.policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/vfiowatch.policy.5
	install -D -m 644 docs/vfiowatch.7 $(DESTDIR)$(PREFIX)/share/man/man7/vfiowatch.7
	install -D -m 644 docs/vfiowatchd.8 $(DESTDIR)$(PREFIX)/share/man/man8/vfiowatchd.8
	install -D -m 644 docs/vfiowatch-metrics.7 $(DESTDIR)$(PREFIX)/share/man/man7/vfiowatch-metrics.7
	install -D -m 644 systemd/vfiowatch-metrics.service $(DESTDIR)/lib/systemd/system/vfiowatch-metrics.service
	install -D -m 644 systemd/vfiowatch-metrics.timer $(DESTDIR)/lib/systemd/system/vfiowatch-metrics.timer
	install -D -m 644 systemd/vfiowatch-metrics.preset $(DESTDIR)/lib/systemd/system-preset/50-vfiowatch-metrics.preset
	install -D -m 644 docs/metrics/vfiowatch.rules.yml $(DESTDIR)$(PREFIX)/share/vfiowatch/metrics/vfiowatch.rules.yml
	install -D -m 644 docs/metrics/vfiowatch.dashboard.json $(DESTDIR)$(PREFIX)/share/vfiowatch/metrics/vfiowatch.dashboard.json

# Of the files under version control; VERSION=0.2 makes another version.
deb:
	$(Q)systemd/make-deb $(VERSION) $(B)

packages:
	$(Q)rm -rf $(B)/deb
	$(MAKE) deb
	$(MAKE) deb VERSION=$(NEXT_VERSION)

# Tests run natively under the sanitizers. Each test program is one file of tests/unit with the sources under test.
SAN        := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_CFLAGS := -std=gnu11 -O1 -g $(WARN) $(SAN)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
UNIT_LIB   := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)) $(wildcard daemon/sink/*.c) \
	$(filter-out daemon/cli/main.c,$(CLI_SRC)) $(CORE_SRC) $(addprefix daemon/source/,dialects.c machines.c modules.c pci.c process.c targets.c)
UNITS      := $(UNIT_SRC:%.c=$(B)/%)
FUZZERS    := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
san_obj     = $(patsubst %.c,$(B)/san/%.o,$(1))
fuzz_obj    = $(patsubst %.c,$(B)/fuzz/%.o,$(1))

$(B)/san/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(SAN_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(B)/tests/unit/libunit.a: $(call san_obj,$(UNIT_LIB))
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(UNITS): $(B)/tests/unit/%: $(B)/san/tests/unit/%.o $(B)/tests/unit/libunit.a
	$(Q)$(CC) $(SAN) -o $@ $^ -lcmocka -lsystemd -lbpf $(TUI_LIBS) $(CORE_LIBS)

$(B)/tests/tui/random: $(B)/san/tests/tui/random.o $(B)/tests/unit/libunit.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN) -o $@ $^ -lsystemd $(TUI_LIBS) $(CORE_LIBS)

$(B)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(SAN_CFLAGS) -fsanitize=fuzzer-no-link $(DEPFLAGS) -c -o $@ $<

$(FUZZERS): $(B)/tests/fuzz/%: $(B)/fuzz/tests/fuzz/%.o $(call fuzz_obj,$(CORE_SRC))
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SAN) -fsanitize=fuzzer -o $@ $^ $(CORE_LIBS)

FAST_CHECKS := all $(UNITS) $(FUZZERS) $(TUI_TOOLS) $(B)/tests/tui/random
check-fast: $(FAST_CHECKS)
	BUILD=$(B) tests/run --fast

# Everything below installs what it needs and then builds anew, as what is there decides what can be built.
JOBS := -j$(shell nproc)
test-programs: $(FAST_CHECKS) packages vm-tools

test:
	tests/install-packages
	$(MAKE) $(JOBS) test-programs
	BUILD=$(B) tests/run

demo:
	tests/install-packages
	$(MAKE) $(JOBS) all vm-tools
	tests/vm/demo $(if $(KERNEL),--kernel $(KERNEL))

bench-tools: $(BENCH_TOOLS)

bench:
	tests/install-packages
	$(MAKE) $(JOBS) all vm-tools bench-tools tui-tools
	tests/tui/bench
	tests/bench/run

clean:
	rm -rf $(B)

-include $(shell find $(B)/obj $(B)/san $(B)/fuzz -name '*.d' 2>/dev/null)
.PHONY: all vm-tools tui-tools bench-tools test-programs install clean test demo bench check-fast deb packages
.SECONDARY:
