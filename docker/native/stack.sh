#!/usr/bin/env bash
# The whole stack on this machine, without Docker and without root: two MySQLs
# (source, dest), a Kafka broker, a schema registry.
#
#   stack.sh up       fetch what is missing, start what is not running, write .stack/env
#   stack.sh down     stop everything of this checkout; the data stays
#   stack.sh purge    stop everything and remove .stack
#   stack.sh status   what runs where
#   stack.sh env      print .stack/env
#
# Addresses given in the environment (CDC_TEST_SOURCE_MYSQL, CDC_TEST_DEST_MYSQL,
# CDC_TEST_KAFKA, CDC_TEST_REGISTRY) are used instead, and nothing is started for
# them. One user is for both MySQLs: CDC_TEST_MYSQL_USER and CDC_TEST_MYSQL_PASSWORD
# where both are given, else `root` without a password, as our own servers have it.
set -euo pipefail
umask 077

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=fetch.sh
. "$here/fetch.sh"
# shellcheck source=mysql.sh
. "$here/mysql.sh"
# shellcheck source=kafka.sh
. "$here/kafka.sh"
# shellcheck source=registry.sh
. "$here/registry.sh"

# Variable, kind and name of each part.
parts() {
  cat <<'END'
CDC_TEST_SOURCE_MYSQL mysql source
CDC_TEST_DEST_MYSQL mysql dest
CDC_TEST_KAFKA kafka main
CDC_TEST_REGISTRY registry main
END
}

# The address that this checkout's own server has, or had.
own_address() { # kind name
  local port
  port=$(cat "$(server_dir "$1" "$2")/port" 2>/dev/null) || return 1
  [ "$1" = registry ] && registry_url "$port" || printf '127.0.0.1:%s\n' "$port"
}

# Whoever runs with .stack/env in the environment gives us our own addresses.
is_given() { # variable kind name
  [ -n "${!1:-}" ] && [ "${!1}" != "$(own_address "$2" "$3" || true)" ]
}

both_mysqls_given() { is_given CDC_TEST_SOURCE_MYSQL mysql source && is_given CDC_TEST_DEST_MYSQL mysql dest; }

start_part() { # kind name
  case $1-$2 in
    mysql-*) mysql_start "$2" --innodb-buffer-pool-size=512M ;;
    kafka-*) kafka_start "$2" ;;
    registry-*) registry_start "$2" ;;
  esac
}

# All parts at once; each leaves its address, or its reason, in a file.
start_all() {
  local variable kind name pid failed=
  local -a jobs=()
  while read -r variable kind name; do
    rm -f "$STACK_DIR/address/$variable"
    if is_given "$variable" "$kind" "$name"; then
      printf '%s\n' "${!variable}" >"$STACK_DIR/address/$variable"
      continue
    fi
    start_part "$kind" "$name" >"$STACK_DIR/address/$variable" &
    jobs+=("$!")
  done < <(parts)
  for pid in "${jobs[@]}"; do wait "$pid" || failed=yes; done
  [ -z "$failed" ] || die "not everything started; what did is stopped by: $0 down"
}

# A client from sid as an ordinary program.
write_wrapper() { # program path-in-prefix
  local loader
  loader=$(private_loader "$MYSQL_PREFIX")
  printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
    "$loader" "$(dirname "$loader")" "$MYSQL_PREFIX/$2" | write_file "$STACK_DIR/bin/$1"
  chmod 755 "$STACK_DIR/bin/$1"
}

write_wrappers() {
  local program
  mkdir -p "$STACK_DIR/bin"
  for program in mysql mysqldump mysqlbinlog mysqladmin mysql_tzinfo_to_sql kcat; do
    # mysql_tzinfo_to_sql and others move between packages, not between these.
    if [ -e "$MYSQL_PREFIX/usr/bin/$program" ]; then
      write_wrapper "$program" "usr/bin/$program"
    else
      write_wrapper "$program" "usr/sbin/$program"
    fi
  done
}

# KEY=value without quotes: the shell sources it, make exports it, Rust splits at
# the first '='.
write_env() {
  local variable kind name java
  java=$(java_for_registry)
  {
    while read -r variable kind name; do
      printf '%s=%s\n' "$variable" "$(cat "$STACK_DIR/address/$variable")"
    done < <(parts)
    if both_mysqls_given; then
      printf 'CDC_TEST_MYSQL_USER=%s\n' "${CDC_TEST_MYSQL_USER:-root}"
      printf 'CDC_TEST_MYSQL_PASSWORD=%s\n' "${CDC_TEST_MYSQL_PASSWORD:-}"
    else
      printf 'CDC_TEST_MYSQL_USER=root\nCDC_TEST_MYSQL_PASSWORD=\n'
    fi
    printf 'CDC_STACK_DIR=%s\n' "$STACK_DIR"
    printf 'CDC_STACK_MYSQL_BIN=%s\n' "$STACK_DIR/bin/mysql"
    printf 'CDC_STACK_MYSQLDUMP_BIN=%s\n' "$STACK_DIR/bin/mysqldump"
    printf 'CDC_STACK_MYSQLBINLOG_BIN=%s\n' "$STACK_DIR/bin/mysqlbinlog"
    printf 'CDC_STACK_MYSQLADMIN_BIN=%s\n' "$STACK_DIR/bin/mysqladmin"
    printf 'CDC_STACK_TZINFO_BIN=%s\n' "$STACK_DIR/bin/mysql_tzinfo_to_sql"
    printf 'CDC_STACK_KCAT_BIN=%s\n' "$STACK_DIR/bin/kcat"
    printf 'CDC_STACK_MYSQL_SCRIPT=%s\n' "$NATIVE_DIR/mysql.sh"
    printf 'CDC_STACK_KAFKA_SCRIPT=%s\n' "$NATIVE_DIR/kafka.sh"
    printf 'CDC_STACK_REGISTRY_SCRIPT=%s\n' "$NATIVE_DIR/registry.sh"
    printf 'CDC_STACK_MYSQL_VERSION=%s\n' "$(mysql_version)"
    printf 'CDC_STACK_KAFKA_VERSION=%s\n' "$KAFKA_VERSION"
    printf 'CDC_STACK_REGISTRY_VERSION=%s\n' "$REGISTRY_VERSION"
    printf 'CDC_STACK_JAVA_VERSION=%s\n' "$(java_major "$java")"
  } >"$STACK_DIR/env.next"
  # What would need quotes is refused here rather than read wrongly somewhere.
  ! grep -n "[][:space:]'\"\\\$\`(){}<>|;&*?!#~[]" "$STACK_DIR/env.next" >&2 || die "a value above needs quotes: not supported in $STACK_DIR/env"
  mv -f "$STACK_DIR/env.next" "$STACK_DIR/env"
}

up() {
  case $STACK_DIR$CACHE_DIR in *[[:space:]\'\"\$\\]*) die "paths with spaces or quotes are not supported: $STACK_DIR, $CACHE_DIR" ;; esac
  mkdir -p "$STACK_DIR/address" "$CACHE_DIR"
  with_lock "$STACK_DIR/lock/stack" 1200 up_locked
}

up_locked() {
  # The clients are needed even where all addresses are given.
  fetch_part "$MYSQL_PREFIX" fetch_mysql &
  local clients=$!
  start_all
  wait "$clients" || die "the MySQL clients could not be fetched"
  write_wrappers
  write_env
  status >&2
}

status() {
  local variable kind name dir state missing=0
  while read -r variable kind name; do
    dir=$(server_dir "$kind" "$name")
    if is_given "$variable" "$kind" "$name"; then
      state="given, not ours"
    elif server_pid "$dir" >/dev/null; then
      state="running, pid $(server_pid "$dir"), log $dir/server.log"
    else
      state="stopped"
      missing=1
    fi
    printf '%-22s %-45s %s\n' "$variable" "$(address_now "$variable" "$kind" "$name")" "$state"
  done < <(parts)
  printf 'MySQL %s, Kafka %s, Apicurio registry %s\n' "$(mysql_version 2>/dev/null || printf '(not fetched)')" "$KAFKA_VERSION" "$REGISTRY_VERSION"
  return "$missing"
}

address_now() { # variable kind name
  if is_given "$@"; then printf '%s\n' "${!1}"; else own_address "$2" "$3" || printf -- '-\n'; fi
}

# Whatever this checkout started, private servers of tests included.
down() {
  [ -d "$STACK_DIR" ] || return 0
  with_lock "$STACK_DIR/lock/stack" 300 down_locked
}

down_locked() {
  local dir name
  for dir in "$STACK_DIR"/mysql-* "$STACK_DIR"/kafka-* "$STACK_DIR"/registry-* "$STACK_DIR"/connect-*; do
    [ -d "$dir" ] || continue
    name=${dir##*/}
    case $name in
      mysql-source | mysql-dest | kafka-main | registry-main) stop_server "$dir" "$name" 90 & ;;
      # Left behind by a test that died: nobody will ask for its data.
      *) { kill_server "$dir" && release_ports "$dir" && rm -rf "$dir"; } & ;;
    esac
  done
  wait
  say "stopped; data and logs stay in $STACK_DIR"
}

purge() {
  local dir
  down
  for dir in "$STACK_DIR"/*-*; do release_ports "$dir"; done
  rm -rf "$STACK_DIR"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  purge) purge ;;
  status) status ;;
  env) cat "$STACK_DIR/env" 2>/dev/null || die "no $STACK_DIR/env yet: run '$0 up'" ;;
  *) die "usage: $0 up | down | purge | status | env" ;;
esac
