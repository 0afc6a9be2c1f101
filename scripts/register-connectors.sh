#!/bin/sh
# Creates or updates the connectors of infra/cdc/connectors through a Kafka Connect REST API (walmill's or the real one) and waits
# until each of them runs.
# Usage: scripts/register-connectors.sh [FILE...]
# CONNECT_URL (default http://127.0.0.1:8083); PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE replace what the files say. With none of
# these, beside `make run` over its private PostgreSQL, it is that server.
set -eu
cd "$(dirname "$0")/.."
url=${CONNECT_URL:-http://127.0.0.1:8083}
wait_s=${WAIT_SECONDS:-60}
if [ -z "${CONNECT_URL:-}${PGHOST:-}${PGPORT:-}" ] && [ -f .walmill/cluster ]; then
	cluster=$(cat .walmill/cluster)
	echo "register: the private PostgreSQL in $cluster"
	for pair in $(scripts/postgres.sh dsn "$cluster"); do
		case $pair in
		host=*) export PGHOST="${pair#*=}" ;;
		port=*) export PGPORT="${pair#*=}" ;;
		user=*) export PGUSER="${pair#*=}" ;;
		password=*) export PGPASSWORD="${pair#*=}" ;;
		dbname=*) export PGDATABASE="${pair#*=}" ;;
		esac
	done
fi
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
[ $# -gt 0 ] || set -- infra/cdc/connectors/*.json

# "name" on the first line, the configuration as JSON behind it
split() {
	python3 - "$1" <<-'PY'
		import json, os, sys
		connector = json.load(open(sys.argv[1], encoding="utf-8"))
		config = connector["config"]
		for key, variable in (("hostname", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"),
		                      ("password", "PGPASSWORD"), ("dbname", "PGDATABASE")):
		    if os.environ.get(variable):
		        config["database." + key] = os.environ[variable]
		print(connector["name"])
		print(json.dumps(config))
	PY
}

# "RUNNING RUNNING": the connector's state and its tasks'
states() {
	curl -sS "$url/connectors/$1/status" | python3 -c '
import json, sys
status = json.load(sys.stdin)
if "connector" not in status:
    sys.exit(status.get("message", "no status"))
print(status["connector"]["state"], *[task["state"] for task in status["tasks"]])
for part in [status["connector"], *status["tasks"]]:
    if part.get("trace"):
        print(part["trace"].splitlines()[0], file=sys.stderr)'
}

for file in "$@"; do
	parts=$(split "$file")
	name=$(printf "%s\n" "$parts" | sed -n 1p)
	# the configuration goes over standard input: a command line can be read by everybody
	code=$(printf "%s\n" "$parts" | sed -n 2p | curl -sS -o "$answer" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
		--data-binary @- "$url/connectors/$name/config")
	case $code in
	2*) ;;
	*)
		echo "$name: $url answered $code: $(cat "$answer")" >&2
		exit 1
		;;
	esac
	waited=0
	while :; do
		state=$(states "$name" 2>"$answer") || state=
		case $state in
		*FAILED*)
			echo "$name: $state: $(cat "$answer")" >&2
			exit 1
			;;
		"RUNNING RUNNING"*) break ;;
		esac
		[ "$waited" -lt "$wait_s" ] || { echo "$name: not running after $wait_s s: ${state:-no status}" >&2; exit 1; }
		sleep 1
		waited=$((waited + 1))
	done
	echo "$name: running"
done
