# vm: --daemon
# kernels: 6.1 7.2
# Hostile process names reach neither terminal nor JSON as they are.
. /tests/lib.sh

escape=$(printf '\033')
vfio-client /tests/clients/names.vfio &
client=$!
eventually "the client has mapped" 60 test -e /tmp/names
expect "names are right, escaped" check-ledger --require-some 5
for view in "mappings" "mappings --json" "mappings --json=pretty" "cookies --all" "cookies --all --json" \
	"devices --json" "events" "events --json" "mappings --color=always"; do
	# shellcheck disable=SC2086
	vfiowatch $view >/tmp/view || fail "vfiowatch $view failed"
	[ -s /tmp/view ] || fail "vfiowatch $view shows nothing"
	cp /tmp/view /tmp/plain
	[ "$view" != "mappings --color=always" ] || sed "s/$escape\[[0-9;]*m//g" </tmp/view >/tmp/plain
	bad=$(tr -d '\n' </tmp/plain | LC_ALL=C tr -d ' -~' | wc -c)
	expect_equal "bytes of vfiowatch $view that are not printable ASCII" "$bad" 0
	grep -q 'x1b' /tmp/view || fail "vfiowatch $view does not show the escape character"
done
touch /tmp/end
wait $client || fail "the client failed"
client=
