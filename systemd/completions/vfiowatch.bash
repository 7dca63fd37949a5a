# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of vfiowatch(1) and vfiowatchd(8) for bash, with the functions of bash-completion.
# tests/completions/run compares what is offered with what the programs take.

_vfiowatch() {
	local cur prev words cword split
	_init_completion -s -n : || return

	local common='-H --host --replay --spawn --json --no-legend --no-pager --color --colour --help --usage -V --version'
	local live=${common/--replay /}
	local list="--device --pid --type --active --all"
	local -A options=(
		[devices]="$common $list"
		[cookies]="$common $list"
		[mappings]="$common $list"
		[conflicts]="$common $list --check"
		[lint]="$common $list"
		[explain]="$common"
		[events]="$common --device --pid --type --all -f --follow --since"
		[record]="$live --duration --force"
		[status]="$common --wait --check"
		[policy]="$common $list"
		[reload]="$live"
		[metrics]="${common/--json /} --textfile"
		[doctor]="$live"
		[top]="$common --batch --frames --interval --screen --at"
	)

	case $prev in
	--color | --colour)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
		return
		;;
	--device)
		_vfiowatch_devices
		return
		;;
	--host | -H)
		_known_hosts_real -a -- "$cur"
		return
		;;
	--pid)
		_pids
		return
		;;
	--replay | --textfile)
		_filedir
		return
		;;
	--screen)
		mapfile -t COMPREPLY < <(compgen -W 'overview device mappings cookies findings events health' -- "$cur")
		return
		;;
	--since)
		mapfile -t COMPREPLY < <(compgen -W 'now -5min -1h' -- "$cur")
		return
		;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W 'uc uc- device wc wt wp wb' -- "$cur")
		return
		;;
	--at | --duration | --frames | --interval)
		return
		;;
	esac
	# of an option whose argument may be left out
	if [[ $split == true ]]; then
		[[ $prev != --json ]] || mapfile -t COMPREPLY < <(compgen -W 'short pretty' -- "$cur")
		return
	fi

	local verb='' given=0 i
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--at | --color | --colour | --device | --duration | --frames | --host | -H | --interval | --pid | --replay | \
			--screen | --since | --textfile | --type) ((i++)) ;;
		-*) ;;
		*)
			if [[ $verb ]]; then
				((++given))
			else
				verb=${words[i]}
			fi
			;;
		esac
	done

	if [[ $cur == -* ]]; then
		_vfiowatch_options "${options[${verb:-none}]-${options[*]}}"
		return
	fi
	case $verb:$given in
	:*) mapfile -t COMPREPLY < <(compgen -W "${!options[*]}" -- "$cur") ;;
	explain:0)
		_vfiowatch_devices
		;;
	policy:0) mapfile -t COMPREPLY < <(compgen -W 'check show test' -- "$cur") ;;
	policy:* | record:0) _filedir ;;
	esac
}

# The words of $1 that begin with $cur, each once; an option that has an argument or may have one gets its '='.
_vfiowatch_options() {
	local word
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur" | sort -u)
	if ((${#COMPREPLY[@]} != 1)); then
		return
	fi
	word=${COMPREPLY[0]}
	case $word in
	--at | --color | --colour | --device | --duration | --frames | --host | --interval | --pid | --pin-directory | \
		--policy-root | --replay | --screen | --since | --socket | --textfile | --type)
		compopt -o nospace
		COMPREPLY=("$word=")
		;;
	esac
}

_vfiowatch_devices() {
	mapfile -t COMPREPLY < <(compgen -W "$(
		shopt -s nullglob
		for device in /sys/bus/pci/devices/*; do
			printf '%s\n' "${device##*/}"
		done
	)" -- "$cur")
	__ltrim_colon_completions "$cur"
}

_vfiowatchd() {
	# words, cword: of _init_completion
	# shellcheck disable=SC2034
	local cur prev words cword split
	_init_completion -s || return

	case $prev in
	--socket)
		_filedir
		return
		;;
	--pin-directory | --policy-root)
		_filedir -d
		return
		;;
	esac
	_vfiowatch_options '-f --foreground --socket --pin-directory --no-system-bus --keep-recording --policy-root --detach
		--probe --help --usage -V --version'
}

complete -F _vfiowatch vfiowatch
complete -F _vfiowatchd vfiowatchd
