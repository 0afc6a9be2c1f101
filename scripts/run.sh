#!/bin/sh
# The demonstration: a private PostgreSQL with the demo schema, then `walmill demo` in the foreground over it. Ctrl-C ends both.
# Usage: scripts/run.sh WALMILL [options of walmill demo]
# WALMILL_SOURCE names another database instead; it gets demo/schema.sql only if it has no table interventions.
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
fi
export WALMILL_SOURCE
if [ -z "$(psql "$WALMILL_SOURCE" -XAtc "SELECT to_regclass('public.interventions')")" ]; then
	echo "run: demo schema"
	psql "$WALMILL_SOURCE" -Xq -v ON_ERROR_STOP=1 -f demo/schema.sql
fi
"$walmill" demo --data "$state/data" "$@"
