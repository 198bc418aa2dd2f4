# shellcheck shell=bash disable=SC2154  # root and others are demo.sh's
# The demo on this machine: servers from docker/native, cdc as two processes.
# Sourced by demo.sh, which has: root, database, say, die, sql, client.

# shellcheck disable=SC2034  # printed by demo.sh
servers_stay='The servers still run: make stack-down stops them.'

start_servers() {
  "$root/docker/native/require.sh"
  "$root/docker/native/stack.sh" up
  set -a
  eval "$("$root/docker/native/stack.sh" env)"
  set +a
  work=$CDC_STACK_DIR/demo
  # A name of its own for each run: topics and ledger of the last one stay what they were.
  run=demo$(date +%s)
  rm -rf "$work"
  mkdir -p "$work"
}

build_cdc() {
  if [ -z "${CDC_BIN:-}" ]; then
    say "building cdc"
    (cd "$root" && cargo build --release --locked)
    CDC_BIN=${CARGO_TARGET_DIR:-$root/target}/release/cdc
  fi
  [ -x "$CDC_BIN" ] || die "no program $CDC_BIN"
}

# Users with a password and with no more rights than the work needs.
make_users() { # password
  sql "$CDC_TEST_SOURCE_MYSQL" <<END
DROP USER IF EXISTS cdc_demo_source;
CREATE USER cdc_demo_source IDENTIFIED BY '$1';
GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO cdc_demo_source;
END
  sql "$CDC_TEST_DEST_MYSQL" <<END
DROP USER IF EXISTS cdc_demo_sink;
CREATE USER cdc_demo_sink IDENTIFIED BY '$1';
GRANT ALL ON $database.* TO cdc_demo_sink;
GRANT ALL ON cdc.* TO cdc_demo_sink;
END
  # Tags in GTIDs, ending a zombie's connections: servers before 8.3 know not all of them.
  sql "$CDC_TEST_DEST_MYSQL" --force 2>"$work/grants.log" <<'END' || true
GRANT PROCESS ON *.* TO cdc_demo_sink;
GRANT CONNECTION_ADMIN ON *.* TO cdc_demo_sink;
GRANT SESSION_VARIABLES_ADMIN ON *.* TO cdc_demo_sink;
GRANT REPLICATION_APPLIER ON *.* TO cdc_demo_sink;
GRANT TRANSACTION_GTID_TAG ON *.* TO cdc_demo_sink;
END
}

mysql_settings() { # address user password
  printf '[mysql]\nhost = "%s"\nport = %s\nuser = "%s"\npassword = "%s"\n' "${1%:*}" "${1##*:}" "$2" "$3"
}

kafka_settings() {
  printf '\n[kafka]\nbootstrap_servers = "%s"\n\n[registry]\nurl = "%s"\n' "$CDC_TEST_KAFKA" "$CDC_TEST_REGISTRY"
}

write_settings() {
  local password
  password=$(od -An -N 12 -tx1 /dev/urandom | tr -d ' \n')
  make_users "$password"
  umask 077
  {
    printf 'name = "%s"\n\n' "$run"
    mysql_settings "$CDC_TEST_SOURCE_MYSQL" cdc_demo_source "$password"
    kafka_settings
    printf '\n[capture]\ninclude = ["%s.*"]\nsnapshot = "initial"\n\n[topics]\npartitions = 4\n' "$database"
  } >"$work/source.toml"
  {
    printf 'name = "%s_sink"\ntopic_prefix = "%s"\n\n' "$run" "$run"
    mysql_settings "$CDC_TEST_DEST_MYSQL" cdc_demo_sink "$password"
    kafka_settings
    printf '\n[apply]\nconsistency = "transaction"\nschema = "evolve"\n'
  } >"$work/sink.toml"
}

# --- cdc, each process known by its pid ---------------------------------------------

start_cdc() { # source|sink
  setsid "$CDC_BIN" "$1" -c "$work/$1.toml" >>"$work/$1.log" 2>&1 &
  printf '%s\n' "$!" >"$work/$1.pid"
  # Its end by kill -9 is told here, not by the shell.
  disown
}

cdc_alive() { kill -0 "$(cat "$work/$1.pid" 2>/dev/null)" 2>/dev/null; }

kill_cdc() { kill -KILL "$(cat "$work/$1.pid")"; }

stop_cdc() { # source|sink
  local limit=$((SECONDS + 20))
  ! cdc_alive "$1" || kill -TERM "$(cat "$work/$1.pid")" || true
  while cdc_alive "$1" && [ "$SECONDS" -lt "$limit" ]; do sleep 0.1; done
  ! cdc_alive "$1" || kill_cdc "$1"
}

# They write their own.
collect_logs() { :; }
