# shellcheck shell=bash disable=SC2154 # run sets the variables
# Messages, progress and the exit status of the VM test bed.

# The harness's own failures have this status.
readonly EXIT_VM_FAILURE=125

progress_shown=
step_pid=

say() {
	clear_progress
	printf 'vm: %s\n' "$*" >&2
}

# die MESSAGE: one clear error. In a subshell the status travels up through `set -e`.
die() {
	clear_progress
	printf 'vm: error: %s\n' "$*" >&2
	trap - ERR
	exit "$EXIT_VM_FAILURE"
}

stderr_is_terminal() {
	[[ -t 2 && ${TERM:-dumb} != dumb ]]
}

# A line that is drawn over by the next one; only ever used on a terminal.
show_progress() {
	printf '\r\033[Kvm: %s' "$*" >&2
	progress_shown=1
}

clear_progress() {
	if [[ $progress_shown ]]; then
		printf '\r\033[K' >&2
		progress_shown=
	fi
}

# pause SECONDS without starting a process: read from a pipe that never says anything.
exec {silent_pipe}<> <(:)
pause() {
	read -rt "$1" -u "$silent_pipe" || true
}

directory_mib() {
	local size rest
	read -r size rest < <(du -sm -- "$1" 2>/dev/null) || size=0
	printf '%s' "$size"
}

# step [--quick | --grows DIR] WHAT COMMAND...: run COMMAND silently, in a process group of its own so that all of it
# can be ended. A terminal sees the time (and how DIR grows), anything else one line when it is not --quick.
# Failure is one error, with the command's last words.
step() {
	local grows='' quick='' what log=$scratch/step.log status=0 began=$SECONDS
	case $1 in
	--quick) quick=1 && shift ;;
	--grows) grows=$2 && shift 2 ;;
	esac
	what=$1
	shift
	[[ $quick ]] || stderr_is_terminal || say "$what"
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	step_pid=$!
	set +m
	while stderr_is_terminal && kill -0 "$step_pid" 2>/dev/null; do
		show_progress "$what: $((SECONDS - began)) s${grows:+, $(directory_mib "$grows") MiB}"
		pause 0.2
	done
	wait "$step_pid" || status=$?
	step_pid=
	clear_progress
	((status == 0)) || die "$what failed: $(last_words "$log")"
}

# What a failed command had to say: its last error line, else its last line.
last_words() {
	local words
	if grep -aqs 'No space left' "$1" || ! printf 'is there room?' 2>/dev/null >"$scratch/probe"; then
		printf 'the disk is full: free some space in %s and %s' "$cache" "${scratch%/*}"
		return
	fi
	words=$(grep -aE '^(E:|error:|.*: (error|cannot|failed))' "$1" | tail -n 1) || true
	[[ $words ]] || words=$(grep -avE '^[[:space:]]*$|Exiting with failure' "$1" | tail -n 1) || true
	words=${words#error: }
	printf '%s' "${words:-it said nothing}" | tr -cd '[:print:]'
}

# need TOOL PACKAGE: the tool is there, or one error that names the remedy.
need() {
	command -v "$1" >/dev/null || die "$1 is missing: run tests/vm/install-tools (it installs the package $2)"
}
