# shellcheck shell=bash disable=SC2154  # root and others are demo.sh's
# The demo in containers: servers and cdc from compose.yaml, and so is the mysql
# client, so that the machine needs Docker and Python only.
# Sourced by demo.sh, which has: root, say, die.

# shellcheck disable=SC2034  # printed by demo.sh
servers_stay='The containers still run: docker compose -f docker/compose.yaml down -v removes them.'

compose() { docker compose -f "$root/docker/compose.yaml" "$@"; }

require_docker() {
  command -v docker >/dev/null || die "no docker command here. Without Docker the same demo runs with: make demo"
  [ -n "$(timeout 20 docker info --format '{{.ServerVersion}}' 2>/dev/null)" ] ||
    die "the Docker engine does not answer (docker info): start it, or get the rights to use it. Without Docker: make demo"
  docker compose version >/dev/null 2>&1 || die "docker has no compose plugin: install it (package docker-compose-plugin or docker-compose-v2)"
}

# Kafka tells its clients its own port, so it has to know the one outside.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_servers() {
  require_docker
  work=$root/.stack/demo-docker
  rm -rf "$work"
  mkdir -p "$work"
  CDC_KAFKA_PORT=${CDC_KAFKA_PORT:-$(free_port)}
  export CDC_KAFKA_PORT
  # What a former run left would be a different database under the same name.
  compose down -v --timeout 10 >"$work/compose.log" 2>&1
  say "starting MySQL twice, Kafka, the registry (log: $work/compose.log)"
  timeout "$wait_s" docker compose -f "$root/docker/compose.yaml" up -d --wait mysql-source mysql-dest kafka registry >>"$work/compose.log" 2>&1 ||
    die "the servers did not become healthy; log: $work/compose.log, then: docker compose -f docker/compose.yaml logs"
  # Addresses as seen by the client, which runs beside the source.
  CDC_TEST_SOURCE_MYSQL=mysql-source:3306
  CDC_TEST_DEST_MYSQL=mysql-dest:3306
  export CDC_TEST_MYSQL_USER=root CDC_TEST_MYSQL_PASSWORD=${CDC_ROOT_PASSWORD:-root}
  export CDC_STACK_MYSQL_BIN=$work/mysql
  CDC_STACK_TZINFO_BIN=$work/mysql_tzinfo_to_sql
  in_container mysql
  in_container mysql_tzinfo_to_sql
}

in_container() { # program
  printf '#!/bin/sh\nexec docker compose -f "%s" exec -T -e MYSQL_PWD mysql-source %s "$@"\n' "$root/docker/compose.yaml" "$1" >"$work/$1"
  chmod 755 "$work/$1"
}

build_cdc() {
  say "building the image"
  compose build source
}

# In docker/compose: the same at every start.
write_settings() { :; }

start_cdc() { compose up -d --no-build "$1" >>"$work/compose.log" 2>&1; }

cdc_alive() { [ -n "$(compose ps -q --status running "$1" 2>/dev/null)" ]; }

kill_cdc() { compose kill -s KILL "$1" >>"$work/compose.log" 2>&1; }

stop_cdc() { compose stop --timeout 20 "$1" >>"$work/compose.log" 2>&1 || true; }

collect_logs() {
  local name
  for name in source sink; do compose logs --no-color "$name" >"$work/$name.log" 2>&1 || true; done
}
