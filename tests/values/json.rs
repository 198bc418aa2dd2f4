//! JSON values of every kind that a JSON text has. Those of SQL's own types (DECIMAL, dates, binary) are
//! left out: the wire carries JSON as text, so they arrive as numbers and strings.

use crate::kit::Dice;

const DEPTH_MAX: u64 = 5;

/// A document as SQL.
pub fn value(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => deep(dice),
        1 => large(dice),
        _ => node(DEPTH_MAX, dice),
    }
}

fn node(depth: u64, dice: &mut Dice) -> String {
    if depth == 0 || dice.below(3) == 0 {
        return scalar(dice);
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

/// As deep as the server takes it.
fn deep(dice: &mut Dice) -> String {
    let depth = usize::try_from(dice.between(90, 99)).unwrap();
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
