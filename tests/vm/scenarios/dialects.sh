# vm: --daemon
# Each dialect of the uAPI, spoken by the test driver: its cookies are told with dialect, region, offset, type and times
# issued, and its mappings with what was asked for; lint names what is against the promises.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
mkdir -p /tmp/bin
PATH=/tmp/bin:$PATH
export PATH

# NAME: the rest of the input is the check of that name
check() {
	{
		echo '#!/bin/sh'
		echo 'set -eu'
		cat
	} >"/tmp/bin/$1"
	chmod +x "/tmp/bin/$1"
}
check cookie <<'EOF'
found=$(vfiowatch cookies --json=short | jq -c --arg d "$1" --argjson r "$(($2))" --arg o "$(printf 0x%x "$3")" \
	'.[] | select(.dialect == $d and .region == $r and .offset == $o) | [.type, .issued]')
[ "$found" = "[$4,$5]" ] || { echo "cookie $*: $found" >&2; vfiowatch cookies >&2; exit 1; }
EOF
check mapping <<'EOF'
found=$(vfiowatch mappings --json=short | jq -r --arg a "$1" --arg k "$2" '.[] | select(.start == $a) | .[$k]')
[ "$found" = "$3" ] || { echo "mapping $*: $found" >&2; exit 1; }
EOF
check alias-of <<'EOF'
found=$(vfiowatch cookies --json=short | jq -r --argjson r "$(($1))" '.[] | select(.region == $r) | .alias_of')
[ "$found" = "$2" ] || { echo "alias-of $*: $found" >&2; exit 1; }
EOF
check gone <<'EOF'
found=$(vfiowatch cookies --json=short | jq -r --arg d "$1" '[.[] | select(.dialect == $d)] | length')
[ "$found" = 0 ] || { echo "gone $*: $found" >&2; exit 1; }
EOF

test-modules load
expect "binding" vfio-bind --driver vfiowatch-test 0000:00:01.0
expect "the dialects" vfio-client /tests/clients/dialects.vfio
vfiowatch lint
expect_equal "lint names the cookies that changed their type" \
	"$(vfiowatch lint --json=short | jq -r '[.[] | .kind + " " + .comm + " " + .device] | unique | join(", ")')" \
	"mutable-cookie dialects 0000:00:01.0"
expect_balance
