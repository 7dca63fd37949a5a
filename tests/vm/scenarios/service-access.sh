# vm: --systemd --append iomem=relaxed
# long
# kernels: 6.12
# Who may do what over the bus, the socket, the state files and the pins, of all that the daemon tells of itself; and that floods
# of calls disturb neither recording nor enforcement.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
# shellcheck source=policy/lib.sh
. /tests/policy/lib.sh

# For longer: VFIOWATCH_TEST_SET=FLOOD_CALLS=100000
flood_calls=${FLOOD_CALLS:-10000}
system_bus=unix:path=/run/dbus/system_bus_socket

# USER COMMAND...: with his groups, and nothing else
as() {
	user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all --no-new-privs "$@"
}
on_bus() {
	busctl --system status org.vfiowatch1
}
daemon_pid() {
	systemctl show -P MainPID vfiowatchd.service
}

systemd-sysusers - <<-END || fail "users"
	g vfiowatch -
	u reader -
	u stranger -
	u operator -
	m reader vfiowatch
	m operator vfiowatch
END
expect "the alias is there" systemctl --quiet enable vfiowatchd.service
expect "dbus-daemon reads of the group" systemctl reload dbus.service
expect "the daemon starts" systemctl restart vfiowatchd.service
eventually "it is on the system bus" 90 on_bus

# INTERFACE KIND NAME SIGNATURE of everything the daemon has
busctl --no-legend introspect org.vfiowatch1 /org/vfiowatch1 |
	awk '$2 == "interface" { interface = $1 } $2 == "method" || $2 == "property" { print interface, $2, substr($1, 2), $3 }' >/tmp/all
grep -q '^org.vfiowatch1 method Reload ' /tmp/all || fail "not introspected: $(cat /tmp/all)"
expect_equal "it has no properties" "$(grep -c ' property ' /tmp/all)" 0

# SIGNATURE METHOD: arguments of that type
arguments() {
	case $1 in
	-) ;;
	'a{sv}tu') echo "$1 0 0 1" ;;
	tub) echo "$1 0 1 false" ;;
	as) echo "$1 1 00:01.0" ;;
	s) if [ "$2" = GetMetrics ]; then echo "$1 openmetrics"; else echo "$1 org.vfiowatch1"; fi ;;
	ss) echo "$1 org.vfiowatch1 Nothing" ;;
	ssv) echo "$1 org.vfiowatch1 Nothing s x" ;;
	*) fail "a type of arguments that is new: $1" ;;
	esac
}
# USER INTERFACE METHOD SIGNATURE: "ok", "denied", or what else became of it
outcome() {
	# shellcheck disable=SC2046
	if as "$1" busctl --system --timeout=100 call org.vfiowatch1 /org/vfiowatch1 "$2" "$3" $(arguments "$4" "$3") >/tmp/answer 2>&1; then
		echo ok
	elif grep -qiE 'access denied|not authorized|polkit|prevents this sender|nobody can be asked' /tmp/answer; then
		echo denied
	else
		cat /tmp/answer
	fi
}
# USER READS CHANGES STANDARD: what becomes of reading, of all else of ours, and of what every D-Bus object has. Nothing that is not
# known to read only is taken for it.
expect_outcomes() {
	while read -r interface _ name signature; do
		case $interface.$name in
		org.vfiowatch1.Get* | org.vfiowatch1.List* | org.vfiowatch1.Read* | org.vfiowatch1.Probe | org.vfiowatch1.Explain) wanted=$2 ;;
		org.vfiowatch1.*) wanted=$3 ;;
		org.freedesktop.DBus.Properties.Get | org.freedesktop.DBus.Properties.Set) wanted="Call failed: Unknown interface org.vfiowatch1 or property Nothing." ;;
		*) wanted=$4 ;;
		esac
		[ "$4" = ok ] || [ "$interface" = org.vfiowatch1 ] || wanted=$4
		expect_equal "$interface.$name by $1" "$(outcome "$1" "$interface" "$name" "$signature")" "$wanted"
	done </tmp/all
}

systemctl --quiet mask --now polkit.service
expect_outcomes stranger denied denied denied
expect_outcomes reader ok denied ok
expect_outcomes operator ok denied ok
systemctl --quiet unmask polkit.service
mkdir -p /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-test.rules <<-END
	polkit.addRule(function(action, subject) {
		if (action.id == "org.vfiowatch1.change" && (subject.user == "operator" || subject.user == "stranger"))
			return polkit.Result.YES;
	});
END
expect "polkit starts" systemctl restart polkit.service
expect_outcomes stranger denied denied denied
expect_outcomes reader ok denied ok
expect_outcomes operator ok ok ok
expect "the command of a reader" as reader vfiowatch mappings >/dev/null
expect_status "the command of a stranger" 1 as stranger vfiowatch status
grep -q 'member of group vfiowatch' /tmp/expect.err || fail "no remedy: $(cat /tmp/expect.err)"

# The socket, and whatever files there are.
for user in stranger reader; do
	expect_status "the socket, for $user" 1 as "$user" bus-flood /run/vfiowatch/bus 1
	find /run/vfiowatch /var/lib/vfiowatch /var/cache/vfiowatch /sys/fs/bpf/vfiowatch /etc/vfiowatch 2>/dev/null >/tmp/files
	grep -qx /run/vfiowatch/bus /tmp/files || fail "no socket among $(cat /tmp/files)"
	grep -q /sys/fs/bpf/vfiowatch/recorder /tmp/files || fail "no pin among $(cat /tmp/files)"
	while read -r file; do
		if as "$user" test -w "$file"; then fail "$user can write $file"; fi
		[ -d "$file" ] || [ "${file#/etc/}" != "$file" ] || ! as "$user" test -r "$file" || fail "$user can read $file"
	done </tmp/files
	if as "$user" ls /sys/fs/bpf/vfiowatch >/dev/null 2>&1; then fail "$user can list the pins"; fi
done

# Only who may call can start it, and only while it is enabled.
systemctl stop vfiowatchd.service
expect_equal "a stranger starts nothing" "$(outcome stranger org.vfiowatch1 GetStatus -)" denied
expect_equal "the daemon" "$(systemctl is-active vfiowatchd.service)" inactive
expect_equal "a reader's call starts it" "$(outcome reader org.vfiowatch1 GetStatus -)" ok
systemctl --quiet disable --now vfiowatchd.service
[ "$(outcome reader org.vfiowatch1 GetStatus -)" != ok ] || fail "it was started although it is disabled"
expect_equal "the daemon" "$(systemctl is-active vfiowatchd.service)" inactive
systemctl --quiet enable --now vfiowatchd.service
eventually "it is on the system bus again" 90 on_bus

# Floods, while a policy is enforced, and mappings come and go.
alias_policy enforce deny
reload
expect_enforcing
memory() {
	awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(daemon_pid)/status"
}
denied=0
# WHAT COMMAND...: beside two mappings that stay others come and go in bursts, each a tenth of what the ring holds, the next
# when the last one was recorded. So one is only lost if nobody reads for long, be the emulator as slow as it may.
flooded() {
	during=$1
	shift
	rm -f /tmp/commands
	mkfifo /tmp/commands
	vfio-client </tmp/commands >/tmp/client.log 2>&1 &
	client=$!
	exec 3>/tmp/commands
	printf '%s\n' 'open dev group 0000:00:01.0' 'mmap stays dev 2 8M 16p' 'mmap stays_too dev 2 0 1M' >&3
	before=$(memory VmRSS)
	"$@" >/tmp/flood.log 2>&1 &
	flood=$!
	rounds=0
	while kill -0 $flood 2>/dev/null; do
		rm -f /tmp/burst
		printf '%s\n' 'storm 50 dev 2 64K 4' 'touch-file /tmp/burst' >&3
		eventually "$during: mappings come and go" 60 test -e /tmp/burst
		eventually "$during: they are recorded" 60 is_balanced
		expect "$during: denied" vfio-client -c 'open wc path /sys/bus/pci/devices/0000:00:01.0/resource2_wc; !EPERM mmap-raw w wc 8M 1p'
		rounds=$((rounds + 1))
	done
	wait $flood || fail "$during: $(cat /tmp/flood.log)"
	[ $rounds -ge 5 ] || fail "$during: it was over after $rounds bursts"
	expect "$during: the ledger is right" check-ledger
	exec 3>&-
	wait "$client" || fail "$during: the client: $(cat /tmp/client.log)"
	client=
	denied=$((denied + rounds))
	expect_equal "$during: all are counted as denied" "$(status .denied)" $denied
	expect_balance
	expect_equal "$during: nothing was lost" "$(status '.lost')" 0
	grown=$(($(memory VmHWM) - before))
	echo "$during: $(cat /tmp/flood.log) served and refused, $rounds bursts and denials meanwhile, grown by $grown KiB"
	[ $grown -lt 65536 ] || fail "$during: the daemon grew by $grown KiB"
}
flooded "the system bus" as reader bus-flood $system_bus "$flood_calls"
flooded "the socket" bus-flood /run/vfiowatch/bus "$flood_calls"
expect_all_decided
expect "another client is served" as operator vfiowatch status >/dev/null
