#!/bin/sh
# The demonstration: a private PostgreSQL with the demo schema, then `walmill demo` in the foreground over it. Ctrl-C ends both.
# Usage: scripts/run.sh WALMILL [options of walmill demo]
# WALMILL_SOURCE names another database instead, which has the tables of demo/schema.sql.
set -eu
cd "$(dirname "$0")/.."
walmill=$1
shift
state=$PWD/.walmill
mkdir -p "$state"
chmod 700 "$state"

if [ -z "${WALMILL_SOURCE:-}" ]; then
	cluster=$state/postgres
	# the user postgres, to whom root's cluster belongs, seldom reaches into root's folders
	[ "$(id -u)" != 0 ] || cluster=/var/tmp/walmill-demo-$(pwd | cksum | cut -d ' ' -f 1)
	echo "run: private PostgreSQL in $cluster"
	WALMILL_SOURCE=$(scripts/postgres.sh start "$cluster")
	trap 'scripts/postgres.sh stop "$cluster"' EXIT
	trap : INT TERM
	# the connection string holds the password: it goes by the environment, not by a command line that everybody can read
	PGPASSFILE=$cluster/passfile PGOPTIONS='-c client_min_messages=warning' \
		psql -h 127.0.0.1 -p "$(cat "$cluster/port")" -U walmill -Xq -v ON_ERROR_STOP=1 -f demo/schema.sql postgres
fi
export WALMILL_SOURCE
"$walmill" demo --data "$state/data" "$@"
