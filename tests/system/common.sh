# What the scripts that run in a machine share. They say on standard output what must be the same with and without the
# library; what differs, the ports, goes to the file /ports: the rule that concerns them, or "kernel", and the port.
# shellcheck shell=sh

set -eu

port()
{
	echo "$1 $2" >>/ports
}

# Each line of a log of nginx.
ports_of()
{
	while read -r number; do port "$1" "$number"; done <"/var/log/nginx/$2"
	: >"/var/log/nginx/$2"
}

# The port of the last request to the front; nginx writes its log when it has answered.
front_port()
{
	until_done test -s /var/log/nginx/front
	ports_of "$1" front
}

until_done()
{
	until "$@" >/dev/null 2>&1; do sleep 0.02; done
}

# What a process has open, without what differs from one run to the next.
descriptors_of()
{
	for descriptor in "/proc/$1/fd"/*; do
		echo "$2 has ${descriptor##*/}: $(readlink "$descriptor" | tr -d '0-9')"
	done
}
