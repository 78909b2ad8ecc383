#!/bin/sh
# Process 1 of a machine (tests/lib/machine.h): starts the services that its arguments name, one word each, waits until
# each answers, says "up" on descriptor 3, and from then on buries the processes that are left to it.

database=/var/lib/postgresql/machine
programs=$(echo /usr/lib/postgresql/*/bin)

# Runs a command until it succeeds; the one who waits for "up" has the deadline.
until_done()
{
	until "$@" >/dev/null 2>&1; do sleep 0.02; done
}

start_sshd()
{
	mkdir -p /run/sshd
	rm -f /etc/ssh/ssh_host_*
	ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
	mkdir -p /jail # nothing of the policy is in there
	echo 'in the jail' >/jail/file
	for home in /root ~ann ~ben; do
		rm -rf "$home/.ssh"
		mkdir -m 700 "$home/.ssh"
		ssh-keygen -q -t ed25519 -N '' -f "$home/.ssh/id_ed25519"
		cp "$home/.ssh/id_ed25519.pub" "$home/.ssh/authorized_keys"
		echo "127.0.0.1 $(cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >"$home/.ssh/known_hosts"
	done
	chown -R ann: ~ann/.ssh
	chown -R ben: ~ben/.ssh
	/usr/sbin/sshd -f /machine/sshd.conf -E /var/log/sshd
	until_done test -e /run/sshd.pid
}

start_cron()
{
	rm -rf /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/*
	echo '@reboot ann sh /machine/cron_job.sh' >/etc/cron.d/machine
	cron
}

start_nginx()
{
	mkdir -p /var/www/machine
	echo hello >/var/www/machine/index.html
	cp /machine/nginx.conf /etc/nginx/nginx.conf
	/usr/sbin/nginx # by its path: by that it starts itself again
}

start_postgres()
{
	install -d -o postgres $database
	su postgres -c "$programs/initdb --no-sync --auth=trust -D $database" >/dev/null
	su postgres -c "$programs/pg_ctl -s -w -D $database -l $database/log -o '-F -k /tmp' start"
}

for service in $1; do
	"start_$service"
done
echo up >&3
exec 3>&-
trap : CHLD
while :; do
	sleep infinity &
	wait $!
done
