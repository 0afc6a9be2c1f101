#!/bin/sh
# The demonstration: a private PostgreSQL, then `walmill demo` in the foreground over it. Ctrl-C ends both, the next start goes on.
# Usage: scripts/run.sh WALMILL [options of walmill demo]
# WALMILL_SOURCE names another database instead; `walmill demo` refuses one that is neither empty nor its own.
set -eu
cd "$(dirname "$0")/.."
walmill=$1
shift
state=$PWD/.walmill
mkdir -p "$state"
chmod 711 "$state"
# of a run that was killed
rm -f "$state/cluster"

# Root's cluster belongs to the user postgres, who seldom reaches into root's folders.
place() {
	if [ "$(id -u)" != 0 ] || (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups -- test -x "$state") 2>/dev/null; then
		echo "$state/postgres"
	else
		echo "/var/lib/walmill-demo/$(echo "$state" | cksum | cut -d ' ' -f 1)"
	fi
}

if [ -z "${WALMILL_SOURCE:-}" ]; then
	cluster=$(place)
	echo "run: private PostgreSQL in $cluster"
	[ "$cluster" = "$state/postgres" ] || mkdir -p -m 711 /var/lib/walmill-demo
	trap 'rm -f "$state/cluster"; scripts/postgres.sh stop "$cluster"' EXIT
	# the connection string holds the password: it goes by the environment, not by a command line that everybody can read
	WALMILL_SOURCE=$(scripts/postgres.sh start "$cluster")
	# for scripts/register-connectors.sh
	echo "$cluster" >"$state/cluster"
	echo "run: psql: PGPASSFILE=$cluster/passfile psql -h 127.0.0.1 -p $(cat "$cluster/port") -U walmill postgres"
	trap : INT TERM
fi
export WALMILL_SOURCE
"$walmill" demo --data "$state/data" "$@"
