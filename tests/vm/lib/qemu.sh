# shellcheck shell=bash disable=SC2154 # run sets the variables
# The virtual machine: its command line, its life, and what comes out of it.
# Every channel out of the guest is a plain file, written synchronously: nothing is lost when the VM dies, and
# instruction-counted runs stay exact. What is meant for the caller is relayed from there as it grows.

readonly EXIT_TIMEOUT=124
# How long a guest whose time is up may take to hand back its files, in seconds.
readonly STOP_GRACE=20
readonly BOOT_ATTEMPTS=3
# A kernel that has not reached the session by then never will; the slowest take a fifth of it.
readonly BOOT_LIMIT=150

vm_pid=
relays=()

# The default test devices, at the addresses of the contract; the transport stays out of their way.
# shellcheck disable=SC2054 # the commas are QEMU's
test_devices=(
	-object memory-backend-ram,id=ivshmem0,size=16M,share=on
	-object memory-backend-ram,id=ivshmem1,size=16M,share=on
	-device ivshmem-plain,memdev=ivshmem0,addr=01.0
	-device ivshmem-plain,memdev=ivshmem1,addr=02.0
	-device edu,addr=03.0
	-device pci-testdev,membar=1M,addr=04.0
	-device e1000e,addr=05.0,romfile=
)

machine_options() {
	vm=(-machine q35 -m "$memory" -nodefaults -no-user-config -no-reboot -display none -monitor none)
	if [[ $icount ]]; then
		vm+=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off' -smp 1 -cpu 'max,-rdrand,-rdseed'
			-seed 42 -rtc 'base=2026-01-01,clock=vm')
	else
		vm+=(-accel 'tcg,thread=multi' -smp 2 -cpu max)
	fi
	# VFIO refuses an IOMMU without interrupt remapping; a QEMU inside needs caching mode.
	vm+=(-device 'intel-iommu,intremap=on,caching-mode=on')
}

channel_options() {
	local name
	vm+=(-chardev "file,id=console,path=$console" -serial chardev:console
		-device 'virtio-serial-pci,id=channels,addr=1e.0,ioeventfd=off,max_ports=8')
	for name in status stdout stderr out; do
		: >"$scratch/$name"
		vm+=(-chardev "file,id=$name,path=$scratch/$name"
			-device "virtserialport,bus=channels.0,chardev=$name,name=$name")
	done
	mkfifo "$scratch/control.in" "$scratch/control.out"
	exec {control}<>"$scratch/control.in"
	vm+=(-chardev "pipe,id=control,path=$scratch/control"
		-device 'virtserialport,bus=channels.0,chardev=control,name=control')
	if [[ $terminal ]]; then
		trap 'window_size=' WINCH
		vm+=(-chardev 'stdio,id=terminal,signal=off' -serial chardev:terminal)
	fi
}

kernel_arguments() {
	local arguments='console=ttyS0 quiet panic=-1 no_timer_check intel_iommu=on iommu.passthrough=0 lsm=landlock,bpf'
	[[ $profile != systemd ]] || arguments+=' systemd.condition-needs-update=0 systemd.firstboot=0'
	[[ ! $icount ]] || arguments+=' nokaslr norandmaps audit=0'
	printf '%s' "$arguments${append:+ $append}"
}

compose_vm() {
	local device
	machine_options
	vm+=("${test_devices[@]}")
	for device in "${devices[@]}"; do
		vm+=(-device "$device")
	done
	channel_options
	vm+=(-kernel "$kernel_dir/vmlinuz" -initrd "$scratch/initrd" -append "$(kernel_arguments)")
}

# The VM must not outlive the harness, however that ends: the kernel tells QEMU.
start_vm() {
	if [[ $terminal ]]; then
		setpriv --pdeathsig TERM qemu-system-x86_64 "${vm[@]}" <&"$terminal_in" >&"$terminal_out" 2>"$scratch/qemu.log" &
	else
		setpriv --pdeathsig TERM qemu-system-x86_64 "${vm[@]}" </dev/null >"$scratch/qemu.log" 2>&1 &
	fi
	vm_pid=$!
	deadline=$((SECONDS + timeout))
}

vm_runs() {
	kill -0 "$vm_pid" 2>/dev/null
}

wait_for_command() {
	local limit=$((SECONDS + BOOT_LIMIT))
	while vm_runs && [[ ! -s $scratch/status ]] && ((SECONDS < deadline && SECONDS < limit)); do
		if stderr_is_terminal; then
			show_progress "booting Linux $kernel ($profile): $((SECONDS - deadline + timeout)) s"
		fi
		pause 0.05
	done
	clear_progress
}

# What the guest wrote, to the caller, until the VM has ended and all of it is through.
start_relays() {
	tail -s 0.05 -c +1 -f --pid="$vm_pid" -- "$scratch/stdout" 2>/dev/null &
	relays+=($!)
	tail -s 0.05 -c +1 -f --pid="$vm_pid" -- "$scratch/stderr" >&2 2>/dev/null &
	relays+=($!)
}

wait_for_relays() {
	local relay status
	for relay in "${relays[@]}"; do
		status=0
		wait "$relay" || status=$?
		# a reader that went away (SIGPIPE) is the caller's own doing
		((status == 0 || status == 141)) || die "cannot write the output of COMMAND"
	done
}

# The emulator lost a timer interrupt of a CPU: Linux says so when a kernel thread was not woken for 20 s. What waits on that
# CPU waits for ever.
vm_lost_timer() {
	grep -q 'Possible timer handling issue on cpu' "$console"
}

wait_until_deadline() {
	local looked=$SECONDS
	while vm_runs && ((SECONDS < deadline)); do
		[[ ! $terminal ]] || send_window_size
		pause 0.05
		((SECONDS > looked)) || continue
		looked=$SECONDS
		! vm_lost_timer || return 0
	done
}

# On a time-out the guest may still hand back its files.
wait_for_end() {
	wait_until_deadline
	vm_runs || return 0
	if ((SECONDS < deadline)); then
		stop_vm
		return
	fi
	timed_out=1
	if [[ $out_dir && -s $scratch/status ]]; then
		printf 'stop\n' >&"$control"
		deadline=$((SECONDS + STOP_GRACE))
		wait_until_deadline
	fi
	stop_vm
}

# Asked first, so that QEMU gives the terminal back as it was.
stop_vm() {
	local guard
	[[ $vm_pid ]] || return 0
	kill -TERM "$vm_pid" 2>/dev/null || return 0
	{ sleep 3 && kill -KILL "$vm_pid"; } >/dev/null 2>&1 </dev/null &
	guard=$!
	wait "$vm_pid" 2>/dev/null || true
	kill "$guard" 2>/dev/null || true
}

# Once at the start, which lets COMMAND begin, and whenever the terminal was resized.
send_window_size() {
	[[ -z $window_size ]] || return 0
	window_size=$(stty size <&"$terminal_in")
	printf 'size %s\n' "$window_size" >&"$control"
}

# By a signal, as the emulator now and then does.
vm_crashed() {
	local status=0
	wait "$vm_pid" 2>/dev/null || status=$?
	((status > 128))
}

# An overcommitted host makes the emulated CPUs trip over code that the booting kernel patches: it dies, or hangs. A kernel
# that did not reach userland has run nothing of ours and is booted again; what happens later is a result.
boot_vm() {
	local attempt
	for ((attempt = 1; ; attempt++)); do
		start_vm
		wait_for_command
		if [[ -s $scratch/status ]] || ((attempt == BOOT_ATTEMPTS || SECONDS >= deadline)); then
			return 0
		fi
		if vm_runs; then
			say "Linux $kernel hung while it booted; booting it again"
			stop_vm
		elif grep -qs 'Kernel panic' "$console"; then
			say "Linux $kernel died while it booted; booting it again"
		elif vm_crashed; then
			say "QEMU crashed while Linux $kernel booted; booting it again"
		else
			return 0
		fi
	done
}

run_vm() {
	compose_vm
	stderr_is_terminal || say "booting Linux $kernel ($profile)"
	boot_vm
	start_relays
	wait_for_end
	wait_for_relays
}

# The exit status of the run, after what came back under /out.
conclude() {
	local line verdict=''
	while read -r line; do
		case $line in
		exit\ * | failed\ *) verdict=$line ;;
		esac
	done <"$scratch/status"
	collect_files
	if [[ $timed_out && ! $verdict ]]; then
		say "error: no end after $timeout s: the VM was stopped${out_dir:+; its console is in $console}"
		finish "$EXIT_TIMEOUT"
	fi
	case $verdict in
	exit\ *) finish "${verdict#exit }" ;;
	failed\ *) die "${verdict#failed }" ;;
	*) vm_died ;;
	esac
}

vm_died() {
	local words
	words=$(grep -v 'warning:' "$scratch/qemu.log" 2>/dev/null | tail -n 1) || true
	tail -n 20 "$console" >&2 || true
	! vm_crashed || die "QEMU crashed${out_dir:+; the console of its guest is in $console}"
	die "the VM ended before COMMAND did${words:+: $words}${out_dir:+; its console is in $console}"
}

collect_files() {
	[[ $out_dir && -s $scratch/out ]] || return 0
	tar -x -C "$out_dir" --no-same-owner -f "$scratch/out" 2>"$scratch/step.log" ||
		[[ $timed_out ]] || die "cannot bring back /out: $(last_words "$scratch/step.log")"
	rm -f "$scratch/out"
}
