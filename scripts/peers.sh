#!/usr/bin/env bash
# The programs that walmill stands in for, as plain processes on loopback, to measure beside it: Apache Kafka (one broker, KRaft), Kafka
# Connect with Debezium, Apache Flink with its Kafka and JDBC connectors. Jars come through mvn and pip the first time (about 500 MB,
# kept in ${XDG_CACHE_HOME:-~/.cache}/walmill/peers).
# Usage: scripts/peers.sh fetch
#        scripts/peers.sh start DIR [kafka] [connect] [flink]       those that do not run (all); prints NAME=PID and NAME_PORT=PORT lines
#        scripts/peers.sh sql DIR FILE   runs a file of Flink SQL
#        scripts/peers.sh stop DIR
# Environment: KAFKA_PORT, CONNECT_PORT, FLINK_PORT (19192, 18183, 18181; Kafka's controller and Flink's RPC take the ports above);
# KAFKA_HEAP (512m), CONNECT_HEAP (1g), FLINK_HEAP (2g, of the TaskManager's tasks).
# Needs: mvn, python3 with pip, Java 17 or later, curl. Exit status 3: something could not be fetched.
set -euo pipefail
kafka=3.9.1 debezium=3.2.3.Final flink=1.19.1
home=${XDG_CACHE_HOME:-$HOME/.cache}/walmill/peers
kafka_port=${KAFKA_PORT:-19192} connect_port=${CONNECT_PORT:-18183} flink_port=${FLINK_PORT:-18181}

die() { echo "peers: $*" >&2; exit "${2:-1}"; }

# ---- fetching: a folder appears under its name only when it is whole ----

begin() { [ ! -d "$home/$1" ] || return 1; rm -rf "${home:?}/$1.new"; mkdir -p "$home/$1.new"; }
finish() { mv "$home/$1.new" "$home/$1"; }

# artifacts FOLDER GROUP:ARTIFACT:VERSION...: with everything they need at run time
artifacts() {
	local to=$1 a
	shift
	{
		echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>walmill</groupId><artifactId>peers</artifactId><version>1</version><dependencies>'
		for a in "$@"; do
			IFS=: read -r group name version <<<"$a"
			echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
		done
		echo '</dependencies></project>'
	} >"$to/pom.xml"
	mvn -q -B -f "$to/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$to/libs" >&2 || exit 3
}

one() { mvn -q -B dependency:copy -Dartifact="$1" -DoutputDirectory="$2" >&2 || exit 3; }

fetch() {
	for tool in mvn java python3 curl; do
		command -v $tool >/dev/null || die "$tool is needed (Debian: apt-get install maven openjdk-17-jre-headless python3-pip curl)" 3
	done
	if begin kafka; then
		artifacts "$home/kafka.new" "org.apache.kafka:kafka_2.13:$kafka" "org.apache.kafka:connect-runtime:$kafka" \
			org.slf4j:slf4j-reload4j:1.7.36
		finish kafka
	fi
	if begin debezium; then
		one "io.debezium:debezium-connector-postgres:$debezium:tar.gz:plugin" "$home/debezium.new"
		tar xzf "$home"/debezium.new/*.tar.gz -C "$home/debezium.new"
		finish debezium
	fi
	if begin flink; then
		# the libraries package of Flink's Python binding is the archive of its jars
		python3 -m pip download -q --no-deps --no-binary :all: -d "$home/flink.new" "apache-flink-libraries==$flink" >&2 || exit 3
		tar xzf "$home"/flink.new/apache*flink*libraries-$flink.tar.gz -C "$home/flink.new" --strip-components=1 --wildcards '*/deps/*'
		rm "$home"/flink.new/*.tar.gz
		mkdir "$home/flink.new/client"
		mv "$home"/flink.new/deps/opt/flink-{sql-client,python}-*.jar "$home/flink.new/client"
		one "org.apache.flink:flink-sql-gateway:$flink" "$home/flink.new/client"
		one "org.apache.flink:flink-connector-kafka:3.3.0-1.19" "$home/flink.new/deps/lib"
		one "org.apache.kafka:kafka-clients:3.4.0" "$home/flink.new/deps/lib"
		one "org.apache.flink:flink-connector-jdbc:3.2.0-1.19" "$home/flink.new/deps/lib"
		one "org.postgresql:postgresql:42.7.7" "$home/flink.new/deps/lib"
		finish flink
	fi
}

# ---- processes ----

alive() { [ -s "$dir/$1.pid" ] && kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null; }

# launch NAME COMMAND...: in the background, its output in DIR/NAME.log
launch() {
	local name=$1
	shift
	setsid nohup "$@" >"$dir/$name.log" 2>&1 </dev/null &
	echo $! >"$dir/$name.pid"
}

# ready NAME COMMAND...: waits for it to succeed
ready() {
	local name=$1 end=$((SECONDS + 120))
	shift
	until "$@" >/dev/null 2>&1; do
		alive "$name" || { tail -n 20 "$dir/$name.log" >&2; die "$name ended; see $dir/$name.log"; }
		[ $SECONDS -lt $end ] || die "$name is not ready after 120 s; see $dir/$name.log"
		sleep 0.2
	done
}

start_kafka() {
	alive kafka && return
	cat >"$dir/kafka.properties" <<-CONF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$((kafka_port + 1))
		listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$((kafka_port + 1))
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
		log.dirs=$dir/kafka-data
		offsets.topic.replication.factor=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.segment.delete.delay.ms=500
	CONF
	cat >"$dir/log4j.properties" <<-CONF
		log4j.rootLogger=INFO, o
		log4j.appender.o=org.apache.log4j.ConsoleAppender
		log4j.appender.o.layout=org.apache.log4j.PatternLayout
		log4j.appender.o.layout.ConversionPattern=[%d] %p %m (%c)%n
	CONF
	[ -f "$dir/kafka-data/meta.properties" ] ||
		java -cp "$home/kafka/libs/*" kafka.tools.StorageTool format -t walmillpeersAAAAAAAAAA -c "$dir/kafka.properties" \
			>"$dir/format.log" 2>&1 ||
		die "Kafka's directory could not be formatted; see $dir/format.log"
	launch kafka java "-Xms${KAFKA_HEAP:-512m}" "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
		"-Dlog4j.configuration=file:$dir/log4j.properties" -cp "$home/kafka/libs/*" kafka.Kafka "$dir/kafka.properties"
	ready kafka grep -q "Kafka Server started" "$dir/kafka.log"
}

connect_up() { curl -fsS -m 5 "http://127.0.0.1:$connect_port/connectors"; }

start_connect() {
	alive connect && return
	cat >"$dir/connect.properties" <<-CONF
		bootstrap.servers=127.0.0.1:$kafka_port
		group.id=connect
		listeners=http://127.0.0.1:$connect_port
		rest.advertised.host.name=127.0.0.1
		key.converter=org.apache.kafka.connect.json.JsonConverter
		value.converter=org.apache.kafka.connect.json.JsonConverter
		config.storage.topic=connect-configs
		offset.storage.topic=connect-offsets
		status.storage.topic=connect-status
		config.storage.replication.factor=1
		offset.storage.replication.factor=1
		status.storage.replication.factor=1
		offset.storage.partitions=1
		status.storage.partitions=1
		offset.flush.interval.ms=5000
		scheduled.rebalance.max.delay.ms=0
		plugin.path=$home/debezium
	CONF
	launch connect java -Xms256m "-Xmx${CONNECT_HEAP:-1g}" -XX:+UseG1GC "-Dlog4j.configuration=file:$dir/log4j.properties" \
		-cp "$home/kafka/libs/*" org.apache.kafka.connect.cli.ConnectDistributed "$dir/connect.properties"
	ready connect connect_up
}

flink_up() { curl -fsS -m 5 "http://127.0.0.1:$flink_port/overview" | grep -q '"taskmanagers":[1-9]'; }

# What the launcher scripts of a Flink distribution work out from one number is given in parts here.
configure_flink() {
	mkdir -p "$dir/flink/conf"
	cat >"$dir/flink/conf/config.yaml" <<-CONF
		jobmanager.rpc.address: localhost
		jobmanager.rpc.port: $((flink_port + 1))
		jobmanager.bind-host: localhost
		jobmanager.memory.process.size: 1600m
		taskmanager.host: localhost
		taskmanager.bind-host: localhost
		taskmanager.numberOfTaskSlots: 4
		taskmanager.cpu.cores: 2
		taskmanager.memory.task.heap.size: ${FLINK_HEAP:-2g}
		taskmanager.memory.task.off-heap.size: 0
		taskmanager.memory.framework.heap.size: 128m
		taskmanager.memory.framework.off-heap.size: 128m
		taskmanager.memory.network.min: 128m
		taskmanager.memory.network.max: 128m
		taskmanager.memory.managed.size: 256m
		taskmanager.memory.jvm-metaspace.size: 256m
		taskmanager.memory.jvm-overhead.min: 256m
		taskmanager.memory.jvm-overhead.max: 256m
		parallelism.default: 1
		rest.address: localhost
		rest.port: $flink_port
		rest.bind-address: 127.0.0.1
		io.tmp.dirs: $dir/flink
		state.checkpoints.dir: file://$dir/flink/checkpoints
	CONF
	cat >"$dir/flink/conf/log4j.properties" <<-CONF
		rootLogger.level = INFO
		rootLogger.appenderRef.o.ref = o
		appender.o.name = o
		appender.o.type = CONSOLE
		appender.o.layout.type = PatternLayout
		appender.o.layout.pattern = %d %p %c - %m%n
	CONF
}

# flink_java HEAP ARGUMENTS...: the command line of one of Flink's programs, in the array `flink_command`
flink_java() {
	local heap=$1 package
	shift
	flink_command=(java "-Xmx$heap" -XX:+UseG1GC -Duser.timezone=UTC "-Dlog4j.configurationFile=$dir/flink/conf/log4j.properties"
		--add-exports=java.base/sun.net.util=ALL-UNNAMED)
	for package in java.lang java.net java.io java.nio java.text java.time java.util java.util.concurrent java.util.concurrent.atomic \
		java.util.concurrent.locks sun.nio.ch; do
		flink_command+=("--add-opens=java.base/$package=ALL-UNNAMED")
	done
	flink_command+=("$@")
}

start_flink() {
	alive jobmanager && alive taskmanager && return
	configure_flink
	flink_java 1g -cp "$home/flink/deps/lib/*" org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint -c "$dir/flink/conf"
	launch jobmanager "${flink_command[@]}" -r "$flink_port"
	flink_java "$(heap_with_framework)" -XX:MaxDirectMemorySize=512m -cp "$home/flink/deps/lib/*" \
		org.apache.flink.runtime.taskexecutor.TaskManagerRunner -c "$dir/flink/conf"
	launch taskmanager "${flink_command[@]}"
	ready jobmanager flink_up
}

heap_with_framework() {
	local heap=${FLINK_HEAP:-2g}
	case $heap in
	*g) echo "$((${heap%g} * 1024 + 128))m" ;;
	*m) echo "$((${heap%m} + 128))m" ;;
	*) die "FLINK_HEAP is a number with m or g" ;;
	esac
}

run_sql() {
	# the client ends with 0 when a statement fails, so its words decide
	flink_java 512m -cp "$home/flink/deps/lib/*:$home/flink/client/*" org.apache.flink.table.client.SqlClient -f "$1"
	FLINK_CONF_DIR=$dir/flink/conf FLINK_LIB_DIR=$home/flink/deps/lib FLINK_OPT_DIR=$home/flink/deps/opt \
		FLINK_PLUGINS_DIR=$home/flink/deps/plugins "${flink_command[@]}" 2>&1 | tee "$dir/sql.log"
	! grep -q '\[ERROR\]' "$dir/sql.log"
}

stop() {
	local name end
	for name in taskmanager jobmanager connect kafka; do
		alive "$name" || continue
		kill "$(cat "$dir/$name.pid")"
		end=$((SECONDS + 30))
		while alive "$name"; do
			[ $SECONDS -lt $end ] || kill -9 "$(cat "$dir/$name.pid")"
			sleep 0.2
		done
		rm -f "$dir/$name.pid"
	done
}

command=${1:-} dir=${2:-}
case $command in
fetch) fetch ;;
start)
	[ -n "$dir" ] || die "start needs a directory"
	fetch
	mkdir -p "$dir"
	shift 2
	[ $# -gt 0 ] || set -- flink kafka connect
	starting=
	for name in "$@"; do
		case $name in
		flink) start_flink & starting=$! ;;
		kafka | connect) "start_$name" ;;
		*) die "no peer \"$name\": kafka, connect, flink" ;;
		esac
	done
	[ -z "$starting" ] || wait "$starting" || exit 1
	for name in kafka connect jobmanager taskmanager; do
		if alive "$name"; then echo "$name=$(cat "$dir/$name.pid")"; fi
	done
	echo "kafka_port=$kafka_port"
	echo "connect_port=$connect_port"
	echo "flink_port=$flink_port"
	;;
sql) run_sql "$3" ;;
stop) stop ;;
*) sed -n '2,12s/^# //p' "$0" >&2; exit 2 ;;
esac
