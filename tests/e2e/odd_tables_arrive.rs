//! Tables that random ones (`values`) found to stop the road or to come out otherwise, each for a reason of its own.

use crate::kit::World;

/// Why, the table behind its name, a row, and what happens to it while changes stream.
const TABLES: [(&str, &str, &str, &str); 10] = [
    (
        "a_prefix_as_key_and_a_row_larger_than_the_sort_buffer",
        "(n INT NOT NULL, k BLOB NOT NULL, d BIGINT NOT NULL, big LONGTEXT, PRIMARY KEY (k(5), d DESC))",
        "(1, 'abcdefgh', 7, REPEAT('x', 700000)), (2, 'abcdxfgh', 7, 'small')",
        "SET k = 'abcdeZZZ' WHERE n = 1",
    ),
    (
        "a_quote_in_the_expression_of_a_generated_column",
        "(n INT PRIMARY KEY, g VARCHAR(30) AS (CONCAT('g''', n, '\\\"')) STORED, t VARCHAR(20))",
        "(1, DEFAULT, 'a\\\\''b'), (2, DEFAULT, '\\\\')",
        "SET t = 'b\\\\\\\\''' WHERE n = 1",
    ),
    (
        "a_generated_column_that_rounds_and_no_key",
        "(n INT, g DECIMAL(20,3) AS (n / 3), t INT)",
        "(1, DEFAULT, 1), (2, DEFAULT, 2), (2, DEFAULT, 2)",
        "SET t = 9 WHERE n = 2",
    ),
    (
        "a_default_of_no_bytes",
        "(n INT PRIMARY KEY, b BINARY(4) DEFAULT '', v VARBINARY(4) NOT NULL DEFAULT '')",
        "(1, DEFAULT, DEFAULT)",
        "SET v = X'00' WHERE n = 1",
    ),
    (
        "index_0_of_an_enum_in_utf16le",
        "(n INT PRIMARY KEY, e ENUM('a','ü') CHARACTER SET utf16le NOT NULL)",
        "(1, 0), (2, 2)",
        "SET e = 0 WHERE n = 2",
    ),
    (
        "index_0_of_an_enum_as_key_beside_a_unique_key",
        "(n INT, e ENUM('a','ü') CHARACTER SET eucjpms NOT NULL, PRIMARY KEY (e), UNIQUE KEY u (n))",
        "(1, 0), (2, 2)",
        "SET n = n + 10",
    ),
    (
        "a_key_in_utf16_beside_a_unique_key",
        "(n INT, k VARCHAR(9) CHARACTER SET utf16 NOT NULL PRIMARY KEY, UNIQUE KEY u (n))",
        "(1, '院兀'), (2, 'abc')",
        "SET n = n + 10",
    ),
    (
        "a_key_in_sjis_beside_a_unique_key",
        "(n INT, k CHAR(2) CHARACTER SET sjis NOT NULL PRIMARY KEY, UNIQUE KEY u (n))",
        "(1, '石'), (2, 'ab')",
        "SET n = n + 10",
    ),
    (
        "bits_that_are_not_the_same_from_the_other_end",
        "(n INT PRIMARY KEY, a BIT(9), b BIT(33), c BIT(64))",
        "(1, 257, 4294967298, 1), (2, 2, 8589934591, 9223372036854775810)",
        "SET a = 3, b = 5, c = 72623859790382856 WHERE n = 1",
    ),
    (
        "a_unique_key_and_no_primary_key",
        "(n INT, k CHAR(2) NOT NULL, d INT NOT NULL, UNIQUE KEY own (k DESC, d))",
        "(1, 'a', 1), (2, 'b', 1)",
        "SET k = 'c' WHERE n = 2",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn odd_tables_arrive() {
    let world = World::new("odd").await;
    let make = |late: &str| {
        let each = TABLES.iter().map(|(why, table, rows, _)| {
            let name = format!("`{}`", &format!("{late}{why}")[..(late.len() + why.len()).min(64)]);
            format!("CREATE TABLE {name} {table};\nINSERT INTO {name} VALUES {rows}")
        });
        format!("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n{}", each.collect::<Vec<_>>().join(";\n"))
    };
    world.source_sql(&make("")).await;
    world.catch_up();
    world.assert_equal().await;
    world.source_sql(&make("late_")).await;
    for (why, _, _, change) in TABLES {
        for late in ["", "late_"] {
            let name = &format!("{late}{why}")[..(late.len() + why.len()).min(64)];
            let sql = format!("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\nUPDATE `{name}` {change}");
            world.source_sql(&sql).await;
        }
    }
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
