#!/usr/bin/env bash
# pt-online-schema-change of the Percona Toolkit as Debian has it, without installing it.
#
#   pt-online-schema-change.sh ARGUMENT…   fetched the first time, then run with these
#
# It is written in Perl, which every Debian has; its driver for MySQL is built for the Perl of the same release, so
# all of it comes from the machine's own apt sources.
set -euo pipefail
umask 077

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=fetch.sh
. "$here/fetch.sh"

PT_PREFIX=$CACHE_DIR/percona-toolkit

fetch_pt() { # work log
  local package
  (cd "$1" && run_logged 300 "$2" apt-get download percona-toolkit libdbi-perl libdbd-mysql-perl libmariadb3) \
    || die "apt-get cannot download percona-toolkit: run apt-get update; see $2"
  for package in "$1"/*.deb; do
    dpkg -x "$package" "$1/root"
    rm "$package"
  done
}

fetch_part "$PT_PREFIX" fetch_pt
root=$PT_PREFIX/root
library=$(dirname "$(find "$root/usr/lib" -name 'libmariadb.so.*' | head -n 1)")
driver=$(find "$root/usr/lib" -type d -path '*/perl5/*' -name '5.*' | head -n 1)
export PERL5LIB=$root/usr/share/perl5:$driver LD_LIBRARY_PATH=$library MARIADB_PLUGIN_DIR=$library/libmariadb3/plugin
exec perl "$root/usr/bin/pt-online-schema-change" "$@"
