//! Rows are found again by keys of every type and of several columns, many in
//! one statement: an ENUM in a key once equalled nothing, and its deletes were lost.

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type() {
    let world = World::new("keys").await;
    let keys = [
        ("e", "ENUM('a','b','c','d','e','f')", "1+i%6"),
        ("s", "SET('a','b','c','d','e','f')", "i%64"),
        ("dt", "DATETIME(6)", "TIMESTAMPADD(MICROSECOND, i*1001, '2020-02-29 23:59:59.5')"),
        ("da", "DATE", "DATE_ADD('2020-02-28', INTERVAL i DAY)"),
        ("ti", "TIME(3)", "SEC_TO_TIME(i*60-1800)"),
        ("ts", "TIMESTAMP(2)", "TIMESTAMPADD(SECOND, i*1001, '2020-02-29 23:59:59.25')"),
        ("y", "YEAR", "1950+i"),
        ("d", "DECIMAL(20,6)", "i*1.5-30"),
        ("u", "BIGINT UNSIGNED", "18446744073709551000+i"),
        ("b", "BIT(9)", "i"),
        ("c", "CHAR(20)", "CONCAT('Größe ', i)"),
        ("l", "VARCHAR(20) CHARACTER SET latin1", "CONCAT('Größe ', i)"),
        ("vb", "VARBINARY(20)", "CONCAT(0xFF00, i)"),
        ("bin", "BINARY(8)", "CONCAT(0xFF00, i)"),
    ];
    for (name, ty, value) in keys {
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<60)";
        world
            .source_sql(&format!(
                "CREATE TABLE pair_{name} (k {ty} NOT NULL, n SMALLINT NOT NULL, v INT, PRIMARY KEY (k, n));\n\
                 INSERT INTO pair_{name} {rows} SELECT {value}, i, 0 FROM n;\n\
                 CREATE TABLE turned_{name} (v INT, n SMALLINT NOT NULL, k {ty} NOT NULL, PRIMARY KEY (k, n));\n\
                 INSERT INTO turned_{name} {rows} SELECT 0, i, {value} FROM n;\n\
                 CREATE TABLE single_{name} (k {ty} NOT NULL PRIMARY KEY, v INT);\n\
                 INSERT IGNORE INTO single_{name} {rows} SELECT {value}, 0 FROM n"
            ))
            .await;
    }
    world.catch_up();
    world.assert_equal().await;
    for (name, ..) in keys {
        world
            .source_sql(&format!(
                "DELETE FROM pair_{name} WHERE n%3=0;\nUPDATE pair_{name} SET n=n+100 WHERE n%3=1;\nUPDATE pair_{name} SET v=7 WHERE n%3=2;\n\
                 DELETE FROM turned_{name} WHERE n%3=0;\nUPDATE turned_{name} SET n=n+100 WHERE n%3=1;\n\
                 DELETE FROM single_{name} ORDER BY k LIMIT 5;\nUPDATE single_{name} SET v=1"
            ))
            .await;
    }
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
