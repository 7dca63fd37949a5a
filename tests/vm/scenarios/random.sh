# vm: --daemon
# Random valid sequences of mmap, munmap, mprotect, mremap, fork and exit: the ledger equals /proc after every step.
. /tests/lib.sh

for seed in 1 2 3; do
	awk -v seed=$seed -v steps=40 -f /tests/clients/random.awk >/out/random-$seed.vfio
	vfio-client /out/random-$seed.vfio >/tmp/out || fail "seed $seed: see random-$seed.vfio"
	expect_equal "checks made with seed $seed" "$(grep -c 'mappings equal' /tmp/out)" 40
	expect "nothing is left" check-ledger >/dev/null
done
expect_balance
