# shellcheck shell=bash
# What every part of the native stack needs: where things live, how to say that
# something failed, how to wait with a limit, how to pick a port, and how to be
# sure that a process is ours before sending it a signal.
#
# Sourced, never run. The caller has set -euo pipefail.

NATIVE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_DIR=$(cd "$NATIVE_DIR/../.." && pwd)

# State belongs to this checkout; downloads are shared by all checkouts of the
# user, so that a fresh clone does not fetch 250 MB again.
STACK_DIR=${CDC_STACK_DIR:-$REPO_DIR/.stack}
CACHE_DIR=${CDC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cdc-stack}

say() { printf 'stack: %s\n' "$*" >&2; }

die() {
  printf 'stack: error: %s\n' "$*" >&2
  exit 1
}

# The last lines of a log, so that the reason is on the screen as well.
show_tail() {
  [ -s "$1" ] || return 0
  printf -- '--- last lines of %s\n' "$1" >&2
  tail -n "${2:-15}" "$1" >&2
}

# Runs a long client command (apt, mvn, pip) with a limit and its output in a
# log; on failure shows where to look.
run_logged() { # seconds log command…
  local seconds=$1 log=$2 status=0
  shift 2
  timeout "$seconds" "$@" >>"$log" 2>&1 || status=$?
  [ "$status" -eq 0 ] && return 0
  show_tail "$log"
  [ "$status" -eq 124 ] && die "'$1' did not finish within ${seconds} s; log: $log"
  die "'$1' failed with status $status; log: $log"
}

# Moves the finished file into place: a reader sees the old or the new one,
# never half of it.
write_file() { # path  (content on stdin)
  local tmp
  tmp=$(mktemp "$1.XXXXXX")
  cat >"$tmp"
  chmod 644 "$tmp"
  mv -f "$tmp" "$1"
}

# Holds FILE's lock while the command runs. Subshell, so that the lock goes with
# it; servers started inside must not inherit descriptor 9 (see launch).
with_lock() { # file seconds command…
  local file=$1 seconds=$2
  shift 2
  mkdir -p "$(dirname "$file")"
  (
    flock -w "$seconds" 9 || die "$file is held by another run for more than ${seconds} s"
    "$@"
  ) 9>"$file"
}

# --- servers: one directory each, .stack/KIND-NAME, with pid, port, log --------

server_dir() { printf '%s/%s-%s\n' "$STACK_DIR" "$1" "$2"; }

# A name becomes a directory and part of a command line.
check_name() {
  case $1 in
    '' | *[!A-Za-z0-9_-]*) die "not a server name: '$1' (letters, digits, - and _ only)" ;;
  esac
}

# Alive *and ours*: the pid file may be stale and its number in use by another
# program by now. Every server has its own directory on its command line.
server_pid() { # dir → pid, or status 1
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF -- "$1/" || return 1
  printf '%s\n' "$pid"
}

# Detached from the caller's terminal and session; output to DIR/server.log. Returns when
# the child has become the server: until then server_pid would not know it.
launch() { # dir command…
  local dir=$1 tries=0
  shift
  setsid "$@" >>"$dir/server.log" 2>&1 </dev/null 9>&- &
  printf '%s\n' "$!" >"$dir/pid"
  until server_pid "$dir" >/dev/null || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.02
  done
}

# Asks until the command succeeds; gives up early when the server has died.
wait_ready() { # dir what seconds command…
  local dir=$1 what=$2 seconds=$3
  local limit=$((SECONDS + seconds))
  shift 3
  until "$@" >/dev/null 2>&1; do
    if ! server_pid "$dir" >/dev/null; then
      show_tail "$dir/server.log"
      die "$what stopped while starting; log: $dir/server.log"
    fi
    if [ "$SECONDS" -ge "$limit" ]; then
      show_tail "$dir/server.log"
      die "$what did not answer within ${seconds} s; log: $dir/server.log"
    fi
    sleep 0.1
  done
}

# TERM, a bounded wait, then KILL: only ever the process that server_pid vouches for.
stop_server() { # dir what seconds
  local dir=$1 what=$2 pid limit=$((SECONDS + $3))
  pid=$(server_pid "$dir") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  while server_pid "$dir" >/dev/null; do
    if [ "$SECONDS" -ge "$limit" ]; then
      say "$what (pid $pid) did not stop within $3 s, killing it; log: $dir/server.log"
      kill_server "$dir"
      return 0
    fi
    sleep 0.1
  done
  rm -f "$dir/pid"
}

kill_server() { # dir
  local pid
  pid=$(server_pid "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || true
  await_exit "$1"
}

# A killed process gives back its memory before its port, files and locks, which
# takes a moment with a large heap. It has no command line any more by then, and
# its first thread is a zombie, but the others are not gone.
await_exit() { # dir
  local pid limit=$((SECONDS + 10))
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  while [ "$SECONDS" -lt "$limit" ] && is_dying "$1" "$pid"; do sleep 0.05; done
}

is_dying() { # dir pid
  awk '/^State:/ { over = $2 ~ /[ZX]/ } /^Threads:/ { threads = $2 }
    END { exit !(NR > 0 && (!over || threads > 1)) }' "/proc/$2/status" 2>/dev/null || return 1
  server_pid "$1" >/dev/null || ! grep -qs . "/proc/$2/cmdline"
}

# --- ports --------------------------------------------------------------------

port_in_use() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Below the ephemeral range: a port from within it may be taken by somebody's
# outgoing connection while the server that remembers it is down.
port_ceiling() {
  local low=32768
  read -r low _ </proc/sys/net/ipv4/ip_local_port_range 2>/dev/null || true
  [ "$low" -gt 12000 ] && printf '%s\n' "$low" || printf '32768\n'
}

# Claims are shared by all checkouts of this user, since a server needs seconds
# between choosing its port and listening on it. A claim of a directory that is
# gone is void.
claim_port() { # port owner
  local claim="$CACHE_DIR/ports/$1" owner
  if owner=$(cat "$claim" 2>/dev/null) && [ -n "$owner" ]; then
    [ "$owner" = "$2" ] && return 0
    [ -e "${owner%:*}" ] && return 1
    rm -f "$claim"
  fi
  (set -o noclobber && printf '%s\n' "$2" >"$claim") 2>/dev/null
}

# The remembered port of DIR/FILE if it is still free, else a new one.
choose_port() { # dir file
  local dir=$1 file=$2 port tries=0 ceiling owner="$1:$2"
  mkdir -p "$CACHE_DIR/ports"
  # A server that was just killed may still hold it.
  await_exit "$dir"
  port=$(cat "$dir/$file" 2>/dev/null || true)
  ceiling=$(port_ceiling)
  until [ -n "$port" ] && ! port_in_use "$port" && claim_port "$port" "$owner"; do
    tries=$((tries + 1))
    [ "$tries" -le 200 ] || die "no free port found on 127.0.0.1 below $ceiling"
    [ -z "$port" ] || release_port "$port" "$owner"
    port=$((10240 + (RANDOM * 32768 + RANDOM) % (ceiling - 10240)))
  done
  printf '%s\n' "$port" >"$dir/$file"
  printf '%s\n' "$port"
}

release_port() { # port owner
  [ "$(cat "$CACHE_DIR/ports/$1" 2>/dev/null)" != "$2" ] || rm -f "$CACHE_DIR/ports/$1"
}

release_ports() { # dir
  local file
  for file in "$1"/port*; do
    [ ! -f "$file" ] || release_port "$(cat "$file")" "$1:${file##*/}"
  done
}

# --- JVMs -----------------------------------------------------------------------

# For a JVM that lives for seconds or minutes: half of its CPU went into compiling what is soon over.
BRIEF_JVM=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

# The option by which a server's JVM finds its classes as they lie in memory ("Application Class-Data Sharing",
# manual page of java), which halves what is left of a start. They are written once on a machine, by a server
# that is started and stopped for that. Without them a server starts all the same.
class_archive() { # kind prefix java → option, or nothing
  local file
  if [ -n "${CDC_ARCHIVE_TO:-}" ]; then
    printf -- '-XX:ArchiveClassesAtExit=%s\n' "$CDC_ARCHIVE_TO"
    return 0
  fi
  file=$CACHE_DIR/classes/$(basename "$2")-$(cat "$(readlink -f "$3" | xargs dirname)/../release" 2>/dev/null | cksum | cut -d ' ' -f 1).jsa
  [ -e "$file" ] || with_lock "$CACHE_DIR/lock/classes-$1" 300 write_classes "$1" "$file" >&2
  [ ! -s "$file" ] || printf -- '-XX:SharedArchiveFile=%s\n' "$file"
}

# An empty file says that it was tried.
write_classes() { # kind file
  [ ! -e "$2" ] || return 0
  mkdir -p "$CACHE_DIR/classes"
  say "writing down the classes of $1, once"
  local -x CDC_ARCHIVE_TO=$2.part CDC_STACK_DIR=$CACHE_DIR/classes/stack
  "$NATIVE_DIR/$1.sh" start classes >/dev/null || say "$1 goes without them"
  "$NATIVE_DIR/$1.sh" drop classes || true
  [ -s "$2.part" ] || : >"$2.part"
  mv -f "$2.part" "$2"
}

# --- the command line that mysql.sh, kafka.sh and registry.sh share ------------

server_main() { # kind start-function stop-function verb name options…
  local kind=$1 start=$2 stop=$3 verb=${4:-} name=${5:-} dir
  [ $# -ge 5 ] || die "usage: $kind.sh start NAME [options…] | stop NAME | kill NAME | drop NAME"
  check_name "$name"
  dir=$(server_dir "$kind" "$name")
  shift 5
  case $verb in
    start) "$start" "$name" "$@" ;;
    stop) "$stop" "$name" ;;
    kill) kill_server "$dir" ;;
    drop)
      "$stop" "$name"
      release_ports "$dir"
      rm -rf "$dir" "$STACK_DIR/lock/$kind-$name"
      ;;
    *) die "unknown command '$verb': start, stop, kill or drop" ;;
  esac
}
