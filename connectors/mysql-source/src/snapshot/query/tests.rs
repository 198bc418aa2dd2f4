use cdc_sdk::column::{Extra, Width};
use cdc_sdk::table::{Key, KeyOn, KeyPart};
use cdc_sdk::{OwnedValue, TableName, Value};

use super::*;

fn column(name: &str, ty: ColumnType) -> Column {
    let text = ty.is_text();
    Column {
        name: name.into(),
        ty,
        nullable: false,
        charset: text.then(|| "latin1".into()),
        collation: text.then(|| "latin1_bin".into()),
        extra: Extra::default(),
    }
}

pub(crate) fn orders(parts: &[(usize, bool)], prefix: Option<u32>) -> Table {
    let part = |&(c, descending)| KeyPart { on: KeyOn::Column(c), prefix, descending };
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", "or`ders"),
        columns: vec![
            column("id", ColumnType::Integer { width: Width::Int, unsigned: false }),
            column("state", ColumnType::Enum { members: vec!["a".into()] }),
            column("name", ColumnType::Varchar { length: 9 }),
        ],
        keys: vec![Key::new(KeyKind::Primary, "PRIMARY", parts.iter().map(part).collect())],
        collation: None,
        comment: String::new(),
    }
}

fn pages<'a>(table: &'a Table, paging: &'a Paging) -> Pages<'a> {
    Pages { table, paging, kinds: JsonKinds::Left }
}

fn sql(table: &Table, after: Option<Vec<Value<'_>>>) -> Result<String> {
    let paging = Paging::of(table).ok_or_else(|| Error::new(Kind::Bug, "no identity"))?;
    let bound = after.map(|values| paging.bound(table, values.into_iter().map(OwnedValue::from).collect()));
    pages(table, &paging).chunk(bound.as_ref(), 100)
}

#[test]
fn the_first_chunk_has_no_condition() -> Result<()> {
    assert_eq!(
        sql(&orders(&[(0, false)], None), None)?,
        "SELECT `id`, CAST(`state` AS UNSIGNED), `name` FROM `shop`.`or``ders` FORCE INDEX (`PRIMARY`) \
         ORDER BY `id` LIMIT 100"
    );
    Ok(())
}

#[test]
fn a_key_of_several_columns_becomes_ranges() -> Result<()> {
    let text = sql(
        &orders(&[(2, false), (0, true), (1, false)], None),
        Some(vec![Value::Bytes(b"x"), Value::Int(-3), Value::Enum(1)]),
    )?;
    let name = "_latin1 X'78' COLLATE latin1_bin";
    assert!(text.ends_with(&format!(
        " WHERE (`name` > {name}) OR (`name` = {name} AND `id` < -3) OR \
         (`name` = {name} AND `id` = -3 AND `state` IN (2)) \
         ORDER BY `name`, `id` DESC, `state` LIMIT 100"
    )));
    Ok(())
}

#[test]
fn a_key_over_a_prefix_is_paged_by_the_prefix() -> Result<()> {
    let text = sql(&orders(&[(2, false)], Some(3)), Some(vec![Value::Bytes(b"x")]))?;
    assert_eq!(
        text,
        "SELECT t.`id`, CAST(t.`state` AS UNSIGNED), t.`name` FROM (SELECT `name` FROM `shop`.`or``ders` WHERE \
         (CAST(LEFT(`name`, 3) AS BINARY) > CAST(LEFT(_latin1 X'78' COLLATE latin1_bin, 3) AS BINARY)) \
         ORDER BY CAST(LEFT(`name`, 3) AS BINARY) LIMIT 100) AS k \
         STRAIGHT_JOIN `shop`.`or``ders` AS t ON t.`name` = k.`name` ORDER BY CAST(LEFT(k.`name`, 3) AS BINARY)"
    );
    Ok(())
}

#[test]
fn a_bound_of_another_key_is_refused() {
    let table = orders(&[(0, false)], None);
    let paging = Paging::of(&table);
    let (columns, values) = (vec!["name".into()], vec![OwnedValue::Text("x".into())]);
    let bound = KeyBound { columns, values, orders: vec!["varchar(9)".into()] };
    let refused = paging.map(|p| pages(&table, &p).chunk(Some(&bound), 1).is_err());
    assert_eq!(refused, Some(true));
}

#[test]
fn a_condition_narrows_a_part_of_the_key_and_stays_in_its_brackets() -> Result<()> {
    let table = orders(&[(0, false)], None);
    let paging = Paging::of(&table).ok_or_else(|| Error::new(Kind::Bug, "no identity"))?;
    let bound = |id| paging.bound(&table, vec![OwnedValue::Plain(Value::Int(id))]);
    let text = pages(&table, &paging).part((Some(&bound(5)), Some(&bound(9))), "a = 1 OR b = 2 -- c")?;
    assert_eq!(
        text,
        "SELECT `id`, CAST(`state` AS UNSIGNED), `name` FROM `shop`.`or``ders` FORCE INDEX (`PRIMARY`) \
         WHERE ((`id` > 5)) AND NOT ((`id` > 9)) AND (\na = 1 OR b = 2 -- c\n) ORDER BY `id`"
    );
    let text = pages(&table, &paging).boundary(Some(&bound(5)), 100)?;
    assert!(text.ends_with("WHERE (`id` > 5) ORDER BY `id` LIMIT 1 OFFSET 99"), "{text}");
    Ok(())
}

#[test]
fn members_of_an_enum_are_named_behind_the_bound() -> Result<()> {
    let members = |descending| {
        let mut table = orders(&[(1, descending), (0, false)], None);
        table.columns[1].ty = ColumnType::Enum { members: ["c", "b", "a"].map(Into::into).to_vec() };
        table
    };
    for (descending, number, further) in
        [(false, 0, "1, 2, 3"), (false, 2, "3"), (false, 3, "4"), (true, 3, "0, 1, 2"), (true, 0, "4")]
    {
        let text = sql(&members(descending), Some(vec![Value::Enum(number), Value::Int(7)]))?;
        let condition = format!(" WHERE (`state` IN ({further})) OR (`state` = {number} AND `id` > 7) ORDER");
        assert!(text.contains(&condition), "{text}");
    }
    Ok(())
}

/// What changes the order of the rows, or the literal of the bound, makes another order of it.
#[test]
fn a_bound_is_of_one_order() -> Result<()> {
    let table = orders(&[(2, false)], None);
    let paging = Paging::of(&table).ok_or_else(|| Error::new(Kind::Bug, "no identity"))?;
    let bound = paging.bound(&table, vec![OwnedValue::from(Value::Bytes(b"x"))]);
    let fits = |table: &Table| Paging::of(table).is_some_and(|paging| paging.made(table, &bound));
    assert!(fits(&table));
    let changed = |change: fn(&mut Table)| {
        let mut changed = table.clone();
        change(&mut changed);
        changed
    };
    let named = changed(|t| t.keys[0].name = "other".into());
    assert!(fits(&named), "the name of the index is not the order");
    for other in [
        changed(|t| t.keys[0].parts[0].descending = true),
        changed(|t| t.keys[0].parts[0].prefix = Some(3)),
        changed(|t| t.columns[2].collation = Some("latin1_german2_ci".into())),
        changed(|t| t.columns[2].charset = Some("utf8mb4".into())),
        changed(|t| t.columns[2].ty = ColumnType::Varbinary { length: 9 }),
        changed(|t| t.columns[2].name = "renamed".into()),
    ] {
        assert!(!fits(&other), "{other:?}");
    }
    let older = KeyBound { orders: Vec::new(), ..bound.clone() };
    assert!(!paging.made(&table, &older), "what an older program stored");
    Ok(())
}
