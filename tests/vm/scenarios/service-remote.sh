# vm: --systemd
# kernels: 6.12
# -H: over ssh to the system bus of a host, as systemctl does it. The host is this one. And a daemon that is restarted
# while it is looked at. And its audit records reach the host that collects them, as systemd-journal-upload(8) and
# systemd-journal-remote(8) send them.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
export TERM=screen-256color LC_ALL=C.UTF-8 TZ=UTC

keys=~root/.ssh
mkdir -p /run/sshd "$keys"
ssh-keygen -q -A || fail "no host keys"
ssh-keygen -q -t ed25519 -N '' -f "$keys/id_ed25519" || fail "no key"
cp "$keys/id_ed25519.pub" "$keys/authorized_keys"
printf 'Host *\n\tStrictHostKeyChecking no\n\tUserKnownHostsFile /dev/null\n\tLogLevel ERROR\n' >"$keys/config"
/usr/sbin/sshd || fail "sshd does not start"

remote() {
	vfiowatch -H root@localhost "$@"
}
expect "the daemon is ready" vfiowatch status --wait=200 >/dev/null
eventually "a status from the host" 90 sh -c 'vfiowatch -H root@localhost status | grep -q "Recording: on"'

vfio-client -c 'comm far-away; open dev group 0000:00:01.0; mmap m dev 2 1M 16p; touch m; touch-file /tmp/mapped; barrier /tmp/end' &
client=$!
eventually "the client has mapped" 60 test -e /tmp/mapped
expect_equal "the same mappings" "$(remote mappings --json | jq -c .)" "$(vfiowatch mappings --json | jq -c .)"
remote mappings | grep -q 'far-away.*uc-' || fail "no mapping in the table"
COLUMNS=120 remote top --batch --frames 1 --screen=mappings >/tmp/frame || fail "no frame"
grep -q 'far-away.*uc-' /tmp/frame || fail "no mapping in the frame: $(cat /tmp/frame)"
expect_equal "a whole frame" "$(wc -l </tmp/frame)" 24
expect_status "a user who may not log in" 4 vfiowatch -H nobody@localhost status
grep -q 'nobody@localhost' /tmp/expect.err || fail "the host is not named: $(cat /tmp/expect.err)"

# A restart while somebody looks, here and over ssh: told, and what is shown then is right again.
for way in '' '-H root@localhost'; do
	# shellcheck disable=SC2086 # no word, or two
	view-frames --times /tmp/none vfiowatch $way top <<-'END' || fail "what was shown over the restart ($way)"
		size 24 120
		await LIVE
		keys 3
		await far-away
		run systemctl stop vfiowatchd.service
		await DAEMON GONE since
		await STALE 1/1
		run systemctl start vfiowatchd.service
		await LIVE
		gone STALE
		await far-away
		keys q
		end
	END
done
touch /tmp/end
wait "$client" || fail "the client failed"
client=

systemd-run --quiet --unit=driver.service vfio-client -c 'open d group 0000:00:01.0; info d 2; mmap a d 2;
	touch-file /tmp/driver-done; barrier /tmp/driver-end' || fail "the client does not start"
eventually "the client has mapped" 60 test -e /tmp/driver-done
cookie_issued=$(sed -n 's/^-- \(.*\)/\1/p' /usr/lib/systemd/catalog/vfiowatch.catalog | sed -n 1p)
collected=/var/log/collected
mkdir -p $collected
systemd-run --quiet --unit=collect.service /lib/systemd/systemd-journal-remote --listen-http=127.0.0.1:19532 \
	--output=$collected --split-mode=host || fail "the collector does not start"
systemd-run --quiet --unit=send.service -p Restart=on-failure -p RestartSec=1 /lib/systemd/systemd-journal-upload \
	--url=http://127.0.0.1:19532 || fail "the sender does not start"

arrived() {
	journalctl --directory=$collected "MESSAGE_ID=$cookie_issued" OBJECT_SYSTEMD_UNIT=driver.service -o json >/tmp/arrived 2>/dev/null && [ -s /tmp/arrived ]
}
eventually "the record has arrived" 120 arrived
touch /tmp/driver-end
expect_equal "with its fields and its unit" "$(head -n 1 /tmp/arrived |
	jq -r '[._HOSTNAME, .VFIOWATCH_DEVICE, .VFIOWATCH_REGION, .VFIOWATCH_OFFSET, .OBJECT_SYSTEMD_UNIT] | join(" ")')" \
	"vfiowatch-vm 0000:00:01.0 2 0x20000000000 driver.service"
journalctl --directory=$collected -x "MESSAGE_ID=$cookie_issued" | grep -q 'This is an audit record' ||
	fail "no catalog text where they are collected"
