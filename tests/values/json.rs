//! JSON values of every kind that a JSON text has, and of those that only SQL has: DECIMAL, UNSIGNED INTEGER, dates and
//! times, bytes of each type.

use crate::kit::Dice;

const DEPTH_MAX: u64 = 5;

/// A document as SQL.
pub fn value(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => deep(dice),
        1 => large(dice),
        // What a multi-valued index of `table.rs` finds.
        2 => {
            format!("JSON_OBJECT('mv', CAST('{}' AS JSON))", dice.pick(&["[1, 70000, 1]", "[]", "7", "null"]))
        }
        _ => node(DEPTH_MAX, dice),
    }
}

fn node(depth: u64, dice: &mut Dice) -> String {
    if depth == 0 || dice.below(3) == 0 {
        return if dice.below(3) == 0 { scalar_of_sql(dice) } else { scalar(dice) };
    }
    let count = dice.below(5);
    if dice.coin() {
        let items: Vec<String> = (0..count).map(|_| node(depth - 1, dice)).collect();
        return format!("JSON_ARRAY({})", items.join(","));
    }
    let member = |dice: &mut Dice| {
        let key =
            *dice.pick(&["a", "bb", "", "k.1", "q\"", "b\\\\s", "ä😀", "s p", "it''s", "$", "a[0]", "*"]);
        format!("'{key}',{}", node(depth - 1, dice))
    };
    let members: Vec<String> = (0..count).map(|_| member(dice)).collect();
    format!("JSON_OBJECT({})", members.join(","))
}

fn scalar(dice: &mut Dice) -> String {
    let texts = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "32767",
        "-32768",
        "32768",
        "65535",
        "65536",
        "2147483647",
        "-2147483648",
        "2147483648",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "0.0",
        "-0.0",
        "1.0",
        "1e100",
        "1.5e-300",
        "0.1",
        "1e16",
        "5e-324",
        "1.7976931348623157e308",
        r#""""#,
        r#""text""#,
        r#""ä😀\\n\\"\\\\\\u0001""#,
        r#""2020-01-01""#,
        "[]",
        "{}",
    ];
    format!("CAST('{}' AS JSON)", dice.pick(&texts))
}

/// A value as a column of this type gives it.
macro_rules! of_column {
    ($column:literal, $value:literal) => {
        concat!(
            "(SELECT v FROM JSON_TABLE(JSON_ARRAY(",
            $value,
            "), '$[*]' COLUMNS (v ",
            $column,
            " PATH '$' ERROR ON ERROR)) AS t)"
        )
    };
}

/// A scalar of a type that JSON's own text has not.
fn scalar_of_sql(dice: &mut Dice) -> String {
    let values = [
        "CAST('1.50' AS DECIMAL(10,2))",
        "CAST('-0.00' AS DECIMAL(10,2))",
        "CAST('12345678901234567890123456789012345.678901234567890123456789' AS DECIMAL(65,30))",
        "CAST('3' AS DECIMAL(5,0))",
        "CAST(REPEAT('9', 65) AS DECIMAL(65,0))",
        "CAST(CONCAT(REPEAT('9', 64), '.5') AS DECIMAL(65,1))",
        "CAST('-0.000000000000000000000000000001' AS DECIMAL(65,30))",
        "CAST('2020-02-29' AS DATE)",
        "CAST('0000-00-00' AS DATE)",
        "CAST('9999-12-31 23:59:59.999999' AS DATETIME(6))",
        "CAST('2021-02-31 00:00:00' AS DATETIME)",
        "CAST('2020-01-01 01:02:03.4' AS DATETIME(1))",
        "TIMESTAMP'2020-01-01 01:02:03.25'",
        "CAST('-838:59:59' AS TIME)",
        "CAST('-00:00:00.000001' AS TIME(6))",
        "CAST('23:59:59.5' AS TIME(1))",
        "CAST('2155' AS YEAR)",
        "X''",
        "X'00FF'",
        "CAST(REPEAT('ab', 300) AS BINARY)",
        "b'101'",
        "CAST(1.5 AS FLOAT)",
        "POINT(1.5, -0.25)",
        "CAST(0 AS UNSIGNED)",
        "CAST(65535 AS UNSIGNED)",
        "CAST(70000 AS UNSIGNED)",
        "CAST(9223372036854775807 AS UNSIGNED)",
        "CAST(18446744073709551615 AS UNSIGNED)",
        of_column!("TIMESTAMP(6)", "'2038-01-19 03:14:07.499999'"),
        of_column!("TIMESTAMP", "'0000-00-00 00:00:00'"),
        of_column!("TINYBLOB", "X'00FF27'"),
        of_column!("BLOB", "REPEAT(X'5C27', 400)"),
        of_column!("MEDIUMBLOB", "X''"),
        of_column!("LONGBLOB", "REPEAT(X'E9', 70000)"),
        of_column!("BINARY(16)", "X'0102'"),
        of_column!("BINARY(0)", "X''"),
        of_column!("BIT(1)", "1"),
        of_column!("BIT(12)", "2748"),
        of_column!("BIT(64)", "18446744073709551615"),
    ];
    // As an argument each keeps its type; some can be cast to JSON by themselves, and not all.
    format!("JSON_EXTRACT(JSON_ARRAY({}), '$[0]')", dice.pick(&values))
}

/// As deep as the server takes it, 100, when a statement has put an array around it and the comparison another.
fn deep(dice: &mut Dice) -> String {
    let depth = usize::try_from(dice.between(90, 98)).unwrap();
    let (open, close) = if dice.coin() { ("[", "]") } else { (r#"{"k":"#, "}") };
    format!("CAST('{}7{}' AS JSON)", open.repeat(depth), close.repeat(depth))
}

/// Over the limits of what a small document holds: 64 KiB, and strings of 127 bytes and 16 KiB.
fn large(dice: &mut Dice) -> String {
    let length = *dice.pick(&[126, 127, 128, 16_383, 16_384, 70_000]);
    match dice.below(3) {
        0 => format!("JSON_ARRAY(REPEAT('x',{length}),1,2.5e0)"),
        1 => format!("JSON_OBJECT('a',REPEAT('é',{length}),'b',70000,'c',-70000)"),
        _ => format!("CAST(CONCAT('[1',REPEAT(',100000',{length}),']') AS JSON)"),
    }
}
