#!/bin/sh
# Submits a SQL job to walmill's jobs API and waits until it runs; one that is there already with the same text stays as it is. (Its API
# has the shape of Flink's; for a real Flink, `walmill job export NAME --flink DIR` writes the job in Flink's own SQL.)
# Usage: scripts/submit-flink-job.sh [FILE] [NAME]        (default jobs/interventions.sql)
# JOBS_URL (default http://127.0.0.1:8081)
set -eu
cd "$(dirname "$0")/.."
url=${JOBS_URL:-http://127.0.0.1:8081}
file=${1:-jobs/interventions.sql}
name=${2:-$(basename "$file" .sql)}
wait_s=${WAIT_SECONDS:-60}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

code=$(curl -sS -o "$answer" -w '%{http_code}' -X POST -H 'Content-Type: application/sql' --data-binary "@$file" "$url/jobs?name=$name")
# a job of this name that does the same
same() { curl -fsS "$url/jobs/$name/sql" 2>/dev/null | cmp -s - "$file"; }
case $code in
2*) ;;
409) same ;;
*) false ;;
esac || {
	echo "$name: $url answered $code: $(cat "$answer")" >&2
	exit 1
}
id=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get("jobid", sys.argv[2]))' "$answer" "$name")
waited=0
while :; do
	state=$(curl -sS "$url/jobs/$id" | python3 -c 'import json, sys; print(json.load(sys.stdin).get("state", ""))')
	case $state in
	RUNNING) break ;;
	FAILED | CANCELED)
		echo "$name: $state: $(curl -sS "$url/jobs/$id/exceptions")" >&2
		exit 1
		;;
	esac
	[ "$waited" -lt "$wait_s" ] || { echo "$name: not running after $wait_s s: ${state:-no state}" >&2; exit 1; }
	sleep 1
	waited=$((waited + 1))
done
echo "$name: running as $id"
