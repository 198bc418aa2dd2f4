//! Every kind of value is at the destination what it was, bit for bit, inserted and updated.

use std::fmt::Write as _;

use cdc_sdk::column::{BlobSize, Column, ColumnType as T, GeometryKind, Width};
use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::value::OwnedValue as V;
use cdc_sdk::{Decimal, Value};
use mysql_async::prelude::Queryable;

use crate::world::*;

/// A column's type, and each value with how the server shows it: what it stands for is read back as `SELECT <shown>`.
type Case = (T, &'static str, Vec<(V, String)>);

fn p(value: Value<'static>) -> V {
    V::Plain(value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, b| {
        let _ = write!(all, "{b:02X}");
        all
    })
}

fn date(year: u16, month: u8, day: u8) -> Date {
    Date { year, month, day }
}

fn moment(date: Date, micros: u32) -> DateTime {
    DateTime { date, hour: 23, minute: 59, second: 59, micros }
}

fn integers() -> Vec<Case> {
    let signed =
        [(Width::Tiny, 8), (Width::Small, 16), (Width::Medium, 24), (Width::Int, 32), (Width::Big, 64)];
    let mut cases = Vec::new();
    for (width, bits) in signed {
        let low = i64::MIN >> (64 - bits);
        let all = [low, -1, 0, 1, -(low + 1)];
        cases.push((T::Integer { width, unsigned: false }, "c", all.map(|v| (n(v), v.to_string())).to_vec()));
        let high = u64::MAX >> (64 - bits);
        let all = [0, 1, high];
        let values = all.map(|v| (p(Value::UInt(v)), v.to_string())).to_vec();
        cases.push((T::Integer { width, unsigned: true }, "c", values));
    }
    cases
}

fn numbers() -> Vec<Case> {
    let decimal = |text: &str| (p(Value::Decimal(Decimal::parse(text).unwrap())), text.to_owned());
    let nines = format!("-{}.{}", "9".repeat(35), "9".repeat(30));
    let smallest = format!("0.{}1", "0".repeat(29));
    let zero = format!("0.{}", "0".repeat(30));
    let bits = |v: u64| (p(Value::Bit(v)), v.to_string());
    vec![
        (
            T::Decimal { precision: 65, scale: 30, unsigned: false },
            "c",
            vec![decimal(&nines), decimal(&smallest), decimal(&zero)],
        ),
        (T::Decimal { precision: 65, scale: 0, unsigned: true }, "c", vec![decimal(&"9".repeat(65))]),
        (T::Bit { bits: 64 }, "c+0", vec![bits(0), bits(u64::MAX), bits(0x2727_5c5c_0001_0203)]),
        (T::Bit { bits: 1 }, "c+0", vec![bits(0), bits(1)]),
        (T::Year, "c", [0, 1901, 1970, 2000, 2155].map(|y| (p(Value::Year(y)), format!("{y:04}"))).to_vec()),
    ]
}

fn texts() -> Vec<Case> {
    let text = |s: &str| (t(s), hex(s.as_bytes()));
    let odd = [
        "",
        " ",
        "a ",
        "'",
        "''",
        "\\",
        "\\'",
        "\0",
        "a\nb\r\t\u{1a}",
        "😀é\u{301}",
        "\"`;-- ",
        "/*!99999 x*/",
    ];
    let all: Vec<u8> = (0..=255).chain(*b"''\\'").collect();
    let bytes = |b: &[u8]| (V::Bytes(b.to_vec()), hex(b));
    vec![
        (T::Varchar { length: 60 }, "HEX(c)", odd.map(text).to_vec()),
        (T::Text { size: BlobSize::Tiny }, "HEX(c)", odd.map(text).to_vec()),
        (T::Text { size: BlobSize::Long }, "HEX(c)", vec![text(&"é'".repeat(70_000))]),
        (T::Char { length: 20 }, "HEX(c)", vec![text(""), text(" a"), text("😀")]),
        (T::Binary { length: 4 }, "HEX(c)", vec![bytes(b"a\0\0\0"), bytes(b"''\\\xff")]),
        (T::Varbinary { length: 300 }, "HEX(c)", vec![bytes(b""), bytes(&all), bytes(b"a\0 ")]),
        (T::Blob { size: BlobSize::Medium }, "HEX(c)", vec![bytes(&all.repeat(300))]),
        (T::Vector { dimension: 4 }, "HEX(c)", vec![(V::Vector(all[32..48].to_vec()), hex(&all[32..48]))]),
    ]
}

fn members() -> Vec<Case> {
    let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let member = |v: u16| (p(Value::Enum(v)), v.to_string());
    let set = |v: u64| (p(Value::Set(v)), v.to_string());
    let many: Vec<String> = (0..64).map(|i| format!("m{i}")).collect();
    vec![
        (
            T::Enum { members: of(&["a", "b'c", "d\\e", "1"]) },
            "c+0",
            vec![member(0), member(2), member(3), member(4)],
        ),
        (
            T::Enum { members: of(&["0", "00", ""]) },
            "c+0",
            vec![member(0), member(1), member(3), (t(""), "3".into())],
        ),
        (T::Enum { members: of(&["x"]) }, "c+0", vec![(t(""), "0".into()), (t("x"), "1".into())]),
        (T::Set { members: many }, "CAST(c AS UNSIGNED)", vec![set(0), set(1), set(u64::MAX)]),
    ]
}

fn moments() -> Vec<Case> {
    let d = |v: Date| (p(Value::Date(v)), v.to_string());
    let dt = |v: DateTime| (p(Value::DateTime(v)), format!("{} 23:59:59.{:06}", v.date, v.micros));
    let ts = |v: DateTime| (p(Value::Timestamp(v)), format!("{} 23:59:59.{:06}", v.date, v.micros));
    let time = |micros: i64, shown: &str| (p(Value::Time(Time { micros })), shown.to_owned());
    let longest = (838 * 3600 + 59 * 60 + 59) * 1_000_000;
    let odd = [
        date(0, 0, 0),
        date(2020, 0, 0),
        date(2020, 5, 0),
        date(2021, 2, 31),
        date(1, 1, 1),
        date(9999, 12, 31),
    ];
    let zero = DateTime::default();
    vec![
        (T::Date, "c", odd.map(d).to_vec()),
        (T::Datetime { fsp: 6 }, "c", odd.map(|o| dt(moment(o, 999_999))).to_vec()),
        (T::Datetime { fsp: 0 }, "c", vec![(p(Value::DateTime(zero)), "0000-00-00 00:00:00".into())]),
        (
            T::Timestamp { fsp: 6 },
            "c",
            vec![
                (p(Value::Timestamp(zero)), "0000-00-00 00:00:00.000000".into()),
                ts(moment(date(1970, 1, 1), 1)),
                ts(moment(date(2020, 3, 29), 0)),
                ts(moment(date(2038, 1, 18), 999_999)),
            ],
        ),
        (
            T::Time { fsp: 6 },
            "c",
            vec![
                time(longest, "838:59:59.000000"),
                time(-longest, "-838:59:59.000000"),
                time(-1, "-00:00:00.000001"),
                time(0, "00:00:00.000000"),
            ],
        ),
    ]
}

fn documents() -> Vec<Case> {
    let json = |s: &str| (V::Json(s.to_owned()), s.to_owned());
    let point: Vec<u8> = [&[1u8, 1, 0, 0, 0][..], &1.5f64.to_le_bytes(), &(-2.25f64).to_le_bytes()].concat();
    let geometry =
        |srid: u32| (V::Geometry(srid, point.clone()), hex(&[&srid.to_le_bytes()[..], &point].concat()));
    vec![
        (
            T::Json,
            "CAST(c AS CHAR)",
            vec![
                json("null"),
                json(r#"{"a": "q'\"\\n\\\\", "b": [1, 2.5, 1.0, -0.0, 18446744073709551615, true]}"#),
                json("\"😀'\""),
            ],
        ),
        (T::Geometry { kind: GeometryKind::Geometry }, "HEX(c)", vec![geometry(0), geometry(4326)]),
        (T::Geometry { kind: GeometryKind::Point }, "HEX(c)", vec![geometry(3857)]),
    ]
}

#[test]
fn as_the_server_shows_them() {
    in_world(|world| async move {
        let cases = [integers(), numbers(), texts(), members(), moments(), documents()].concat();
        let mut sink = world.open().await;
        let mut admin = world.admin().await;
        admin.query_drop("SET NAMES utf8mb4").await.unwrap();
        for (number, (ty, shown, values)) in cases.into_iter().enumerate() {
            let name = format!("case_{number}");
            let sql = ty.sql();
            let table = world.table(&name, vec![int("id"), nullable(column("c", ty))], vec![primary(&[0])]);
            let row = |id: usize, value: V| vec![n(i64::try_from(id).unwrap()), value];
            let rows = || values.iter().enumerate().map(|(id, (value, _))| row(id, value.clone()));
            world.apply(&mut sink, rows().map(|r| create(&table, r)).collect()).await.unwrap();
            let select = format!("SELECT {shown} FROM `{}`.{name} ORDER BY id", world.database);
            let wanted: Vec<Option<String>> = values.iter().map(|(_, shown)| Some(shown.clone())).collect();
            let inserted: Vec<Option<String>> = admin.query(&select).await.unwrap();
            assert_eq!(inserted, wanted, "{sql}, inserted");
            // Through NULL and back, so that the other half of the upsert is seen too.
            let nulls = rows().map(|r| update(&table, r.clone(), vec![r[0].clone(), NULL])).collect();
            world.apply(&mut sink, nulls).await.unwrap();
            let nulled: Vec<Option<String>> = admin.query(&select).await.unwrap();
            assert!(nulled.iter().all(Option::is_none), "{sql}, nulled");
            let back = rows().map(|r| update(&table, vec![r[0].clone(), NULL], r)).collect();
            world.apply(&mut sink, back).await.unwrap();
            let updated: Vec<Option<String>> = admin.query(&select).await.unwrap();
            assert_eq!(updated, wanted, "{sql}, updated");
        }
    });
}

#[test]
fn floats_bit_for_bit() {
    in_world(|world| async move {
        let columns: Vec<Column> = vec![
            int("id"),
            column("f", T::Float { unsigned: false }),
            column("d", T::Double { unsigned: false }),
        ];
        let table = world.table("floats", columns, vec![primary(&[0])]);
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut values: Vec<(f32, f64)> = vec![
            (-0.0, -0.0),
            (f32::from_bits(1), f64::from_bits(1)),
            (f32::MIN_POSITIVE, f64::MIN_POSITIVE),
            (f32::from_bits(0x007f_ffff), f64::from_bits(0x000f_ffff_ffff_ffff)),
            (f32::MAX, f64::MAX),
            (f32::MIN, f64::MIN),
            (16_777_217.0, 9_007_199_254_740_993.0),
        ];
        while values.len() < 2000 {
            let (f, d) = (f32::from_bits(u32::try_from(random() >> 32).unwrap()), f64::from_bits(random()));
            if f.is_finite() && d.is_finite() {
                values.push((f, d));
            }
        }
        let row = |(id, (f, d)): (usize, &(f32, f64))| {
            vec![n(i64::try_from(id).unwrap()), p(Value::Float(*f)), p(Value::Double(*d))]
        };
        let mut sink = world.open().await;
        let rows = values.iter().enumerate().map(|r| create(&table, row(r))).collect();
        world.apply(&mut sink, rows).await.unwrap();
        let sql = format!("SELECT f, d FROM `{}`.floats ORDER BY id", world.database);
        let found: Vec<(f32, f64)> = world.admin().await.exec(sql, ()).await.unwrap();
        for (found, wanted) in found.iter().zip(&values) {
            assert_eq!(found.0.to_bits(), wanted.0.to_bits(), "{wanted:?}");
            assert_eq!(found.1.to_bits(), wanted.1.to_bits(), "{wanted:?}");
        }
        assert_eq!(found.len(), values.len());
    });
}

#[test]
fn rows_without_a_key_are_found_again_by_every_value() {
    in_world(|world| async move {
        let cases = [integers(), numbers(), texts(), members(), moments(), documents()].concat();
        let mut sink = world.open().await;
        for (number, (ty, _, values)) in cases.into_iter().enumerate() {
            let name = format!("case_{number}");
            let sql = ty.sql();
            let table = world.table(&name, vec![nullable(column("c", ty))], vec![]);
            let rows = || values.iter().map(|(value, _)| vec![value.clone()]).chain([vec![NULL]]);
            world.apply(&mut sink, rows().map(|r| create(&table, r)).collect()).await.unwrap();
            world.apply(&mut sink, rows().map(|r| delete(&table, r)).collect()).await.expect(&sql);
            let left: Vec<u64> = world.rows(&format!("SELECT COUNT(*) FROM DB.{name}")).await;
            assert_eq!(left, [0], "{sql}");
        }
    });
}

#[test]
fn text_in_other_character_sets() {
    in_world(|world| async move {
        let sets = [
            ("latin1", "latin1_german2_ci", "äß€'", "E4DF8027"),
            ("sjis", "sjis_bin", "ソ表'", "835C955C27"),
            ("gb18030", "gb18030_bin", "😀'", "9439FC3627"),
            ("utf16le", "utf16le_bin", "é😀", "E9003DD800DE"),
        ];
        let mut sink = world.open().await;
        for (charset, collation, text, bytes) in sets {
            let mut text_column = varchar("c", 20);
            text_column.charset = Some(charset.into());
            text_column.collation = Some(collation.into());
            let table = world.table(charset, vec![text_column, int("v")], vec![primary(&[0])]);
            world.apply(&mut sink, vec![create(&table, vec![t(text), n(1)])]).await.unwrap();
            let found = world.texts(&format!("SELECT HEX(c) FROM DB.{charset}")).await;
            assert_eq!(found, [bytes], "{charset}");
            world.apply(&mut sink, vec![delete(&table, vec![t(text), n(1)])]).await.unwrap();
            assert!(world.texts(&format!("SELECT HEX(c) FROM DB.{charset}")).await.is_empty());
            // What the destination's character set cannot hold is refused, not replaced by a question mark.
            if charset == "latin1" {
                let error =
                    world.apply(&mut sink, vec![create(&table, vec![t("😀"), n(1)])]).await.unwrap_err();
                assert_eq!(error.kind(), cdc_sdk::Kind::RowRefused, "{error}");
            }
        }
    });
}

#[test]
fn zero_in_an_auto_increment_column_stays_zero() {
    in_world(|world| async move {
        let mut id = int("id");
        id.extra.auto_increment = true;
        let table = world.table("zeros", vec![id, int("v")], vec![primary(&[0])]);
        let mut sink = world.open().await;
        let rows = vec![create(&table, vec![n(0), n(1)]), create(&table, vec![n(7), n(1)])];
        world.apply(&mut sink, rows).await.unwrap();
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.zeros ORDER BY id").await, [0, 7]);
    });
}
