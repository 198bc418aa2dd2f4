#!/usr/bin/env bash
# A private MySQL for a test or for the stack.
#
#   mysql.sh start NAME [mysqld options…]   start it (again), print HOST:PORT
#   mysql.sh stop NAME                      stop it; its data stays
#   mysql.sh kill NAME                      SIGKILL, as a crash
#   mysql.sh drop NAME                      stop it and remove its data
#
# State is in .stack/mysql-NAME: pid, port, log, data. `start` of a running
# server prints its address; without options it uses those of the last start, so
# that a killed server comes back as it was. `root` has no password.

# Every server of the stack: a real primary, ready to be captured. Durable at
# every commit, since tests kill it and count what is there afterwards.
mysql_options() { # dir
  cat <<END
--no-defaults
--basedir=$MYSQL_PREFIX/usr
--plugin-dir=$MYSQL_PREFIX/usr/lib/mysql/plugin
--lc-messages-dir=$MYSQL_PREFIX/usr/share/mysql
--character-sets-dir=$MYSQL_PREFIX/usr/share/mysql/charsets
--datadir=$1/data
--pid-file=$1/mysqld.pid
--log-error=$1/server.log
--socket=mysql.sock
--bind-address=127.0.0.1
--skip-name-resolve
--mysqlx=OFF
--secure-file-priv=$1/files
--local-infile=ON
--max-connections=500
--max-allowed-packet=1G
--innodb-buffer-pool-size=128M
--innodb-redo-log-capacity=1G
--innodb-flush-log-at-trx-commit=1
--log-bin=binlog
--sync-binlog=1
--gtid-mode=ON
--enforce-gtid-consistency=ON
--binlog-row-image=FULL
--binlog-row-metadata=FULL
--binlog-expire-logs-seconds=432000
END
  # Root may start it for root only when told to.
  [ "$(id -u)" -ne 0 ] || printf -- '--user=root\n'
}

# Distinct for every server of a checkout, and the same at each start.
mysql_server_id() { # name
  printf '%s\n' $((1000 + $(printf '%s' "$1" | cksum | cut -d ' ' -f 1) % 4000000))
}

# These shape the data directory, so a copy of the common one would not do.
needs_own_data() {
  local option
  for option in "$@"; do
    case ${option//_/-} in
      --lower-case-table-names* | --innodb-page-size* | --innodb-data-* | --innodb-undo* | --innodb-log-* | --default-table-encryption*) return 0 ;;
    esac
  done
  return 1
}

# Written without a binlog: a fresh server has executed nothing, and two copies of
# one template must not seem to share transactions.
#
# `root` from anywhere, which with --bind-address is this machine.
initialise_data() { # dir options…
  local dir=$1 sql=$1/init.sql
  local -a base
  shift
  mkdir -p "$dir/files"
  {
    printf "CREATE USER root@'%%';\n"
    printf "GRANT ALL ON *.* TO root@'%%' WITH GRANT OPTION;\n"
  } >"$sql"
  mapfile -t base < <(mysql_options "$dir")
  timeout 120 "$LOADER" --library-path "$(dirname "$LOADER")" "$MYSQL_PREFIX/usr/sbin/mysqld" \
    "${base[@]}" "$@" --initialize-insecure --init-file="$sql" \
    --skip-log-bin --gtid-mode=OFF --enforce-gtid-consistency=OFF >>"$dir/server.log" 2>&1 || {
    show_tail "$dir/server.log"
    die "MySQL could not initialise $dir/data; log: $dir/server.log"
  }
}

# Initialising takes seconds of both cores, copying a tenth of one: a test that
# wants its own server should not pay for it.
make_template() { # work log (called by fetch_part)
  initialise_data "$1"
  # A server makes its own identity when it finds none, and a copied binlog
  # would hold the identity of another.
  rm -f "$1/data/auto.cnf" "$1"/data/binlog.*
}

make_data() { # dir options…
  local dir=$1 template
  shift
  [ -e "$dir/data/ibdata1" ] && [ -e "$dir/.initialised" ] && return 0
  rm -rf "$dir/data"
  if needs_own_data "$@"; then
    initialise_data "$dir" "$@"
  else
    template=$CACHE_DIR/mysql-data-$(mysql_version)
    fetch_part "$template" make_template
    cp -a --reflink=auto "$template/data" "$dir/data"
  fi
  touch "$dir/.initialised"
}

# The server encrypts its log with a key that a component keeps, which it loads only where its own
# program lies: so it is started from a folder of its own.
with_keyring() { # dir → the program
  local dir=$1/keyring
  mkdir -p "$dir"
  ln -sf "$MYSQL_PREFIX/usr/sbin/mysqld" "$dir/mysqld"
  ln -sf "$MYSQL_PREFIX"/usr/lib/mysql/plugin/*.so "$dir/"
  printf '{"components": "file://component_keyring_file"}\n' >"$dir/mysqld.my"
  printf '{"path": "%s/keys", "read_only": false}\n' "$dir" >"$dir/component_keyring_file.cnf"
  printf '%s\n' "$dir/mysqld"
}

mysql_answers() { # port
  sid_command "$MYSQL_PREFIX" usr/bin/mysqladmin --no-defaults -h 127.0.0.1 -P "$1" -u root --connect-timeout=2 ping
}

mysql_start() { # name options… → HOST:PORT
  local name=$1 dir
  check_name "$name"
  dir=$(server_dir mysql "$name")
  with_lock "$STACK_DIR/lock/mysql-$name" 180 mysql_start_locked "$@"
}

mysql_start_locked() {
  local name=$1 dir port program
  local -a base options
  shift
  dir=$(server_dir mysql "$name")
  mkdir -p "$dir/files"
  if server_pid "$dir" >/dev/null; then
    port=$(cat "$dir/port")
  else
    fetch_part "$MYSQL_PREFIX" fetch_mysql
    LOADER=$(private_loader "$MYSQL_PREFIX")
    [ $# -eq 0 ] && [ -f "$dir/options" ] && mapfile -t options <"$dir/options" && set -- "${options[@]}"
    printf '%s\n' "$@" | sed '/^$/d' >"$dir/options"
    make_data "$dir" "$@"
    port=$(choose_port "$dir" port)
    # A killed server leaves them, and its number may be another program's by now.
    rm -f "$dir/data/mysql.sock" "$dir/data/mysql.sock.lock"
    mapfile -t base < <(mysql_options "$dir")
    program=$MYSQL_PREFIX/usr/sbin/mysqld
    case " $* " in *" --binlog-encryption=ON "*)
      program=$(with_keyring "$dir")
      base+=("--plugin-dir=$dir/keyring")
      ;;
    esac
    launch "$dir" "$LOADER" --library-path "$(dirname "$LOADER")" "$program" \
      "${base[@]}" "--server-id=$(mysql_server_id "$name")" "--port=$port" "$@"
  fi
  wait_ready "$dir" "MySQL '$name'" 120 mysql_answers "$port"
  printf '127.0.0.1:%s\n' "$port"
}

mysql_stop() { stop_server "$(server_dir mysql "$1")" "MySQL '$1'" 90; }

# --- as a program -----------------------------------------------------------------

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  here=$(cd "$(dirname "$0")" && pwd)
  # shellcheck source=lib.sh
  . "$here/lib.sh"
  # shellcheck source=fetch.sh
  . "$here/fetch.sh"
  server_main mysql mysql_start mysql_stop "$@"
fi
