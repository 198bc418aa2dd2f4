use super::*;

#[test]
fn every_type_reads_back_as_it_is_declared() {
    let types = [
        "tinyint",
        "smallint unsigned",
        "mediumint",
        "int unsigned",
        "bigint",
        "decimal(10,2) unsigned",
        "decimal(65,30)",
        "float",
        "double unsigned",
        "bit(64)",
        "char(3)",
        "varchar(255)",
        "binary(16)",
        "varbinary(7)",
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
        "date",
        "time(2)",
        "datetime",
        "timestamp(6)",
        "year",
        "json",
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geomcollection",
        "vector(4)",
    ];
    for declared in types {
        assert_eq!(column_type(declared).map(|t| t.sql()).as_deref(), Some(declared));
    }
}

#[test]
fn what_only_shows_is_left_out() {
    let sql = |text| column_type(text).map(|t| t.sql());
    assert_eq!(sql("tinyint(1)").as_deref(), Some("tinyint"));
    assert_eq!(sql("int(10) unsigned zerofill").as_deref(), Some("int unsigned"));
    assert_eq!(sql("float(7,3)").as_deref(), Some("float"));
    assert_eq!(sql("year(4)").as_deref(), Some("year"));
}

#[test]
fn members_are_unescaped() {
    let expected = ["a'b", "c\\d", "e,f", "ö", ")", ""].map(String::from).to_vec();
    let read = column_type("enum('a''b','c\\\\d','e,f','ö',')','')");
    assert_eq!(read, Some(ColumnType::Enum { members: expected }));
}

#[test]
fn what_is_not_a_type_is_not_guessed_at() {
    for text in ["", "enum", "enum('a", "enum('a'x)", "decimal(300,2)", "int(", "inet6", "vector"] {
        assert_eq!(column_type(text), None, "{text}");
    }
}
