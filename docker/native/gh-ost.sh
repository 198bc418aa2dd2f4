#!/usr/bin/env bash
# gh-ost, built from its source as the Go module proxy has it, without installing it.
#
#   gh-ost.sh ARGUMENT…   built the first time (a minute, and a Go toolchain), then run with these
set -euo pipefail
umask 077

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=fetch.sh
. "$here/fetch.sh"

GH_OST_VERSION=${CDC_GH_OST_VERSION:-1.1.10}
GH_OST_PREFIX=$CACHE_DIR/gh-ost-$GH_OST_VERSION

# Where it is put by default it need not be on the path.
go_program() {
  command -v go || { [ -x /usr/local/go/bin/go ] && printf '/usr/local/go/bin/go\n'; } \
    || die "gh-ost is built from source, which needs Go 1.25 or newer: install it, or put 'go' on the PATH"
}

# Not by `go install`: that asks the proxy for modules of the program's folder first, which some forbid.
fetch_gh_ost() { # work log
  local go source
  go=$(go_program) || exit 1
  run_logged 300 "$2" "$go" mod download "github.com/github/gh-ost@v$GH_OST_VERSION" \
    || die "gh-ost cannot be fetched; see $2"
  source=$("$go" env GOMODCACHE)/github.com/github/gh-ost@v$GH_OST_VERSION
  (cd "$source" && run_logged 900 "$2" "$go" build -buildvcs=false -o "$1/gh-ost" ./go/cmd/gh-ost) \
    || die "gh-ost cannot be built; see $2"
}

fetch_part "$GH_OST_PREFIX" fetch_gh_ost
exec "$GH_OST_PREFIX/gh-ost" "$@"
