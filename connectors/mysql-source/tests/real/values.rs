//! Every type, read by the snapshot and read out of the binlog: the same values,
//! the same shape.

use cdc_mysql_source::{Event, Start};
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, owned, until_complete};

const TABLE: &str = "CREATE TABLE t (
  id INT AUTO_INCREMENT PRIMARY KEY, touched INT NOT NULL DEFAULT 0,
  i1 TINYINT, i2 SMALLINT, i3 MEDIUMINT, i4 INT, i8 BIGINT,
  u1 TINYINT UNSIGNED, u2 SMALLINT UNSIGNED, u3 MEDIUMINT UNSIGNED, u4 INT UNSIGNED ZEROFILL, u8 BIGINT UNSIGNED,
  d1 DECIMAL(65,30), d2 DECIMAL(10,0) UNSIGNED, f FLOAT, g DOUBLE, fm FLOAT(7,3),
  b1 BIT(1), b9 BIT(9), b64 BIT(64),
  c CHAR(10), cl CHAR(5) CHARACTER SET latin1, v VARCHAR(300), vu VARCHAR(20) CHARACTER SET utf16, va VARCHAR(9) CHARACTER SET ascii,
  v3 VARCHAR(20) CHARACTER SET utf8mb3, v32 VARCHAR(9) CHARACTER SET utf32, vle VARCHAR(9) CHARACTER SET utf16le, vc2 VARCHAR(9) CHARACTER SET ucs2,
  cu CHAR(6) CHARACTER SET utf16, sj VARCHAR(9) CHARACTER SET sjis, gb CHAR(9) CHARACTER SET gbk, ko TEXT CHARACTER SET koi8r,
  bi BINARY(8), vb VARBINARY(300), tt TINYTEXT, tx TEXT, mt MEDIUMTEXT, lt LONGTEXT, tl TEXT CHARACTER SET latin1, tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB,
  e ENUM('a','b''c','ö'), s SET('x','y','z'), el ENUM('ä','ß') CHARACTER SET latin1,
  da DATE, ti TIME, ti6 TIME(6), dt DATETIME, dt3 DATETIME(3), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, y YEAR,
  j JSON, geo GEOMETRY, po POINT SRID 4326, ve VECTOR(4),
  gv INT GENERATED ALWAYS AS (touched + 1) VIRTUAL, gs VARCHAR(20) GENERATED ALWAYS AS (CONCAT('g', i1)) STORED,
  inv INT INVISIBLE DEFAULT 7,
  UNIQUE KEY u (i8), KEY k (c, v(10) DESC), KEY fx ((i1 * 2))
) COMMENT 'all of them'";

const ROWS: [&str; 4] = [
    "INSERT INTO t (id) VALUES (1)",
    "INSERT INTO t (id, i1, i2, i3, i4, i8, u1, u2, u3, u4, u8, d1, d2, f, g, fm, b1, b9, b64, c, cl, v, vu, va, v3, v32, vle, vc2, cu, sj, gb, ko,
       bi, vb, tt, tx, mt, lt, tl, tb, bl, mb, lb, e, s, el, da, ti, ti6, dt, dt3, ts, ts6, y, j, geo, po, ve)
     VALUES (2, -128, -32768, -8388608, -2147483648, -9223372036854775808, 255, 65535, 16777215, 4294967295, 18446744073709551615,
       -12345678901234567890123456789012345.123456789012345678901234567890, 9999999999, 0.1, -1.7976931348623157e308, 1234.567,
       b'1', b'100000001', b'1111111111111111111111111111111111111111111111111111111111111111',
       'ä  ', 'öß', REPEAT('ü', 300), '😀x', 'asc', '€', '😀', '😀', 'é', 'é ', 'あア', '中文 ', 'привет',
       'ab', X'00FF0000', '', 'text', REPEAT('m', 70000), 'lt', 'Ä€', X'', X'00', X'0102', REPEAT(X'07', 70000),
       'b''c', 'x,z', 'ß', '9999-12-31', '-838:59:59', '838:59:58.999999', '0000-00-00 00:00:00', '2020-02-30 23:59:59.123',
       '2038-01-19 03:14:07', '1970-01-01 00:00:01.000001', 2155,
       '{\"a\": [1, -2.5, 1e100, true, null, \"x\\\\n\\\\\\\"ä\"], \"bb\": {\"c\": {}}, \"n\": 18446744073709551615}',
       ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))'), ST_SRID(POINT(1, 2), 4326), TO_VECTOR('[1,-2.5,3e10,0]'))",
    "INSERT INTO t (id, i1, u8, f, g, d1, c, v, bi, e, s, da, ti, ti6, dt, ts, ts6, y, j, b9)
     VALUES (3, 127, 0, -0.0, -0.0, 0, '', '', '', '', '', '0000-00-00', '00:00:00', '-00:00:00.000001', '0000-00-00 00:00:00', 0, 0, 0, '[]', 0)",
    "INSERT INTO t (id, i8, da, dt, y, j, f, g, e, s)
     VALUES (4, 9223372036854775807, '2020-00-31', '2020-00-00 12:00:00', 1901,
       JSON_OBJECT('d', CAST('2020-02-29' AS DATE), 't', CAST('-10:11:12.5' AS TIME(6)), 'dt', TIMESTAMP'2020-01-01 00:00:00.25', 'dec', CAST('1.50' AS DECIMAL(10,3)), 'b', CAST(X'00FF' AS BINARY), 'dbl', 0.1e0, 'big', 1e16,
         'list', JSON_ARRAY(NULL, CAST(7 AS UNSIGNED), JSON_OBJECT('dec', CAST(1 AS DECIMAL), 'none', JSON_ARRAY()), b'101', CAST(18446744073709551615 AS UNSIGNED)),
         'ts', (SELECT v FROM JSON_TABLE(JSON_ARRAY('2020-01-01 00:00:00'), '$[*]' COLUMNS (v TIMESTAMP PATH '$')) AS x)),
       3.4028235e38, 5e-324, 3, 7)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_snapshot_reads_what_the_binlog_holds() -> Outcome {
    let Some(mut world) = World::new("values").await? else { return Ok(()) };
    world.admin.query_drop("SET sql_mode = 'ALLOW_INVALID_DATES'").await?;
    world.admin.query_drop(TABLE).await?;
    for row in ROWS {
        world.admin.query_drop(row).await?;
    }
    let mut model = Model::default();
    let settings = world.settings("values")?;
    let mut source = Source::open(&settings, &mut model).await?;
    let mut shape = None;
    while !model.complete {
        let event = next(&mut source).await?;
        if let Event::Chunk(chunk) = &event {
            shape = Some((chunk.shape, chunk.table.clone()));
        }
        model.apply(event, source.position())?;
    }
    let (shape, table) = shape.ok_or("no chunk came")?;
    let read = model.tables.get(&world.table("t")).cloned().unwrap_or_default();
    assert_eq!(read.len(), ROWS.len());

    world.admin.query_drop("UPDATE t SET touched = touched + 1").await?;
    let mut seen = 0;
    while seen < ROWS.len() {
        let Event::Rows(mut rows) = next(&mut source).await? else { continue };
        assert_eq!(*rows.table, *table);
        assert_eq!(rows.shape, shape, "one shape has two numbers");
        while let Some(change) = rows.next_row()? {
            let before = owned(&change.before.ok_or("an update without before")?)?;
            let key = format!("{:?}|", before.first());
            let snapshot = read.get(&key).ok_or(format!("{key} was not read"))?;
            for (index, column) in table.columns.iter().enumerate() {
                assert_eq!(
                    format!("{:?}", snapshot.get(index)),
                    format!("{:?}", before.get(index)),
                    "{key} {}",
                    column.name
                );
            }
            seen += 1;
        }
    }
    world.end().await
}

/// Types of keys, with values.
const KEYS: &[(&str, &str)] = &[
    ("TINYINT", "(-128),(-1),(0),(1),(127)"),
    ("BIGINT UNSIGNED", "(0),(1),(9223372036854775807),(9223372036854775808),(18446744073709551615)"),
    (
        "DECIMAL(65,30)",
        "(-1.5),(0),(0.000000000000000000000000000001),(12345678901234567890123456789012345.5)",
    ),
    ("FLOAT", "(-3.4e38),(-0.1),(0),(0.1),(0.2),(3.4e38)"),
    ("DOUBLE", "(-1e308),(-0.1),(0),(0.1),(5e-324),(1e308)"),
    ("BIT(64)", "(0),(1),(9223372036854775808),(18446744073709551615)"),
    ("DATE", "('0000-00-00'),('0000-01-01'),('2020-00-00'),('2020-01-00'),('2020-01-01'),('9999-12-31')"),
    ("TIME(6)", "('-838:59:59'),('-00:00:00.000001'),('00:00:00'),('00:00:00.000001'),('838:59:59')"),
    (
        "DATETIME(6)",
        "('0000-00-00'),('2020-00-00 00:00:00.000001'),('2020-01-01 00:00:00.5'),('9999-12-31 23:59:59.999999')",
    ),
    (
        "TIMESTAMP(6)",
        "(0),('1970-01-01 00:00:01'),('1970-01-01 00:00:01.000001'),('2038-01-19 03:14:07.999999')",
    ),
    ("YEAR", "(0),(1901),(1999),(2000),(2155)"),
    ("ENUM('z','y','x','a')", "(0),('z'),('y'),('x'),('a')"),
    (
        "VARCHAR(20) COLLATE utf8mb4_0900_ai_ci",
        "(''),('a'),('ä b'),('b'),('B c'),('ß'),('😀'),('z\\\\'),('z''')",
    ),
    ("VARCHAR(20) COLLATE utf8mb4_bin", "(''),('a'),('A'),('ä'),('Ä'),('😀'),('b\\t')"),
    ("VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", "('a'),('äx'),('ay'),('ö'),('€'),('ß')"),
    ("CHAR(5) CHARACTER SET utf16 COLLATE utf16_general_ci", "(''),('a'),('é1'),('z'),('ä2')"),
    ("VARCHAR(9) CHARACTER SET sjis COLLATE sjis_japanese_ci", "('a'),('あ'),('い'),('ア'),('日本'),('z')"),
    ("VARCHAR(9) CHARACTER SET gb18030 COLLATE gb18030_chinese_ci", "('a'),('中'),('文'),('z')"),
    ("VARCHAR(9) CHARACTER SET cp1251", "('a'),('б'),('Я'),('ж')"),
    ("VARBINARY(20)", "(X''),(X'00'),(X'0000'),(X'61'),(X'6100'),(X'FF')"),
    ("BINARY(3)", "(X''),(X'61'),(X'616100'),(X'FFFFFF')"),
];

/// Values of a SET of 64 members, more than a double can tell apart.
const SET_VALUES: &str = "(0),(1),(2),(9223372036854775808),(9223372036854775809),(18446744073709551615)";

/// Tables paged by keys of every type, in chunks of two rows: each row once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_key_is_paged() -> Outcome {
    let Some(mut world) = World::new("keys").await? else { return Ok(()) };
    world.admin.query_drop("SET sql_mode = 'ALLOW_INVALID_DATES'").await?;
    let set: Vec<String> = (1..=64).map(|n| format!("'m{n}'")).collect();
    let set = format!("SET({})", set.join(","));
    let keys: Vec<(&str, &str)> = KEYS.iter().copied().chain([(set.as_str(), SET_VALUES)]).collect();
    for (number, (ty, values)) in keys.iter().enumerate() {
        world.admin.query_drop(format!("CREATE TABLE k{number} (k {ty}, PRIMARY KEY (k))")).await?;
        world
            .admin
            .query_drop(format!("INSERT INTO k{number} VALUES {values}"))
            .await
            .map_err(|e| format!("{ty}: {e}"))?;
        world
            .admin
            .query_drop(format!(
                "CREATE TABLE p{number} (n INT, k {ty} NOT NULL, x INT, UNIQUE KEY (k DESC, n))"
            ))
            .await?;
        world.admin.query_drop(format!("ALTER TABLE p{number} MODIFY n INT NOT NULL")).await?;
        world.admin.query_drop(format!("INSERT INTO p{number} SELECT s.n, k, 1 FROM k{number} JOIN (SELECT 1 n UNION SELECT 2 UNION SELECT 3) s")).await?;
    }
    world.run("CREATE TABLE pre (t TEXT NOT NULL, PRIMARY KEY (t(3)));\nINSERT INTO pre VALUES ('a'),('ab'),('abc'),('b'),('bcd')").await?;
    let mut model = Model::default();
    let settings = cdc_mysql_source::Settings { chunk_rows: 2, ..world.settings("keys")? };
    let mut source = Source::open(&settings, &mut model).await?;
    until_complete(&mut source, &mut model).await?;
    for (number, (ty, _)) in keys.iter().enumerate() {
        for table in [format!("k{number}"), format!("p{number}")] {
            let there: Option<usize> =
                world.admin.query_first(format!("SELECT COUNT(*) FROM {table}")).await?;
            let held = model.tables.get(&world.table(&table)).map_or(0, |rows| rows.len());
            assert_eq!(Some(held), there, "{table}: {ty}");
        }
    }
    assert_eq!(model.tables.get(&world.table("pre")).map(|rows| rows.len()), Some(5));
    world.end().await
}

struct Source;

impl Source {
    async fn open(
        settings: &cdc_mysql_source::Settings,
        model: &mut Model,
    ) -> Outcome<cdc_mysql_source::Source> {
        model.open(settings, Start::Fresh).await
    }
}
