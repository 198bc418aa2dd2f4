//! Keys that call different spellings equal, keys over prefixes, several unique keys, foreign keys with cascades,
//! numbers that AUTO_INCREMENT would change, partitions: random changes end with both sides equal.

use crate::kit::{Dice, World};

/// Tables, each with an INSERT of `?` for a number and the letter `@` for a spelling.
const TABLES: [(&str, &str); 9] = [
    ("ci", "(k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT)"),
    ("pad", "(k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)"),
    ("latin", "(k CHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY, v INT)"),
    (
        "uniques",
        "(k VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT, u VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, w INT, UNIQUE KEY (u), UNIQUE KEY (w), UNIQUE KEY (v, w))",
    ),
    ("prefix", "(k VARCHAR(20) PRIMARY KEY, v INT, u VARCHAR(20), UNIQUE KEY (u(2)))"),
    ("no_primary", "(k VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, v INT NOT NULL, UNIQUE KEY (k, v))"),
    ("prefix_only", "(k VARCHAR(20), v INT, UNIQUE KEY (k(3)))"),
    ("numbers", "(id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(20), v INT)"),
    (
        "parts",
        "(k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, v INT, PRIMARY KEY (k, v)) PARTITION BY HASH (v) PARTITIONS 3",
    ),
];

const SPELLINGS: [&str; 12] = ["a", "A", "á", "a ", "A  ", "b", "B", "ß", "ss", "é", "", " "];

const FAMILY: &str = "CREATE TABLE parent (id INT PRIMARY KEY, u INT UNIQUE);\n\
    CREATE TABLE child (id INT PRIMARY KEY, p INT, q INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE, \
    FOREIGN KEY (q) REFERENCES parent (u) ON DELETE SET NULL ON UPDATE CASCADE);\n\
    CREATE TABLE grandchild (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES child (id) ON DELETE CASCADE);\n\
    INSERT INTO parent VALUES (1,1);\nINSERT INTO child VALUES (1,1,1);\nINSERT INTO grandchild VALUES (1,1)";

/// As somebody may have them at the destination, where nothing is to happen by itself. The source itself has children
/// without a parent at times (`IGNORE`).
const FAMILY_TIES: &str = "SET SESSION foreign_key_checks=0;\nALTER TABLE child ADD FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE, \
    ADD FOREIGN KEY (q) REFERENCES parent (u) ON DELETE SET NULL ON UPDATE CASCADE;\n\
    ALTER TABLE grandchild ADD FOREIGN KEY (c) REFERENCES child (id) ON DELETE CASCADE";

/// One statement at random. What hits a key that is there does nothing, on the source already.
fn statement(dice: &mut Dice) -> String {
    let (table, _) = TABLES[dice.below(TABLES.len() as u64) as usize];
    let spelling = |dice: &mut Dice| SPELLINGS[dice.below(SPELLINGS.len() as u64) as usize];
    let (one, two) = (spelling(dice), spelling(dice));
    let (n, m) = (dice.below(7) as i64 - 3, dice.below(7) as i64 - 3);
    match (table, dice.below(4)) {
        ("numbers", 0 | 1) => format!("INSERT IGNORE INTO numbers VALUES ({n},'{one}',{m})"),
        ("uniques", 0 | 1) => format!("INSERT IGNORE INTO uniques VALUES ('{one}',{n},'{two}',{m})"),
        ("uniques", 2) => format!("UPDATE IGNORE uniques SET u='{one}', w={n} WHERE k='{two}'"),
        ("prefix", 0 | 1) => format!("INSERT IGNORE INTO prefix VALUES ('{one}',{n},'{two}{m}')"),
        ("prefix", 2) => format!("UPDATE IGNORE prefix SET u='{one}{n}' WHERE k='{two}'"),
        (table, 0 | 1) => format!("INSERT IGNORE INTO {table} (k,v) VALUES ('{one}',{n})"),
        (table, 2) => {
            format!("UPDATE IGNORE {table} SET k='{one}', v=v+1 WHERE k='{two}' ORDER BY v LIMIT 1")
        }
        (table, _) => format!("DELETE FROM {table} WHERE k='{one}' AND v={n} LIMIT 1"),
    }
}

fn of_family(dice: &mut Dice) -> String {
    let (a, b, c) = (dice.below(9), dice.below(9), dice.below(30));
    match dice.below(7) {
        0 => format!("INSERT IGNORE INTO parent VALUES ({a},{b})"),
        1 | 2 => format!("INSERT IGNORE INTO child VALUES ({c},{a},{b})"),
        3 => format!("INSERT IGNORE INTO grandchild VALUES ({},{c})", dice.below(60)),
        4 => format!("UPDATE IGNORE parent SET id={a} WHERE id={b}"),
        5 => format!("UPDATE IGNORE parent SET u={a} WHERE u={b}"),
        _ => format!("DELETE FROM parent WHERE id={a}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_constraints() {
    let mut dice = Dice::new("keys_and_constraints");
    let world = World::new("constraints").await;
    for (table, definition) in TABLES {
        world
            .source_sql(&format!(
                "CREATE TABLE {table} {definition};\nINSERT INTO {table} (k,v) VALUES ('z',9)"
            ))
            .await;
    }
    world.source_sql(FAMILY).await;
    // A table is made at the destination with its first row, so each has had one.
    world.catch_up();
    for round in 0..4 {
        if round == 2 {
            world.dest_sql(FAMILY_TIES).await;
        }
        let mut statements =
            vec!["SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO'".to_owned(), "BEGIN".to_owned()];
        for number in 0..250 {
            statements.push(if dice.below(4) == 0 { of_family(&mut dice) } else { statement(&mut dice) });
            if number % 5 == 4 {
                statements.push("COMMIT;\nBEGIN".to_owned());
            }
        }
        statements.push("COMMIT".to_owned());
        world.source_sql(&statements.join(";\n")).await;
        world.catch_up();
        world.assert_equal().await;
    }
    world.end().await;
}
