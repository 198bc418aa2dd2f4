//! Tables of many types are made exactly as on the source, through the snapshot
//! and through the binlog alike, and hold the same bytes.

use crate::kit::World;

const TABLE: &str = "CREATE TABLE NAME (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    bo BOOLEAN, fd FLOAT(7,3), dz DOUBLE(9,2), zf INT(5) UNSIGNED ZEROFILL, t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, m MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED,
    d DECIMAL(65,30), d2 DECIMAL(10,2) NOT NULL DEFAULT 1.50, f FLOAT, g DOUBLE, bits BIT(64), bit1 BIT(1),
    c CHAR(20), v VARCHAR(100) CHARACTER SET latin1, bin BINARY(8), vb VARBINARY(20), tx MEDIUMTEXT, bl BLOB,
    e ENUM('new','paid','it''s') NOT NULL DEFAULT 'new', st SET('a','b','c'),
    da DATE, ti TIME(6), dt DATETIME(6), dt0 DATETIME, ts TIMESTAMP(3) NULL, y YEAR, j JSON, p POINT SRID 4326,
    gen INT GENERATED ALWAYS AS (tu + 1) STORED, virt INT GENERATED ALWAYS AS (tu * 2),
    upd TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (id), UNIQUE KEY vv (v), KEY ee (e, da)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci COMMENT 'it''s'";

const ROWS: &str = "SET SESSION sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00';\n\
    INSERT INTO NAME (id,t,tu,s,m,mu,i,b,bu,d,f,g,bits,bit1,c,v,bin,vb,tx,bl,e,st,da,ti,dt,dt0,ts,y,j,p) VALUES \
    (1,-128,255,-32768,-8388608,16777215,4294967295,-9223372036854775808,18446744073709551615,\
     -99999999999999999999999999999999999.999999999999999999999999999999,-1.17549435e-38,2.2250738585072014e-308,\
     0xFFFFFFFFFFFFFFFF,1,'emoji \u{1f600}','caf\u{e9} \u{20ac}',0x0001,0xFF00FE,'line\\nbreak \\\\ ''q''',0x00FF27,'it''s','a,c',\
     '9999-12-31','-838:59:59.000000','1000-01-01 00:00:00.000001','0000-00-00 00:00:00','2038-01-19 03:14:07.999',1901,\
     '{\"a\": [1, 2.5, \"x\", null, true], \"k\": {\"n\": 18446744073709551615}}',ST_SRID(POINT(1.5,-2.25),4326)),\
    (0,127,0,32767,8388607,0,0,9223372036854775807,0,0,0,0,0,0,'','x ','','','','','new','','2020-02-00','838:59:59.000000',\
     '2024-02-29 23:59:59.999999','2020-00-00 00:00:00','1970-01-01 00:00:01.000',0,'[]',NULL),\
    (18446744073709551614,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'paid',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn exact_types() {
    let world = World::new("types").await;
    world.source_sql(&format!("{};\n{}", TABLE.replace("NAME", "snap"), ROWS.replace("NAME", "snap"))).await;
    world.catch_up();
    world.assert_equal().await;
    let more = format!("{};\n{}", TABLE.replace("NAME", "streamed"), ROWS.replace("NAME", "streamed"));
    world.source_sql(&more).await;
    world.source_sql("UPDATE snap SET t=5, dt0='2021-05-06 07:08:09' WHERE id=0;\nUPDATE streamed SET tx='changed' WHERE id=1").await;
    world.catch_up();
    world.assert_equal().await;
    for table in ["snap", "streamed"] {
        let (here, there) = (world.source_create(table).await, world.dest_create(table).await);
        assert_eq!(without_counter(&here), without_counter(&there));
    }
    world.end().await;
}

/// SHOW CREATE TABLE without the next AUTO_INCREMENT value.
fn without_counter(sql: &str) -> String {
    sql.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT=")).collect::<Vec<_>>().join(" ")
}
