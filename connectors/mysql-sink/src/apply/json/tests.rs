use cdc_sdk::Kind;

use super::write;

fn written(document: &str) -> Result<String, Kind> {
    let mut out = Vec::new();
    write(&mut out, document).map_err(|e| e.kind())?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn a_document_without_marks_is_its_text() {
    assert_eq!(written(r#"{"a'": "\n"}"#).unwrap(), r#"_utf8mb4'{"a''": "\\n"}'"#);
}

#[test]
fn what_is_marked_is_set_at_its_path() {
    for (document, sql) in [
        ("\t-0.50", "JSON_SET(_utf8mb4'-0.50',_utf8mb4'$',CAST('-0.50' AS DECIMAL(2,2)))"),
        ("[\t0]", "JSON_SET(_utf8mb4'[0]',_utf8mb4'$[0]',CAST('0' AS DECIMAL(1,0)))"),
        (
            "{\"it's\": [1, \t\t7]}",
            "JSON_SET(_utf8mb4'{\"it''s\": [1, 7]}',_utf8mb4'$.\"it''s\"[1]',CAST(7 AS UNSIGNED))",
        ),
        ("\t\"2020-00-01\"", "JSON_SET(_utf8mb4'\"2020-00-01\"',_utf8mb4'$',CAST('2020-00-01' AS DATE))"),
        (
            "\t\"-01:00:00.000000\"",
            "JSON_SET(_utf8mb4'\"-01:00:00.000000\"',_utf8mb4'$',CAST('-01:00:00.000000' AS TIME(6)))",
        ),
        ("\t\"base64:type15:YQ==\"", "JSON_SET(_utf8mb4'\"base64:type15:YQ==\"',_utf8mb4'$',_binary'a')"),
    ] {
        assert_eq!(written(document).unwrap(), sql);
    }
}

#[test]
fn what_no_source_writes_is_refused() {
    for document in [
        "\ttrue",
        "\t1e5",
        "\t\t\t1",
        "\t\t\t\"2020-01-01\"",
        "\t\"' OR 1\"",
        "\t\"\\\\\"",
        "\t\"base64:type15:?\"",
        "\t\"base64:type77:YQ==\"",
        "\t\"base64:type16:\"",
        "\t\t\"base64:type15:YQ==\"",
        "[\t1",
    ] {
        assert_eq!(written(document), Err(Kind::RowRefused), "{document}");
    }
}
