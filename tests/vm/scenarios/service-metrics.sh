# vm: --systemd
# kernels: 6.12
# The timer writes the file for node_exporter where that is installed, and nothing where it is not; sandboxed, and without
# the daemon the old file stays and the unit has failed.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
directory=/var/lib/prometheus/node-exporter
file=$directory/vfiowatch.prom

expect "the daemon is ready" vfiowatch status --wait=200 >/dev/null
expect_equal "the preset" "$(systemctl preset vfiowatch-metrics.timer 2>/dev/null; systemctl is-enabled vfiowatch-metrics.timer)" enabled
systemctl start vfiowatch-metrics.timer vfiowatch-metrics.service
expect_status "without node_exporter the timer does not run" 3 systemctl is-active vfiowatch-metrics.timer
[ ! -e "$directory" ] || fail "there is a directory"

mkdir -p "$directory"
expect "with it the timer runs" systemctl start vfiowatch-metrics.timer
expect_equal "the timer" "$(systemctl is-active vfiowatch-metrics.timer)" active
eventually "the timer writes the file" 60 test -s "$file"
expect_equal "for everybody to read" "$(stat -c '%a %U' "$file")" "644 root"
expect_equal "it is of this daemon" "$(grep -c '^vfiowatch_recording{state="on"} 1$' "$file")" 1
systemctl stop vfiowatch-metrics.timer
rm "$file"
expect "the service by itself" systemctl start vfiowatch-metrics.service
[ -s "$file" ] || fail "it wrote nothing"
exposure=$(systemd-analyze security --no-pager vfiowatch-metrics.service | sed -n 's/.*exposure level .*: \([0-9.]*\) .*/\1/p')
echo "exposure $exposure"
expect "the exposure is at most 1.0" awk -v exposure="$exposure" 'BEGIN { exit !(exposure != "" && exposure <= 1.0) }'

# On the system bus, for the group and for root.
expect_equal "root asks over the system bus" "$(VFIOWATCH_ADDRESS=unix:path=/run/dbus/system_bus_socket vfiowatch metrics | tail -n 1)" "# EOF"

cp "$file" /tmp/before
systemctl stop vfiowatchd.service
expect_status "without the daemon" 1 systemctl start vfiowatch-metrics.service
expect_equal "the unit says why" "$(journalctl -u vfiowatch-metrics.service -o cat | grep -c 'no daemon answers')" 1
expect "the old file stays" cmp /tmp/before "$file"
expect_equal "and nothing beside it" "$(ls "$directory")" vfiowatch.prom
