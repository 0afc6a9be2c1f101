#!/usr/bin/env bash
# Runs one of Apache Kafka's own command line tools by its usual name, fetching the jars with Maven the first time (about 60 MB, kept in
# ${XDG_CACHE_HOME:-~/.cache}/walmill/kafka-tools-VERSION).
# Usage: scripts/kafka-tool.sh NAME ARGS...   NAME: topics, console-producer, console-consumer, consumer-groups, configs, get-offsets,
#        delete-records, log-dirs, transactions, leader-election, acls
# Needs: mvn and Java 17 or later. Exit status 3: the jars could not be fetched.
set -euo pipefail
version=3.9.1
home=${XDG_CACHE_HOME:-$HOME/.cache}/walmill/kafka-tools-$version

fetch() {
	command -v mvn >/dev/null && command -v java >/dev/null || { echo "kafka-tool: mvn and java are needed" >&2; exit 3; }
	mkdir -p "$home.new"
	cat >"$home.new/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>walmill</groupId><artifactId>kafka-tools</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
POM
	mvn -q -B -f "$home.new/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home.new/libs" \
		-DexcludeArtifactIds=slf4j-reload4j >&2 || exit 3
	rm -rf "$home"
	mv "$home.new" "$home"
}

tools=org.apache.kafka.tools
case ${1:-} in
topics) main=$tools.TopicCommand ;;
console-producer) main=kafka.tools.ConsoleProducer ;;
console-consumer) main=$tools.consumer.ConsoleConsumer ;;
consumer-groups) main=$tools.consumer.group.ConsumerGroupCommand ;;
configs) main=kafka.admin.ConfigCommand ;;
get-offsets) main=$tools.GetOffsetShell ;;
delete-records) main=$tools.DeleteRecordsCommand ;;
log-dirs) main=$tools.LogDirsCommand ;;
transactions) main=$tools.TransactionsCommand ;;
leader-election) main=$tools.LeaderElectionCommand ;;
acls) main=kafka.admin.AclCommand ;;
*)
	sed -n '4,6s/^# //p' "$0" >&2
	exit 2
	;;
esac
shift
[ -d "$home/libs" ] || fetch
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$home/libs/*" "$main" "$@"
