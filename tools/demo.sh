#!/bin/sh
# Shows portshim at work: a local server tells curl the port it came from, without and with a policy.
# `tools/demo.sh BUILD`, after `make`.
set -eu

build=$1
policy=portshim.conf.example
seen=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$seen"' EXIT

mkfifo "$seen/port"
"$build/tests/probes/show_peer" 6 >"$seen/port" &
server=$!
read -r port <"$seen/port"
url=http://127.0.0.1:$port/

ask() { # prints the port that the server saw
	"$@" curl --silent --show-error --noproxy '*' --max-time 10 "$url"
}

range=$(sed 's/[^0-9]/-/g' /proc/sys/net/ipv4/ip_local_port_range)
echo "The policy, $policy, has for curl:"
sed -n '/^\[rule web\]/,/^$/s/./    &/p' "$policy"
echo "curl as it is leaves from the kernel's ephemeral ports, $range here. The server saw:"
for _ in 1 2 3; do
	echo "    port $(ask env)"
done
echo "The same curl under 'portshim run -c $policy curl $url'. The server saw:"
for _ in 1 2 3; do
	came=$(ask "$build/portshim" run --log=info -c "$policy" 2>"$seen/log")
	echo "    port $came   $(sed 's/^portshim: //' "$seen/log")"
	if [ "$came" -lt 20000 ] || [ "$came" -gt 20099 ] || ! grep -q "rule web: tcp port $came " "$seen/log"; then
		echo "portshim: the demonstration failed: curl came from port $came" >&2
		exit 1
	fi
done
echo "Next: $build/portshim run -p 20000-20099 YOUR-PROGRAM, or copy $policy and say which program gets which ports."
