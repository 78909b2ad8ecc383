#!/bin/sh
# nginx serves, asks an upstream, is told to read its configuration again, and replaces its own program.
# shellcheck source=/dev/null
. /machine/common.sh

# The users of the workers of the process whose number is in a file.
workers()
{
	tr ' ' '\n' <"/proc/$(cat "$1")/task/$(cat "$1")/children" | while read -r child; do stat -c %U "/proc/$child"; done
}

work()
{
	for path in / /upstream/ /upstream/; do curl -sS "http://127.0.0.1$path"; done
	curl -sS -o /dev/null -w '%{http_code}\n' http://127.0.0.1/none
	until_done test -s /var/log/nginx/upstream
	ports_of nginx upstream
	front_port curl
	workers /run/nginx.pid
}

work
descriptors_of "$(cat /run/nginx.pid)" nginx

before=$(cat "/proc/$(cat /run/nginx.pid)/task"/*/children)
sed -i 's/worker_processes 2/worker_processes 1/' /etc/nginx/nginx.conf
nginx -e /var/log/nginx/signals -s reload
for child in $before; do until_done test ! -e "/proc/$child"; done
work

old=$(cat /run/nginx.pid)
kill -USR2 "$old"
until_done test -s /run/nginx.pid.oldbin
until_done test -s /run/nginx.pid
kill -QUIT "$old"
until_done test ! -e "/proc/$old"
work
nginx -e /var/log/nginx/signals -s quit
until_done test ! -e /run/nginx.pid
