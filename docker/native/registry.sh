#!/usr/bin/env bash
# A private schema registry (Apicurio, which speaks Confluent's API at
# /apis/ccompat/v7).
#
#   registry.sh start NAME [NAME=value…]   start it (again), print its URL
#   registry.sh stop NAME                  stop it; its data stays
#   registry.sh kill NAME                  SIGKILL, as a crash
#   registry.sh drop NAME                  stop it and remove its data
#
# State is in .stack/registry-NAME: pid, port, log, data. Further settings are
# given as environment variables of Apicurio.

registry_url() { printf 'http://127.0.0.1:%s/apis/ccompat/v7\n' "$1"; }

registry_answers() { # port
  curl -fsS --noproxy '*' -m 2 "$(registry_url "$1")/subjects"
}

registry_start() { # name variables… → URL
  check_name "$1"
  with_lock "$STACK_DIR/lock/registry-$1" 180 registry_start_locked "$@"
}

# On disk, and at once, so that schema ids survive a kill as topics do.
registry_variables() { # dir port management-port
  cat <<END
APICURIO_STORAGE_KIND=sql
APICURIO_STORAGE_SQL_KIND=h2
APICURIO_DATASOURCE_URL=jdbc:h2:file:$1/data/registry;WRITE_DELAY=0
APICURIO_DATASOURCE_USERNAME=sa
APICURIO_DATASOURCE_PASSWORD=sa
QUARKUS_HTTP_HOST=127.0.0.1
QUARKUS_HTTP_PORT=$2
QUARKUS_MANAGEMENT_HOST=127.0.0.1
QUARKUS_MANAGEMENT_PORT=$3
END
}

registry_start_locked() {
  local name=$1 dir java port management jar classes
  local -a variables
  shift
  dir=$(server_dir registry "$name")
  mkdir -p "$dir/data"
  if server_pid "$dir" >/dev/null; then
    port=$(cat "$dir/port")
  else
    fetch_part "$REGISTRY_PREFIX" fetch_registry
    java=$(java_for_registry)
    jar=$(find "$REGISTRY_PREFIX/app" -name quarkus-run.jar -print -quit)
    port=$(choose_port "$dir" port)
    management=$(choose_port "$dir" port-management)
    mapfile -t variables < <(registry_variables "$dir" "$port" "$management")
    classes=$(class_archive registry "$REGISTRY_PREFIX" "$java")
    # The property is for server_pid: nothing else on this command line names the directory.
    launch "$dir" env "${variables[@]}" "$@" "$java" -Xmx512m "${BRIEF_JVM[@]}" ${classes:+"$classes"} \
      "-Dcdc.stack.directory=$dir/" -jar "$jar"
  fi
  wait_ready "$dir" "registry '$name'" 90 registry_answers "$port"
  registry_url "$port"
}

registry_stop() { stop_server "$(server_dir registry "$1")" "registry '$1'" 30; }

# --- as a program -----------------------------------------------------------------

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  here=$(cd "$(dirname "$0")" && pwd)
  # shellcheck source=lib.sh
  . "$here/lib.sh"
  # shellcheck source=fetch.sh
  . "$here/fetch.sh"
  server_main registry registry_start registry_stop "$@"
fi
