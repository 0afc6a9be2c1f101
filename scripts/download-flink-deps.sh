#!/bin/sh
# Fetches, with Maven, the drivers that a real Flink needs to run this project's jobs (Kafka and JDBC connectors,
# PostgreSQL's driver): put them into Flink's lib folder. walmill itself needs none of them, and the script says
# so when it finds walmill where the jobs API is expected.
# Usage: scripts/download-flink-deps.sh [DIR]        (with DIR it fetches in any case; without, into build/flink-lib)
# JOBS_URL (default http://127.0.0.1:8081). Exit status 3: something could not be fetched.
set -eu
cd "$(dirname "$0")/.."
url=${JOBS_URL:-http://127.0.0.1:8081}
dir=${1:-build/flink-lib}

commit=$(curl -sS -m 5 "$url/overview" 2>/dev/null |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["flink-commit"])' 2>/dev/null) || commit=
case $commit in
walmill-*)
	if [ $# = 0 ]; then
		echo "not needed: $url is $commit, which runs jobs itself. For a real Flink, name the folder to put the drivers into."
		exit 0
	fi
	;;
esac

for tool in mvn java; do
	command -v $tool >/dev/null || { echo "$tool is needed (Debian: apt-get install maven)" >&2; exit 3; }
done
mkdir -p "$dir"
for artifact in org.apache.flink:flink-connector-kafka:3.3.0-1.19 org.apache.kafka:kafka-clients:3.4.0 \
	org.apache.flink:flink-connector-jdbc:3.2.0-1.19 org.postgresql:postgresql:42.7.7; do
	name=$(echo "$artifact" | cut -d : -f 2)
	version=$(echo "$artifact" | cut -d : -f 3)
	[ ! -s "$dir/$name-$version.jar" ] || continue
	echo "fetching $artifact"
	mvn -q -B dependency:copy -Dartifact="$artifact" -DoutputDirectory="$(cd "$dir" && pwd)" >&2 || exit 3
done
echo "the drivers are in $dir"
