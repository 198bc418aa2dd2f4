#!/usr/bin/env bash
# A private worker of Kafka Connect with Debezium's connectors (MySQL source, JDBC sink)
# and an Avro converter, to compare with: what Debezium writes, and what it reads.
#
#   connect.sh start NAME kafka=HOST:PORT registry=URL FILE…   start it (again), print its URL
#   connect.sh stop NAME                                       stop it; its offsets stay
#   connect.sh kill NAME                                       SIGKILL, as a crash
#   connect.sh drop NAME                                       stop it and remove its data
#
# Each FILE is a connector's properties. State is in .stack/connect-NAME: pid, port, log,
# offsets. The registry is ours (Apicurio's): the converter asks its own API, and
# registers under Confluent's ids.

connect_url() { printf 'http://127.0.0.1:%s\n' "$1"; }

# Every connector has begun, and so has each of its tasks. One that has failed since is for its log to say.
connect_answers() { # port
  curl -fsS --noproxy '*' -m 5 "$(connect_url "$1")/connectors?expand=status" | python3 -c '
import json, sys
connectors = json.load(sys.stdin).values()
states = [s["state"] for c in connectors for s in [c["status"]["connector"], *c["status"]["tasks"]]]
sys.exit(not connectors or not all(c["status"]["tasks"] for c in connectors) or any(s not in ("RUNNING", "FAILED") for s in states))'
}

connect_worker() { # dir port kafka registry
  cat <<END
bootstrap.servers=$3
listeners=$(connect_url "$2")
offset.storage.file.filename=$1/offsets
offset.flush.interval.ms=1000
plugin.path=$CONNECT_PREFIX/plugins
# Classes are not searched for: every plugin names its own.
plugin.discovery=service_load
END
  local side
  for side in key value; do
    cat <<END
$side.converter=io.apicurio.registry.utils.converter.AvroConverter
$side.converter.apicurio.registry.url=${4%/apis/*}/apis/registry/v2
$side.converter.apicurio.registry.auto-register=true
$side.converter.apicurio.registry.find-latest=false
$side.converter.apicurio.registry.as-confluent=true
$side.converter.apicurio.registry.use-id=contentId
$side.converter.apicurio.registry.headers.enabled=false
END
  done
}

connect_start() { # name kafka=… registry=… files… → URL
  check_name "$1"
  with_lock "$STACK_DIR/lock/connect-$1" 180 connect_start_locked "$@"
}

connect_start_locked() {
  local name=$1 dir java port
  shift
  dir=$(server_dir connect "$name")
  mkdir -p "$dir"
  if server_pid "$dir" >/dev/null; then
    port=$(cat "$dir/port")
  else
    [ "${1%%=*}-${2%%=*}" = kafka-registry ] || die "usage: connect.sh start NAME kafka=HOST:PORT registry=URL FILE…"
    fetch_part "$CONNECT_PREFIX" fetch_connect
    # Debezium 3 wants Java 17 or newer.
    java=$(java_for_kafka)
    port=$(choose_port "$dir" port)
    connect_worker "$dir" "$port" "${1#kafka=}" "${2#registry=}" | write_file "$dir/worker.properties"
    log4j_settings | write_file "$dir/log4j2.xml"
    shift 2
    launch "$dir" "$java" -Xmx768m "-Dlog4j2.configurationFile=$dir/log4j2.xml" -cp "$CONNECT_PREFIX/libs/*" \
      org.apache.kafka.connect.cli.ConnectStandalone "$dir/worker.properties" "$@"
  fi
  wait_ready "$dir" "Kafka Connect '$name'" 120 connect_answers "$port"
  connect_url "$port"
}

connect_stop() { stop_server "$(server_dir connect "$1")" "Kafka Connect '$1'" 30; }

# --- as a program -----------------------------------------------------------------

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  here=$(cd "$(dirname "$0")" && pwd)
  # shellcheck source=lib.sh
  . "$here/lib.sh"
  # shellcheck source=fetch.sh
  . "$here/fetch.sh"
  # shellcheck source=kafka.sh
  . "$here/kafka.sh"
  server_main connect connect_start connect_stop "$@"
fi
