//! Spatial values of every kind, flat and on the globe.

use crate::kit::Dice;

/// A value for a column of that kind that takes this spatial reference system, or any.
pub fn value(kind: &str, srid: Option<u32>, dice: &mut Dice) -> String {
    let srid = srid.unwrap_or_else(|| *dice.pick(&[0, 4326, 3857]));
    let kinds = [
        "POINT",
        "LINESTRING",
        "POLYGON",
        "MULTIPOINT",
        "MULTILINESTRING",
        "MULTIPOLYGON",
        "GEOMETRYCOLLECTION",
    ];
    let kind = if kind == "GEOMETRY" { *dice.pick(&kinds) } else { kind };
    format!("ST_GeomFromText('{}', {srid})", text(kind, dice))
}

fn text(kind: &str, dice: &mut Dice) -> String {
    let many = |count, each: fn(&mut Dice) -> String, dice: &mut Dice| {
        (0..count).map(|_| each(dice)).collect::<Vec<_>>().join(",")
    };
    let count = dice.between(1, 3);
    match kind {
        "POINT" => format!("POINT({})", pair(dice)),
        "LINESTRING" => format!("LINESTRING({})", many(count + 1, pair, dice)),
        "POLYGON" => format!("POLYGON{}", ring(dice)),
        "MULTIPOINT" => format!("MULTIPOINT({})", many(count, pair, dice)),
        "MULTILINESTRING" => {
            format!(
                "MULTILINESTRING({})",
                many(count, |dice| format!("({},{})", pair(dice), pair(dice)), dice)
            )
        }
        "MULTIPOLYGON" => format!("MULTIPOLYGON({})", many(count, ring, dice)),
        _ if dice.below(4) == 0 => "GEOMETRYCOLLECTION EMPTY".to_owned(),
        _ => format!("GEOMETRYCOLLECTION({},{})", text("POINT", dice), text("POLYGON", dice)),
    }
}

fn pair(dice: &mut Dice) -> String {
    let number =
        |dice: &mut Dice| *dice.pick(&["0", "-0", "1.5", "-2.25", "89.999999999", "-45", "1e-300", "0.1"]);
    format!("{} {}", number(dice), number(dice))
}

fn ring(dice: &mut Dice) -> String {
    let side = dice.between(1, 40);
    format!("((0 0,0 {side},{side} {side},{side} 0,0 0))")
}
