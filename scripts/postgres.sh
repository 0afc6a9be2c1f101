#!/bin/sh
# A private PostgreSQL cluster on loopback, for the demonstration and for tests: wal_level=logical, a password that only its maker can
# read, nothing shared with Debian's own clusters. PostgreSQL refuses to run as root, so root's cluster belongs to the user postgres.
# Usage: scripts/postgres.sh start|stop|destroy|dsn DIR [PORT]
#        start prints the connection string, password included; with PORT 0 (the default) a free port is taken when the cluster is made.
#        For psql: PGPASSFILE=DIR/passfile psql -h 127.0.0.1 -p "$(cat DIR/port)" -U walmill postgres
set -eu
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
cmd=${1:-}
dir=${2:-}
port=${3:-0}

die() { echo "postgres.sh: $*" >&2; exit 1; }
[ -n "$dir" ] || die "usage: postgres.sh start|stop|destroy|dsn DIR [PORT]"
[ -x "$bin/postgres" ] || die "no PostgreSQL in $bin; run scripts/setup.sh server"

as_owner() {
	if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"); else "$@"; fi
}
running() { [ -f "$dir/data/postmaster.pid" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }
dsn() { echo "host=127.0.0.1 port=$(cat "$dir/port") user=walmill password=$(cut -d : -f 5 "$dir/passfile") dbname=postgres"; }

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

create() {
	[ "$port" != 0 ] || port=$(free_port)
	umask 077
	mkdir -p "$dir"
	password=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
	echo "$password" >"$dir/password"
	echo "127.0.0.1:*:*:walmill:$password" >"$dir/passfile"
	echo "$port" >"$dir/port"
	if [ "$(id -u)" = 0 ]; then
		chown postgres "$dir" "$dir/password"
		as_owner test -r "$dir/password" || die "the user postgres cannot read $dir; choose a directory that it can reach"
	fi
	as_owner "$bin/initdb" -D "$dir/data" -U walmill -A scram-sha-256 --pwfile="$dir/password" \
		-E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; die "initdb failed"; }
	rm -f "$dir/password"
	cat >>"$dir/data/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = ''
		wal_level = logical
		max_replication_slots = 50
		max_wal_senders = 50
		timezone = 'UTC'
		${PG_EXTRA:-}
	CONF
}

case $cmd in
start)
	case $dir in /*) ;; *) dir=$(pwd)/$dir ;; esac
	if ! running; then
		[ -f "$dir/data/PG_VERSION" ] || create
		as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start >/dev/null ||
			{ as_owner tail "$dir/data/server.log" >&2; die "the server did not start"; }
	fi
	dsn
	;;
stop) ! running || as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null ;;
destroy)
	! running || as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null
	[ ! -f "$dir/data/PG_VERSION" ] || rm -rf "$dir"
	;;
dsn) dsn ;;
*) die "usage: postgres.sh start|stop|destroy|dsn DIR [PORT]" ;;
esac
