# kernels: 6.1 7.2
# A program that computes index << 40 without asking is named, with how often; one that asks is not, nor one that was given
# the descriptor of a file on which somebody asked.
# shellcheck shell=sh source=lib.sh
. /tests/lib.sh
start_daemon
expect "a program that asks" vfio-client -c 'comm asks; open dev group 0000:00:01.0; mmap m dev 2 64K 4p; touch m; fork kid; @kid mmap n dev 2 1M 4p'
expect_equal "is not named" "$(vfiowatch lint --json=short)" "[]"
expect "one that computes" vfio-client -c 'comm computes; open dev group 0000:00:01.0; sleep 300; mmap-raw m dev 2048G+64K 4p; touch m; munmap m; mmap-raw m dev 2048G 4p'
lint=$(vfiowatch lint --json=short)
expect_equal "is named" "$(echo "$lint" | jq -r '.[] | "\(.kind) \(.device) \(.region) \(.comm) \(.exe) \(.offset) \(.count)"')" \
	"unissued-offset 0000:00:01.0 2 computes /usr/local/bin/vfio-client 0x20000010000 2"
echo "$lint" | jq -r '.[].detail'
vfiowatch lint

# On a file that was open before recording began nobody knows what was issued.
vfio-client -c 'open dev group 0000:00:02.0; touch-file /tmp/open; barrier /tmp/go; mmap-raw m dev 2048G 4p; touch-file /tmp/mapped; barrier /tmp/end' &
client=$!
eventually "the device is open" 30 test -e /tmp/open
end_recording
start_daemon
touch /tmp/go
eventually "it is mapped" 30 test -e /tmp/mapped
expect_equal "an older file gives no finding" "$(vfiowatch lint --json=short)" "[]"
touch /tmp/end
wait $client
expect_balance
