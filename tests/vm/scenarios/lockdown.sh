# vm: --append lockdown=confidentiality --append lsm=lockdown,bpf
# kernels: 6.12
# A kernel that lets nobody read its memory: doctor says so beforehand, and the daemon refuses in one line, with the remedy.
. /tests/lib.sh

case $(cat /sys/kernel/security/lockdown) in
*'[confidentiality]'*) ;;
*) fail "this kernel is not locked down" ;;
esac
expect_status "doctor, without a daemon" 4 vfiowatch doctor --json
expect_equal "what is missing" "$(jq -r '[.checks[] | select(.ok == false) | .name] | join(" ")' /tmp/expect.out)" \
	"lockdown enforcement"
expect_status "the daemon refuses" 1 vfiowatchd --foreground
expect_equal "in one line" "$(wc -l </tmp/expect.err)" 1
grep -q 'locked down for confidentiality.*lockdown=integrity' /tmp/expect.err || fail "unclear: $(cat /tmp/expect.err)"
[ ! -e /sys/fs/bpf/vfiowatch ] || fail "it leaves pins"
