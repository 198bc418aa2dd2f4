#!/usr/bin/env bash
# Compares a database on two servers, every column as bytes, through the ordinary
# `mysql` client: nothing of cdc has a part in the verdict.
#
#   compare.sh SOURCE_HOST:PORT DEST_HOST:PORT DATABASE WORK_DIRECTORY
#
# For each table: the definition of the columns and of the primary and unique
# keys, the number of rows, and a SHA-256 over all rows in the order of the key.
# Says EQUAL and ends with 0, or what differs and ends with 1. Needs
# CDC_STACK_MYSQL_BIN, CDC_TEST_MYSQL_USER and CDC_TEST_MYSQL_PASSWORD.
set -euo pipefail

source_address=$1 dest_address=$2 database=$3 work=$4
mkdir -p "$work"

query() { # address sql
  MYSQL_PWD=$CDC_TEST_MYSQL_PASSWORD "$CDC_STACK_MYSQL_BIN" --no-defaults --protocol=tcp -h "${1%:*}" -P "${1##*:}" -u "$CDC_TEST_MYSQL_USER" \
    --default-character-set=utf8mb4 --batch --skip-column-names --raw --quick --max-allowed-packet=1G \
    --init-command="SET time_zone='+00:00', SESSION group_concat_max_len=1048576" -e "$2"
}

tables() { # address
  query "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = '$database' AND table_type = 'BASE TABLE' ORDER BY 1"
}

# Names, types, charsets, defaults, generated columns, spatial reference: all of a column.
columns() { # address table
  query "$1" "SELECT ordinal_position, column_name, column_type, is_nullable, IFNULL(character_set_name, '-'), IFNULL(collation_name, '-'),
      IFNULL(column_default, 'NULL'), extra, generation_expression, IFNULL(srs_id, '-')
    FROM information_schema.columns WHERE table_schema = '$database' AND table_name = '$2' ORDER BY 1"
}

unique_keys() { # address table
  query "$1" "SELECT GROUP_CONCAT(IFNULL(column_name, expression), IFNULL(CONCAT('(', sub_part, ')'), '') ORDER BY seq_in_index) AS k
    FROM information_schema.statistics WHERE table_schema = '$database' AND table_name = '$2' AND non_unique = 0
    GROUP BY index_name ORDER BY k"
}

# A SELECT of one hexadecimal string a row. CAST to BINARY keeps the bytes of a
# string in its own character set; FLOAT is printed with too few digits unless it
# is a DOUBLE first; ENUM and SET are compared by number as well, since '' is both
# a value and an error.
row_query() { # address table
  query "$1" "SELECT CONCAT('SELECT CONCAT_WS('','', ',
      GROUP_CONCAT(CASE
        WHEN data_type = 'float' THEN CONCAT('IFNULL(HEX(CAST(CAST(', c, ' AS DOUBLE) AS BINARY)), ''NULL'')')
        WHEN data_type IN ('enum', 'set') THEN CONCAT('IFNULL(CONCAT(', c, ' + 0, '':'', HEX(CAST(', c, ' AS BINARY))), ''NULL'')')
        ELSE CONCAT('IFNULL(HEX(CAST(', c, ' AS BINARY)), ''NULL'')') END
        ORDER BY ordinal_position SEPARATOR ', '),
      ') FROM \`$database\`.\`$2\` ORDER BY ',
      IFNULL(GROUP_CONCAT(IF(column_key = 'PRI', c, NULL) ORDER BY ordinal_position SEPARATOR ', '), '1'))
    FROM (SELECT CONCAT('\`', column_name, '\`') AS c, data_type, column_key, ordinal_position
          FROM information_schema.columns WHERE table_schema = '$database' AND table_name = '$2') AS t"
}

# Errors are returned step by step: the callers test the result, which switches
# `set -e` off in here, and two failed queries would look equal.

# rows<tab>hash. Counting is a step of the pipe, so that it is over when the pipe is.
fingerprint() { # address table
  local statement hash
  statement=$(row_query "$1" "$2") || return 1
  hash=$(query "$1" "$statement" | awk -v rows="$work/rows" '{ print } END { print NR > rows }' | sha256sum) || return 1
  printf '%s\t%s\n' "$(cat "$work/rows")" "${hash%% *}"
}

# The same question to both sides; prints the difference, if any.
same() { # what function table
  if ! { "$2" "$source_address" "$3" >"$work/source.txt" && "$2" "$dest_address" "$3" >"$work/dest.txt"; }; then
    printf '  %s: %s could not be read\n' "$3" "$1"
    return 1
  fi
  cmp -s "$work/source.txt" "$work/dest.txt" && return 0
  printf '  %s: %s differ (< source, > destination)\n' "$3" "$1"
  diff "$work/source.txt" "$work/dest.txt" | grep '^[<>]' | head -n 20 | cut -c 1-200 | sed 's/^/    /'
  return 1
}

# Which rows, when the fingerprints differ: the first few, as bytes.
show_rows() { # table
  query "$source_address" "$(row_query "$source_address" "$1")" >"$work/source.rows"
  query "$dest_address" "$(row_query "$dest_address" "$1")" >"$work/dest.rows" || true
  diff "$work/source.rows" "$work/dest.rows" | grep '^[<>]' | head -n 6 | cut -c 1-160 | sed 's/^/    /'
  rm -f "$work/source.rows" "$work/dest.rows"
}

compare_table() { # table
  local print_source=- print_dest=- result=0
  same columns columns "$1" || result=1
  same "unique keys" unique_keys "$1" || result=1
  if ! { print_source=$(fingerprint "$source_address" "$1") && print_dest=$(fingerprint "$dest_address" "$1"); }; then
    printf '  %s: rows could not be read\n' "$1"
    return 1
  fi
  if [ "$print_source" != "$print_dest" ]; then
    show_rows "$1"
    result=1
  fi
  report_line "$1" "$print_source" "$print_dest" "$result"
  return "$result"
}

report_line() { # table rows<tab>hash rows<tab>hash result
  local verdict=equal hash_source=${2#*$'\t'} hash_dest=${3#*$'\t'}
  [ "$4" -eq 0 ] || verdict=DIFFERENT
  printf '  %-28s %10s rows %10s rows  %s… %s… %s\n' "$1" "${2%$'\t'*}" "${3%$'\t'*}" "${hash_source:0:16}" "${hash_dest:0:16}" "$verdict"
}

main() {
  local table different=0 total=0
  printf '  %-28s %15s %15s  SHA-256 of all rows\n' table source destination
  if ! { tables "$source_address" >"$work/source.tables" && tables "$dest_address" >"$work/dest.tables"; }; then
    printf 'NOT COMPARED: a server does not answer\n'
    return 1
  fi
  if ! diff "$work/source.tables" "$work/dest.tables" >"$work/tables.diff"; then
    printf '  tables differ (< source, > destination)\n'
    grep '^[<>]' "$work/tables.diff" | sed 's/^/    /'
    different=1
  fi
  while read -r table; do
    total=$((total + 1))
    compare_table "$table" || different=$((different + 1))
  done < <(LC_ALL=C sort "$work/source.tables" "$work/dest.tables" | uniq -d)
  [ "$total" -gt 0 ] || { printf '  no table on both sides\n' && different=1; }
  if [ "$different" -eq 0 ]; then
    printf 'EQUAL: %s tables, every column of every row, byte for byte\n' "$total"
  else
    printf 'NOT EQUAL: %s of the comparisons above differ\n' "$different"
    return 1
  fi
}

main
