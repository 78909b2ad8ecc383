#!/bin/sh
# A client over TCP, a backend that is a client itself, and a standby that follows the server.
# shellcheck source=/dev/null
. /machine/common.sh

programs=$(echo /usr/lib/postgresql/*/bin)
standby=/var/lib/postgresql/standby

# ask WORDS...: of the server, or of the standby with -p 5433.
ask()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -U postgres "$@"
}

as_postgres()
{
	su postgres -c "$*"
}

port psql "$(ask -c 'select inet_client_port()')"
ask -c 'create table fact (number int primary key, word text)' -c "insert into fact select n, 'w' || n
	from generate_series(1, 1000) n" -c 'select count(*), max(word) from fact'
ask -c 'select 1/0' 2>&1 || echo "psql: $?"
ask -c 'create extension dblink'
link="'host=127.0.0.1 dbname=postgres user=postgres'"
port postgres "$(ask -c "select port from dblink($link, 'select inet_client_port()') as seen(port int)")"
ask -c "select number, word from dblink($link, 'select * from fact where number < 3') as seen(number int, word text)"

# No rule concerns pg_basebackup.
install -d -o postgres -m 700 $standby
as_postgres "$programs/pg_basebackup -h 127.0.0.1 -D $standby -R -X none --checkpoint=fast --no-sync -X stream"
as_postgres "$programs/pg_ctl -s -w -D $standby -l $standby/log -o '-F -k /tmp -p 5433' start"
ask -c "insert into fact values (1001, 'the last')"
follows()
{
	[ "$(ask -p 5433 -c 'select word from fact where number = 1001')" = 'the last' ]
}
until_done follows
ask -p 5433 -c 'select count(*), pg_is_in_recovery() from fact'
port postgres "$(ask -c 'select client_port from pg_stat_replication')"
descriptors_of "$(head -n 1 /var/lib/postgresql/machine/postmaster.pid)" postgres
as_postgres "$programs/pg_ctl -s -w -D $standby stop"
as_postgres "$programs/pg_ctl -s -w -D /var/lib/postgresql/machine stop"
