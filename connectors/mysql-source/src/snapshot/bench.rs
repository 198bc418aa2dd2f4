//! The rows of a chunk, from the server's answer to values, timed: `make microbench`.

use std::sync::Arc;

use cdc_sdk::column::Width;
use cdc_sdk::{Column, ColumnType, Row as _, Table, TableName};
use mysql_async::Row;
use mysql_async::consts::ColumnType as Wire;
use mysql_common::io::ParseBuf;
use mysql_common::proto::Binary;
use mysql_common::row::RowDeserializer;
use mysql_common::value::ServerSide;

use super::block::{Block, RowReading};
use super::query::JsonKinds;
use crate::hot_path::measure;

/// As many as a chunk has.
const ROWS: u64 = 10_000;

/// The columns of a row of about 200 bytes, as the table has them and as the answer does.
fn columns() -> [(&'static str, ColumnType, Wire); 4] {
    let integer = |width| ColumnType::Integer { width, unsigned: false };
    [
        ("id", integer(Width::Big), Wire::MYSQL_TYPE_LONGLONG),
        ("k", integer(Width::Int), Wire::MYSQL_TYPE_LONG),
        ("c", ColumnType::Char { length: 120 }, Wire::MYSQL_TYPE_STRING),
        ("pad", ColumnType::Char { length: 60 }, Wire::MYSQL_TYPE_STRING),
    ]
}

fn table() -> Table {
    let column = |(name, ty, _): (&str, ColumnType, Wire)| {
        let charset = ty.is_text().then(|| "utf8mb4".to_owned());
        Column {
            name: name.to_owned(),
            ty,
            nullable: false,
            charset,
            collation: None,
            extra: Default::default(),
        }
    };
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", "s"),
        columns: columns().into_iter().map(column).collect(),
        keys: Vec::new(),
        collation: None,
        comment: String::new(),
    }
}

/// A row of the binary protocol: its head, a bitmap without NULLs, its values.
fn packet(id: u64) -> Vec<u8> {
    let mut packet = vec![0, 0];
    packet.extend_from_slice(&id.to_le_bytes());
    packet.extend_from_slice(&(id as u32).to_le_bytes());
    for length in [119, 59] {
        packet.push(length);
        packet.resize(packet.len() + usize::from(length), b'c');
    }
    packet
}

#[ignore = "a measurement: make microbench"]
#[test]
fn hot_path_snapshot() {
    let reading = RowReading::of(&table(), JsonKinds::Left).unwrap();
    let answer: Arc<[mysql_async::Column]> =
        columns().map(|(name, _, wire)| mysql_async::Column::new(wire).with_name(name.as_bytes())).into();
    let packets: Vec<Vec<u8>> = (0..ROWS).map(packet).collect();
    let parsed = |packet: &[u8]| -> Row {
        ParseBuf(packet).parse::<RowDeserializer<ServerSide, Binary>>(answer.clone()).unwrap().into()
    };
    measure("snapshot: the client's part, from packets to its rows", ROWS, || {
        packets.iter().for_each(|packet| drop(parsed(packet)));
    });
    measure("snapshot: from packets to a chunk's values", ROWS, || {
        let mut block = Block::new(&[0]);
        packets.iter().for_each(|packet| block.push(&reading, parsed(packet)).unwrap());
        for row in block.rows() {
            row.visit(|_, value| {
                std::hint::black_box(value);
                Ok(())
            })
            .unwrap();
        }
    });
}
