# shellcheck shell=sh
# What every guest script needs: run by busybox in the minimal profile, by dash and the Debian tools in the other.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8
pci_devices=/sys/bus/pci/devices

# port NAME: the device node of the harness's virtio-serial port of that name.
port() {
	for entry in /sys/class/virtio-ports/*; do
		if [ "$(cat "$entry/name" 2>/dev/null)" = "$1" ] && [ -c "/dev/${entry##*/}" ]; then
			echo "/dev/${entry##*/}"
			return 0
		fi
	done
	return 1
}

# report WORD...: one line to the harness.
report() {
	echo "$*" >"$(port status)"
}

# End the machine at once: nothing here outlives the run.
end_machine() {
	echo b >/proc/sysrq-trigger
	while :; do sleep 1; done
}

# give_up MESSAGE: the VM itself failed.
give_up() {
	echo "vfiowatch-vm: $*" >/dev/console
	report "failed $*"
	end_machine
}

has_word() {
	case " $1 " in *" $2 "*) return 0 ;; esac
	return 1
}

# driver_of BDF: the name of the driver it is bound to, empty when none.
driver_of() {
	driver=$(readlink "$pci_devices/$1/driver") || return 0
	echo "${driver##*/}"
}
