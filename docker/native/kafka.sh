#!/usr/bin/env bash
# A private Kafka broker (KRaft, one node that is its own controller).
#
#   kafka.sh start NAME [key=value…]   start it (again), print HOST:PORT
#   kafka.sh stop NAME                 stop it; its data stays
#   kafka.sh kill NAME                 SIGKILL, as a crash
#   kafka.sh drop NAME                 stop it and remove its data
#
# State is in .stack/kafka-NAME: pid, port, log, data, server.properties. Further
# settings of the broker may be given as key=value; without any, those of the
# last start hold.
#
# The setting proxied.at=HOST:PORT is ours, and may be there several times: each adds a
# listener for a proxy that stands there. Clients that come by it are told that address.
# `start` prints where each proxy is to lead, in this order, on lines of their own.

kafka_properties() { # dir port controller-port
  cat <<END
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$3
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$1/data
# One node holds the only copy of everything.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Small machines: 50 partitions of each internal topic only cost start-up time.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
# A killed member of a group of the brokers' own protocol is given up after this time; the default is 45 s.
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000
# A killed broker may register again only when its old session is over; the
# default makes every test that kills it wait 9 s.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# A typo in a topic's name is an error, not a new topic.
auto.create.topics.enable=false
delete.topic.enable=true
# Rows are up to 1 GiB in MySQL; 64 MiB is what tests of large rows use.
message.max.bytes=67108864
replica.fetch.max.bytes=67108864
replica.fetch.response.max.bytes=67108864
socket.request.max.bytes=134217728
transaction.max.timeout.ms=900000
log.segment.bytes=134217728
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=33554432
END
}

# The last value of a key holds.
kafka_proxied() { # dir port controller-port
  local listeners="PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3" advertised="PLAINTEXT://127.0.0.1:$2"
  local protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT proxy number=0
  while read -r proxy; do
    number=$((number + 1))
    listeners+=",PROXIED$number://127.0.0.1:$(choose_port "$1" "port-proxied-$number")"
    advertised+=",PROXIED$number://$proxy"
    protocols+=",PROXIED$number:PLAINTEXT"
  done
  [ "$number" -gt 0 ] || return 0
  printf 'listeners=%s\nadvertised.listeners=%s\nlistener.security.protocol.map=%s\n' \
    "$listeners" "$advertised" "$protocols"
  printf 'inter.broker.listener.name=PLAINTEXT\n'
}

log4j_settings() {
  cat <<'END'
<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
END
}

# The storage must be formatted once, with the same settings that will be used.
format_storage() { # dir java
  [ -f "$1/data/meta.properties" ] && return 0
  local id
  id=$("$2" -cp "$KAFKA_PREFIX/libs/*" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
  run_logged 60 "$1/server.log" "$2" -cp "$KAFKA_PREFIX/libs/*" "-Dlog4j2.configurationFile=$1/log4j2.xml" \
    kafka.tools.StorageTool format --cluster-id "$id" --config "$1/server.properties"
}

# Answers a client's first question, rather than just listening.
kafka_answers() { # port
  sid_command "$MYSQL_PREFIX" usr/bin/kcat -b "127.0.0.1:$1" -L -m 2
}

kafka_start() { # name settings… → HOST:PORT
  check_name "$1"
  with_lock "$STACK_DIR/lock/kafka-$1" 180 kafka_start_locked "$@"
}

kafka_start_locked() {
  local name=$1 dir java port controller classes number=1
  local -a settings jvm
  shift
  dir=$(server_dir kafka "$name")
  mkdir -p "$dir"
  # kcat comes with MySQL's closure.
  fetch_part "$MYSQL_PREFIX" fetch_mysql
  if server_pid "$dir" >/dev/null; then
    port=$(cat "$dir/port")
  else
    fetch_part "$KAFKA_PREFIX" fetch_kafka
    java=$(java_for_kafka)
    [ $# -eq 0 ] && [ -f "$dir/settings" ] && mapfile -t settings <"$dir/settings" && set -- "${settings[@]}"
    printf '%s\n' "$@" | sed '/^$/d' >"$dir/settings"
    port=$(choose_port "$dir" port)
    controller=$(choose_port "$dir" port-controller)
    {
      kafka_properties "$dir" "$port" "$controller"
      sed '/^proxied\.at=/d' "$dir/settings"
      sed -n 's/^proxied\.at=//p' "$dir/settings" | kafka_proxied "$dir" "$port" "$controller"
    } | write_file "$dir/server.properties"
    log4j_settings | write_file "$dir/log4j2.xml"
    format_storage "$dir" "$java"
    # The shared broker is the one that is measured: as Kafka's own scripts start it.
    [ "$name" = main ] && jvm=(-XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:+ExplicitGCInvokesConcurrent) || jvm=("${BRIEF_JVM[@]}")
    classes=$(class_archive kafka "$KAFKA_PREFIX" "$java")
    launch "$dir" "$java" "-Xmx${CDC_KAFKA_HEAP:-1g}" -Xms256m "${jvm[@]}" ${classes:+"$classes"} \
      -Djava.awt.headless=true "-Dlog4j2.configurationFile=$dir/log4j2.xml" -cp "$KAFKA_PREFIX/libs/*" \
      kafka.Kafka "$dir/server.properties"
  fi
  wait_ready "$dir" "Kafka '$name'" 240 kafka_answers "$port"
  printf '127.0.0.1:%s\n' "$port"
  while [ -f "$dir/port-proxied-$number" ]; do
    printf '127.0.0.1:%s\n' "$(cat "$dir/port-proxied-$number")"
    number=$((number + 1))
  done
}

kafka_stop() { stop_server "$(server_dir kafka "$1")" "Kafka '$1'" 60; }

# --- as a program -----------------------------------------------------------------

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  here=$(cd "$(dirname "$0")" && pwd)
  # shellcheck source=lib.sh
  . "$here/lib.sh"
  # shellcheck source=fetch.sh
  . "$here/fetch.sh"
  server_main kafka kafka_start kafka_stop "$@"
fi
