#!/usr/bin/env bash
# The whole road with real data, and a crash in the middle:
#
#   load a database → start `cdc source` and `cdc sink` → keep changing the data →
#   kill -9 both → start them again → stop writing → compare both sides as bytes
#
# Ends by itself with 0 (EQUAL) or 1. KEEP=1 leaves everything running and keeps
# writing until Ctrl-C, then compares. Logs and settings are in .stack/demo.
#
# Environment: DEMO_PACKAGES (20000), DEMO_SECONDS of writing after the snapshot
# (30), DEMO_RATE transactions a second (200), DEMO_WAIT_S limit of each wait
# (300), CDC_BIN the program to use instead of building it. DEMO_IN=docker runs
# the same in the containers of compose.yaml.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
demo=$root/docker/demo
database=demo
packages=${DEMO_PACKAGES:-20000}
seconds=${DEMO_SECONDS:-30}
rate=${DEMO_RATE:-200}
wait_s=${DEMO_WAIT_S:-300}

say() { printf '\n== %s\n' "$*"; }
die() {
  printf 'demo: error: %s\n' "$*" >&2
  exit 1
}

# Where the servers and cdc run: both files define the same functions.
case ${DEMO_IN:=native} in
  native | docker) ;;
  *) die "DEMO_IN is native or docker" ;;
esac
# shellcheck source=demo/native.sh
. "$demo/$DEMO_IN.sh"

# A client's command line for one server; also read by watch.py, which splits it.
client() { # address options…
  local address=$1
  shift
  printf '%s --no-defaults --protocol=tcp -h %s -P %s -u %s --default-character-set=utf8mb4 %s' \
    "$CDC_STACK_MYSQL_BIN" "${address%:*}" "${address##*:}" "$CDC_TEST_MYSQL_USER" "$*"
}

sql() { # address options… (statements on stdin)
  # shellcheck disable=SC2046,SC2091  # words of a command line
  $(client "$@")
}

# --- data -------------------------------------------------------------------------

prepare() {
  export MYSQL_PWD=$CDC_TEST_MYSQL_PASSWORD
  say "loading $packages packages of this system's index, and its time zones"
  printf 'DROP DATABASE IF EXISTS %s;\n' "$database" | sql "$CDC_TEST_DEST_MYSQL"
  printf 'DROP DATABASE IF EXISTS %s; CREATE DATABASE %s CHARACTER SET utf8mb4;\n' "$database" "$database" | sql "$CDC_TEST_SOURCE_MYSQL"
  sql "$CDC_TEST_SOURCE_MYSQL" "$database" <"$demo/schema.sql"
  python3 "$demo/data.py" "$packages" | sql "$CDC_TEST_SOURCE_MYSQL" "$database"
  time_zones | sql "$CDC_TEST_SOURCE_MYSQL" "$database"
  write_settings
}

# The statements are for the schema `mysql`; the demo has tables of the same names.
time_zones() {
  if "$CDC_STACK_TZINFO_BIN" /usr/share/zoneinfo >"$work/tzinfo.sql" 2>"$work/tzinfo.log" && [ -s "$work/tzinfo.sql" ]; then
    printf 'SET autocommit=0;\n'
    grep -v '^ALTER TABLE' "$work/tzinfo.sql"
    printf 'COMMIT;\n'
  else
    printf "INSERT INTO time_zone VALUES (1, 'N');\nINSERT INTO time_zone_name VALUES ('UTC', 1);\n"
    printf "INSERT INTO time_zone_transition VALUES (1, -2147483648, 0);\nINSERT INTO time_zone_transition_type VALUES (1, 0, 0, 0, 'UTC');\n"
  fi
}

# --- processes, each known by its pid ------------------------------------------------
# In sessions of their own: Ctrl-C is for this script, which ends them in order.

alive() { # name
  case $1 in
    source | sink) cdc_alive "$1" ;;
    *) kill -0 "$(cat "$work/$1.pid" 2>/dev/null)" 2>/dev/null ;;
  esac
}

signal() { # signal name
  ! alive "$2" || kill "-$1" "$(cat "$work/$2.pid")" 2>/dev/null || true
}

start_traffic() {
  local pipe=$work/traffic.pipe
  mkfifo "$pipe"
  # shellcheck disable=SC2046  # words of a command line
  setsid $(client "$CDC_TEST_SOURCE_MYSQL" "$database") <"$pipe" >"$work/traffic.log" 2>&1 &
  printf '%s\n' "$!" >"$work/writer.pid"
  setsid python3 "$demo/traffic.py" "$rate" >"$pipe" 2>>"$work/traffic.log" &
  printf '%s\n' "$!" >"$work/traffic.pid"
}

start_watch() {
  setsid python3 "$demo/watch.py" "$work/live" "$(client "$CDC_TEST_SOURCE_MYSQL" -NBn --unbuffered --force)" \
    "$(client "$CDC_TEST_DEST_MYSQL" -NBn --unbuffered --force)" &
  printf '%s\n' "$!" >"$work/watch.pid"
}

# Waits until the command holds; stops early when a process that should run has died.
await() { # what command…
  local what=$1 limit=$((SECONDS + wait_s)) name
  shift
  until "$@"; do
    for name in source sink traffic watch; do
      [ -f "$work/$name.done" ] || alive "$name" || gone "$name" "$what"
    done
    [ "$SECONDS" -lt "$limit" ] || die "$what took more than $wait_s s; logs: $work/source.log $work/sink.log"
    sleep 0.2
  done
}

gone() { # name what
  collect_logs
  [ ! -f "$work/$1.log" ] || tail -n 20 "$work/$1.log" >&2
  die "'$1' ended while waiting for $2; log: $work/$1.log"
}

stop_traffic() {
  touch "$work/traffic.done"
  signal TERM traffic
  # The client works off what is in the pipe, then ends.
  wait "$(cat "$work/writer.pid")" || die "the writer failed; log: $work/traffic.log"
}

heartbeat() { # address
  printf 'SELECT seq FROM %s.heartbeat WHERE id = 1;\n' "$database" | sql "$1" -NB 2>/dev/null || true
}

caught_up() { [ "$(heartbeat "$CDC_TEST_SOURCE_MYSQL")" = "$(heartbeat "$CDC_TEST_DEST_MYSQL")" ]; }

stop_all() {
  local name limit=$((SECONDS + 20))
  [ -n "${work:-}" ] || return 0
  for name in traffic writer watch; do signal TERM "$name"; done
  for name in source sink; do stop_cdc "$name"; done
  collect_logs
  while alive watch && [ "$SECONDS" -lt "$limit" ]; do sleep 0.1; done
  signal KILL watch
}

# --- the story -------------------------------------------------------------------------

crash() {
  say "kill -9 of source and sink"
  kill_cdc source
  kill_cdc sink
  sleep 2
  say "starting both again"
  start_cdc source
  start_cdc sink
}

write_a_while() {
  local interrupted=
  sleep $((seconds / 2))
  crash
  sleep $((seconds - seconds / 2))
  [ "${KEEP:-}" = 1 ] || return 0
  say "KEEP=1: writing until Ctrl-C; source.toml and sink.toml are in $work"
  trap 'interrupted=yes' INT
  while [ -z "$interrupted" ]; do sleep 1 || true; done
  trap - INT
}

finish() {
  local broken=0 equal=0
  say "writing stops; waiting for the destination"
  stop_traffic
  await "the destination to catch up" caught_up
  sleep 0.5
  signal TERM watch
  wait "$(cat "$work/watch.pid")" || broken=1
  rm -f "$work/watch.pid"
  say "comparing every column of both sides as bytes, with the mysql client"
  "$demo/compare.sh" "$CDC_TEST_SOURCE_MYSQL" "$CDC_TEST_DEST_MYSQL" "$database" "$work" || equal=1
  printf '%s\n' "${servers_stay:?}"
  [ "$broken" -eq 0 ] || printf 'but a reader on the destination saw half a transaction (above)\n'
  return $((broken || equal))
}

main() {
  trap stop_all EXIT
  start_servers
  build_cdc
  prepare
  say "starting source and sink; changes go on from now, $rate transactions a second"
  start_cdc source
  start_cdc sink
  start_traffic
  start_watch
  await "the initial snapshot" test -f "$work/live"
  write_a_while
  finish
}

main
