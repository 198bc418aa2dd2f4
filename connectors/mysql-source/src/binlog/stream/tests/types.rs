//! Every type through a real row: what the log says is what a query says.

use cdc_sdk::{OwnedRow, OwnedValue, Table, Value};
use mysql_async::prelude::Queryable;
use mysql_async::{Row, Value as Sql};

use super::lab::{Lab, Seen};

/// A value as the server's binary protocol would give it.
fn sql(value: &OwnedValue, table: &Table, column: usize) -> Sql {
    use cdc_sdk::ColumnType;
    let bytes = |text: String| Sql::Bytes(text.into_bytes());
    match value.as_value() {
        Value::Null => Sql::NULL,
        Value::Int(v) => Sql::Int(v),
        Value::UInt(v) => Sql::UInt(v),
        Value::Float(v) => Sql::Float(v),
        Value::Double(v) => Sql::Double(v),
        Value::Decimal(v) => bytes(v.to_string()),
        Value::Bit(v) => {
            let ColumnType::Bit { bits } = table.columns[column].ty else { panic!() };
            let width = usize::from(bits.div_ceil(8));
            Sql::Bytes(v.to_be_bytes()[8 - width..].to_vec())
        }
        Value::Text(v) | Value::Json(v) => bytes(v.to_owned()),
        Value::Bytes(v) | Value::Vector(v) => Sql::Bytes(v.to_vec()),
        Value::Enum(v) => {
            let ColumnType::Enum { members } = &table.columns[column].ty else { panic!() };
            bytes(if v == 0 { String::new() } else { members[usize::from(v) - 1].clone() })
        }
        Value::Set(v) => {
            let ColumnType::Set { members } = &table.columns[column].ty else { panic!() };
            let chosen: Vec<_> = members
                .iter()
                .enumerate()
                .filter(|(i, _)| v >> i & 1 == 1)
                .map(|(_, m)| m.as_str())
                .collect();
            bytes(chosen.join(","))
        }
        Value::Date(v) => Sql::Date(v.year, v.month, v.day, 0, 0, 0, 0),
        Value::DateTime(v) | Value::Timestamp(v) => {
            Sql::Date(v.date.year, v.date.month, v.date.day, v.hour, v.minute, v.second, v.micros)
        }
        Value::Time(v) => {
            let micros = v.micros.unsigned_abs();
            let seconds = micros / 1_000_000;
            let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
            let small = |v: u64| u8::try_from(v).unwrap();
            Sql::Time(
                v.micros < 0,
                u32::try_from(days).unwrap(),
                small(hours),
                small(seconds / 60 % 60),
                small(seconds % 60),
                u32::try_from(micros % 1_000_000).unwrap(),
            )
        }
        Value::Year(v) => Sql::UInt(u64::from(v)),
        Value::Geometry { srid, wkb } => Sql::Bytes([&srid.to_le_bytes()[..], wkb].concat()),
    }
}

/// Same number, whichever way it is wrapped.
fn plain(value: &Sql) -> String {
    match value {
        Sql::Int(v) => v.to_string(),
        Sql::UInt(v) => v.to_string(),
        Sql::Float(v) => format!("f{:08x}", v.to_bits()),
        Sql::Double(v) => format!("d{:016x}", v.to_bits()),
        Sql::Bytes(v) => match std::str::from_utf8(v) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("{v:02x?}"),
        },
        other => format!("{other:?}"),
    }
}

/// Inserts each value into a column of the type and compares. `columns` are
/// declarations, `values` SQL expressions.
async fn same(lab: &mut Lab, declaration: &str, values: &[&str]) -> Table {
    lab.run("DROP TABLE IF EXISTS t").await;
    lab.run(format!("CREATE TABLE t (id INT PRIMARY KEY, v {declaration}) CHARACTER SET utf8mb4")).await;
    let start = lab.now().await;
    for (id, value) in values.iter().enumerate() {
        lab.run(format!("INSERT INTO t VALUES ({id}, {value})")).await;
    }
    compare(lab, start, declaration).await
}

async fn compare(lab: &mut Lab, start: cdc_sdk::Position, what: &str) -> Table {
    let seen = lab.read_from(start).await;
    let rows: Vec<(Table, OwnedRow)> = seen
        .into_iter()
        .filter_map(|s| match s {
            Seen::Row(table, None, Some(after)) => Some((table, after)),
            _ => None,
        })
        .collect();
    let expected: Vec<Row> = lab.conn.exec("SELECT * FROM t ORDER BY id", ()).await.unwrap();
    assert_eq!(rows.len(), expected.len(), "{what}");
    for ((table, row), expected) in rows.iter().zip(expected) {
        for (column, (got, expected)) in row.iter().zip(expected.unwrap()).enumerate() {
            assert_eq!(plain(&sql(got, table, column)), plain(&expected), "{what} row {:?}", row[0]);
        }
    }
    let table = rows.first().unwrap().0.clone();
    let declared: String = lab
        .conn
        .query_first(format!(
            "SELECT column_type FROM information_schema.columns WHERE table_schema = '{}' AND table_name = 't' AND column_name = 'v'",
            lab.database
        ))
        .await
        .unwrap()
        .unwrap_or_default();
    if !declared.is_empty() {
        assert_eq!(table.columns[1].ty.sql(), declared, "{what}");
    }
    table
}

#[tokio::test]
async fn numbers() {
    let Some(mut lab) = Lab::open("numbers").await else { return };
    for (ty, low, high, unsigned) in [
        ("TINYINT", "-128", "127", "255"),
        ("SMALLINT", "-32768", "32767", "65535"),
        ("MEDIUMINT", "-8388608", "8388607", "16777215"),
        ("INT", "-2147483648", "2147483647", "4294967295"),
        ("BIGINT", "-9223372036854775808", "9223372036854775807", "18446744073709551615"),
    ] {
        same(&mut lab, ty, &[low, "-1", "0", "1", high, "NULL"]).await;
        same(&mut lab, &format!("{ty} UNSIGNED"), &["0", "1", high, unsigned]).await;
    }
    same(&mut lab, "FLOAT", &["0", "-0.0", "1.5", "3.4028235e38", "1e-45", "-1.17549435e-38", "0.1"]).await;
    same(&mut lab, "DOUBLE", &["0", "1e308", "-1.7976931348623157e308", "5e-324", "0.1", "NULL"]).await;
    same(&mut lab, "FLOAT UNSIGNED", &["1.5"]).await;
    for (precision, scale) in
        [(1, 0), (5, 5), (9, 0), (10, 2), (18, 9), (19, 10), (30, 30), (64, 29), (65, 0), (65, 30)]
    {
        let whole = "9".repeat(precision - scale);
        let fraction = "9".repeat(scale);
        let nines = format!("{whole}.{fraction}");
        let tiny = if scale > 0 { format!("0.{}1", "0".repeat(scale - 1)) } else { "1".to_owned() };
        let minus = [format!("-{nines}"), format!("-{tiny}")];
        same(
            &mut lab,
            &format!("DECIMAL({precision},{scale})"),
            &[&nines, &minus[0], &tiny, &minus[1], "0", "-0.0", "NULL"],
        )
        .await;
    }
    same(&mut lab, "DECIMAL(12,4) UNSIGNED", &["12345678.9012"]).await;
    for bits in [1, 7, 8, 9, 31, 33, 63, 64] {
        let ones = format!("b'{}'", "1".repeat(bits));
        same(&mut lab, &format!("BIT({bits})"), &["b'0'", "b'1'", &ones, "NULL"]).await;
    }
    same(&mut lab, "YEAR", &["0", "1901", "2155", "2024", "NULL"]).await;
    lab.close().await;
}

#[tokio::test]
async fn times() {
    let Some(mut lab) = Lab::open("times").await else { return };
    same(
        &mut lab,
        "DATE",
        &[
            "'0000-00-00'",
            "'1000-01-01'",
            "'9999-12-31'",
            "'2024-02-30'",
            "'2024-00-00'",
            "'2024-05-00'",
            "NULL",
        ],
    )
    .await;
    for fsp in 0..=6 {
        let suffix = if fsp == 0 { String::new() } else { format!("({fsp})") };
        same(
            &mut lab,
            &format!("TIME{suffix}"),
            &[
                "'838:59:59'",
                "'-838:59:59'",
                "'00:00:00'",
                "'-00:00:00.1'",
                "'-00:00:00.000001'",
                "'-00:00:01.999999'",
                "'12:34:56.789012'",
                "'-12:34:56.789012'",
                "'00:00:00.999999'",
                "'-00:00:59.5'",
                "NULL",
            ],
        )
        .await;
        same(
            &mut lab,
            &format!("DATETIME{suffix}"),
            &[
                "'0000-00-00 00:00:00'",
                "'0001-01-01 00:00:00'",
                "'9999-12-31 23:59:59'",
                "'2024-02-29 12:34:56.789012'",
                "'2024-00-31 01:02:03.4'",
                "NULL",
            ],
        )
        .await;
        same(
            &mut lab,
            &format!("TIMESTAMP{suffix} NULL"),
            &[
                "'0000-00-00 00:00:00'",
                "'1970-01-01 00:00:01'",
                "'2038-01-19 03:14:07'",
                "'2024-02-29 12:34:56.789012'",
                "NULL",
            ],
        )
        .await;
    }
    lab.close().await;
}

#[tokio::test]
async fn texts_and_bytes() {
    let Some(mut lab) = Lab::open("texts").await else { return };
    let long = "REPEAT('ä😀', 60)";
    for ty in ["CHAR(255)", "VARCHAR(255)", "VARCHAR(10000)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"] {
        let table = same(&mut lab, ty, &["''", "'a'", "'ä€😀'", "'  x  '", "'\\0\\n'", "NULL"]).await;
        assert_eq!(table.columns[1].charset.as_deref(), Some("utf8mb4"));
        if ty != "TINYTEXT" {
            same(&mut lab, ty, &[long]).await;
        }
    }
    same(&mut lab, "LONGTEXT", &["REPEAT('x', 70000)", "REPEAT('ü', 9000000)"]).await;
    for ty in [
        "BINARY(5)",
        "BINARY(255)",
        "VARBINARY(300)",
        "VARBINARY(3000)",
        "TINYBLOB",
        "BLOB",
        "MEDIUMBLOB",
        "LONGBLOB",
    ] {
        same(&mut lab, ty, &["''", "x'00'", "x'ff0000'", "x'2020'", "x'6100'", "NULL"]).await;
    }
    for charset in ["latin1", "ascii", "utf8mb3", "ucs2", "utf16", "utf16le", "utf32"] {
        let values: &[&str] =
            if charset == "ascii" { &["'abc'", "''"] } else { &["'abc'", "''", "'é£'", "'€'", "NULL"] };
        for ty in ["CHAR(63)", "CHAR(255)", "VARCHAR(100)", "TEXT", "LONGTEXT"] {
            let table = same(&mut lab, &format!("{ty} CHARACTER SET {charset}"), values).await;
            assert_eq!(table.columns[1].charset.as_deref(), Some(charset));
        }
        let wide: &[&str] = &["'é'", "'ö ü'", "'o'", "NULL"];
        let members =
            if charset == "ascii" { "('a', 'o', 'it''s')" } else { "('é', 'ö ü', 'o', 'it''s')" };
        let wide = if charset == "ascii" { &["'a'", "'it''s'"][..] } else { wide };
        same(&mut lab, &format!("ENUM{members} CHARACTER SET {charset}"), wide).await;
        same(&mut lab, &format!("SET{members} CHARACTER SET {charset}"), wide).await;
    }
    same(&mut lab, "VARCHAR(10) CHARACTER SET latin1", &["x'80818d8f909d9fa0ff'"]).await;
    lab.close().await;
}

#[tokio::test]
async fn members() {
    let Some(mut lab) = Lab::open("members").await else { return };
    lab.run("SET sql_mode = ''").await;
    same(&mut lab, "ENUM('a','b','')", &["'a'", "'b'", "''", "0", "NULL"]).await;
    let many: Vec<String> = (0..300).map(|i| format!("'m{i}'")).collect();
    same(&mut lab, &format!("ENUM({})", many.join(",")), &["'m0'", "'m255'", "'m299'"]).await;
    for count in [1, 8, 9, 17, 33, 64] {
        let set = format!("SET({})", many[..count].join(","));
        let all = (0..count).map(|i| format!("m{i}")).collect::<Vec<_>>().join(",");
        same(&mut lab, &set, &["''", "'m0'", &format!("'{all}'"), &format!("'m{}'", count - 1), "NULL"])
            .await;
    }
    lab.close().await;
}

#[tokio::test]
async fn spatial_and_vectors() {
    let Some(mut lab) = Lab::open("spatial").await else { return };
    for (ty, text) in [
        ("geometry", "POINT(1 2)"),
        ("point", "POINT(1 -2.5)"),
        ("linestring", "LINESTRING(0 0, 1 1)"),
        ("polygon", "POLYGON((0 0, 1 0, 1 1, 0 0))"),
        ("multipoint", "MULTIPOINT((1 2), (3 4))"),
        ("multilinestring", "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))"),
        ("multipolygon", "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))"),
        ("geomcollection", "GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))"),
    ] {
        let plain = format!("ST_GeomFromText('{text}')");
        let earth = format!("ST_GeomFromText('{text}', 4326)");
        same(&mut lab, ty, &[&plain, &earth, "NULL"]).await;
    }
    same(&mut lab, "VECTOR(3)", &["STRING_TO_VECTOR('[1, -2.5, 3e10]')", "NULL"]).await;
    // A vector between texts must not shift their character sets.
    lab.run("DROP TABLE t").await;
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5) CHARACTER SET latin1, x VECTOR(2), b VARCHAR(5) CHARACTER SET utf16, \
             c VARBINARY(5), d TEXT CHARACTER SET latin1, e BLOB, f ENUM('é') CHARACTER SET latin1, g SET('ä') CHARACTER SET ucs2, \
             h JSON, i GEOMETRY, k CHAR(3), l BINARY(3))").await;
    let start = lab.now().await;
    lab.run("INSERT INTO t VALUES (1, 'é', STRING_TO_VECTOR('[1,2]'), 'ü', x'ff', 'ö', x'80', 'é', 'ä', '{}', POINT(1,1), 'ß', x'ff')").await;
    let table = compare(&mut lab, start, "mixed").await;
    let charsets: Vec<_> = table.columns.iter().map(|c| c.charset.as_deref().unwrap_or("-")).collect();
    assert_eq!(
        charsets,
        ["-", "latin1", "-", "utf16", "-", "latin1", "-", "latin1", "ucs2", "-", "-", "utf8mb4", "-"]
    );
    lab.close().await;
}

#[tokio::test]
async fn json() {
    let Some(mut lab) = Lab::open("json").await else { return };
    let mut values: Vec<String> = [
        "'null'", "'true'", "'false'", "'0'", "'-1'", "'65535'", "'65536'", "'-32768'", "'-32769'", "'4294967295'", "'4294967296'",
        "'-2147483649'", "'18446744073709551615'", "'-9223372036854775808'", "'18446744073709551616'", "'1.0'", "'-0.0'", "'1e400'",
        "'1e15'", "'1e14'", "'1e-15'", "'1e-16'", "'123456789012345678'", "'\"\"'", "'\"a\\\\\"b\\\\\\\\c\\\\/\\\\u0001\\\\n\\\\t\\\\b\\\\f\\\\r\\\\u007f\\\\u00e9😀\"'",
        "'[]'", "'{}'", "'[1, [2, {\"a\": [null, true]}], \"x\"]'", "'{\"b\": 1, \"a\": {\"ccc\": 2, \"dd\": 3}, \"\": [], \"ä\": 1}'",
        "JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('-838:59:59.5' AS TIME(6)), CAST('2024-01-02 03:04:05.678901' AS DATETIME(6)), TIMESTAMP'2024-01-02 03:04:05')",
        "JSON_ARRAY(CAST(-1.50 AS DECIMAL(10,3)), CAST(0 AS DECIMAL(65,30)), 12345678901234567890.123456789)",
        "JSON_ARRAY(b'101', x'00ff', CAST(2015 AS YEAR), CAST('a' AS BINARY(4)))",
        "JSON_OBJECT('long', REPEAT(x'01', 300), 'exact', REPEAT(x'02', 57), 'two', REPEAT(x'03', 114))",
        "JSON_OBJECT('big', REPEAT('ä', 40000), 'more', JSON_ARRAY(1, 70000, 2.5, 'x'))",
        "JSON_ARRAY(ST_GeomFromText('POINT(1 2)'), CAST('0000-00-00' AS DATE), 3.0, 1e0, 0.1e0, -1.5e300)",
        "NULL",
    ]
    .into_iter()
    .filter(|v| *v != "'1e400'")
    .map(str::to_owned)
    .collect();
    values.push(format!("'{}1{}'", "[".repeat(99), "]".repeat(99)));
    let large: Vec<String> = (0..20_000).map(|i| format!("\"key{i}\": {}", i * 7919)).collect();
    values.push(format!("'{{{}}}'", large.join(", ")));
    let doubles: Vec<String> = doubles().iter().map(|d| format!("{d:e}")).collect();
    values.push(format!("'[{}]'", doubles.join(",")));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    same(&mut lab, "JSON", &values).await;
    lab.close().await;
}

/// Doubles with all sorts of exponents, the same each time.
fn doubles() -> Vec<f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut all = Vec::new();
    while all.len() < 20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let exponent = (state >> 33) % 120;
        let mixed = (state ^ (state >> 29)) & 0x800f_ffff_ffff_ffff | ((963 + exponent) << 52);
        let value = f64::from_bits(mixed);
        all.push(if all.len() % 3 == 0 { (value * 1000.0).round() / 1000.0 } else { value });
    }
    all
}

#[tokio::test]
async fn keys_and_hidden_columns() {
    let Some(mut lab) = Lab::open("keys").await else { return };
    lab.run("CREATE TABLE t (id INT, v VARCHAR(50), b BLOB, w INT INVISIBLE DEFAULT 7, g INT AS (id * 2) VIRTUAL, s INT AS (id + 1) STORED, \
             KEY f ((UPPER(v))), PRIMARY KEY (v(10), b(20), id))").await;
    let start = lab.now().await;
    lab.run("INSERT INTO t (id, v, b) VALUES (3, 'x', 'y')").await;
    let seen = lab.read_from(start).await;
    let Some(Seen::Row(table, None, Some(row))) = seen.into_iter().find(|s| matches!(s, Seen::Row(..)))
    else {
        panic!()
    };
    let key = table.primary_key().unwrap();
    let parts: Vec<_> = key.parts.iter().map(|p| (format!("{:?}", p.on), p.prefix)).collect();
    assert_eq!(
        parts,
        [("Column(1)".into(), Some(10)), ("Column(2)".into(), Some(20)), ("Column(0)".to_owned(), None)]
    );
    assert_eq!(table.columns.len(), 6);
    assert!(table.columns[3].extra.invisible && !table.columns[0].extra.invisible);
    assert_eq!(row[4], OwnedValue::Plain(Value::Int(6)));
    assert_eq!(row[5], OwnedValue::Plain(Value::Int(4)));
    lab.run("SET sql_generate_invisible_primary_key = ON").await;
    lab.run("CREATE TABLE k (a INT)").await;
    let start = lab.now().await;
    lab.run("INSERT INTO k VALUES (5), (6)").await;
    let seen = lab.read_from(start).await;
    let Some(Seen::Row(table, _, _)) = seen.into_iter().find(|s| matches!(s, Seen::Row(..))) else {
        panic!()
    };
    assert_eq!(table.columns[0].name, "my_row_id");
    assert_eq!(table.identity(), Some(vec![0]));
    lab.close().await;
}

/// Every letter that a character set has, as the server itself converts it.
#[tokio::test]
async fn every_letter_of_every_character_set() {
    let Some(mut lab) = Lab::open("letters").await else { return };
    let sets: Vec<String> = lab
        .conn
        .query("SELECT character_set_name FROM information_schema.character_sets WHERE character_set_name <> 'binary' ORDER BY 1")
        .await
        .unwrap();
    assert!(sets.len() >= 40);
    // Source of letters: all of the BMP and some beyond, by blocks of 1000.
    lab.run("CREATE TABLE letters (id INT PRIMARY KEY, c CHAR(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
        .await;
    lab.run("SET cte_max_recursion_depth = 200000").await;
    lab.run(
        "INSERT INTO letters WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 66000) \
         SELECT i, CONVERT(UNHEX(LPAD(HEX(IF(i < 65536, i, i + 60000)), 8, '0')) USING utf32) FROM n WHERE i NOT BETWEEN 55296 AND 57343",
    )
    .await;
    for set in sets {
        lab.run("DROP TABLE IF EXISTS t").await;
        lab.run(format!("CREATE TABLE t (id INT PRIMARY KEY, v TEXT CHARACTER SET {set})")).await;
        let start = lab.now().await;
        let bin = if set == "utf8mb4" {
            String::new()
        } else {
            format!("WHERE CONVERT(CONVERT(c USING {set}) USING utf8mb4) = c COLLATE utf8mb4_bin")
        };
        lab.run(format!("INSERT INTO t SELECT MIN(id), GROUP_CONCAT(c ORDER BY id SEPARATOR '') FROM letters {bin} GROUP BY id DIV 200")).await;
        let table = compare(&mut lab, start, &set).await;
        assert_eq!(table.columns[1].charset.as_ref(), Some(&set));
    }
    lab.close().await;
}
