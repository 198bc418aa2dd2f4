//! The rules of the tree that a compiler does not hold: who may name what, and
//! how long a function may be. Each rule stands in `ARCHITECTURE.md` with its reason.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest function, in lines from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Longest file without its tests.
const FILE_LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the program and the connectors.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["src", "connectors"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 30, "the walk finds the sources");
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn each_client_library_is_named_in_one_place() {
    let fences: [(&str, &[&str]); 4] = [
        ("rdkafka", &["src/kafka"]),
        ("apache_avro", &["src/avro"]),
        ("schema_registry_converter", &["src/avro"]),
        ("mysql_async", &["connectors/mysql-source", "connectors/mysql-sink"]),
    ];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        for (name, homes) in fences {
            let at_home = homes.iter().any(|home| path.starts_with(home));
            let names = code_lines(&text).find(|(_, line)| {
                line.contains(&format!("{name}::")) || line.contains(&format!("use {name}"))
            });
            if let (false, Some((line, _))) = (at_home, names) {
                broken.push(format!("{}:{}: names {name}", path.display(), line + 1));
            }
        }
    }
    assert!(broken.is_empty(), "outside of its place:\n{}", broken.join("\n"));
}

#[test]
fn connectors_depend_on_the_sdk_only() {
    for connector in ["mysql-source", "mysql-sink"] {
        let manifest =
            fs::read_to_string(root().join("connectors").join(connector).join("Cargo.toml")).unwrap();
        let own: Vec<_> = manifest.lines().filter(|l| l.starts_with("cdc-")).collect();
        assert_eq!(own, ["cdc-sdk.workspace = true"], "{connector}");
    }
    let sdk = fs::read_to_string(root().join("connectors/sdk/Cargo.toml")).unwrap();
    for io in ["tokio", "mysql_async", "rdkafka"] {
        assert!(!sdk.contains(io), "the sdk does no I/O, yet depends on {io}");
    }
}

#[test]
fn functions_and_files_stay_short() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let is_test = path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs");
        let lines = text.lines().count();
        if !is_test && lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines", path.display()));
        }
        for (line, length) in function_lengths(&text) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{line}: a function of {length} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "split by meaning:\n{}", long.join("\n"));
}

/// Line and length of each function, by the indentation that rustfmt gives.
fn function_lengths(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "pub(super) async fn ",
            "pub(crate) async fn ",
            "const fn ",
            "pub const fn ",
        ]
        .iter()
        .any(|prefix| code.starts_with(prefix));
        if !is_function {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|l| *l == close) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

#[test]
fn no_schema_is_an_orphan() {
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    for entry in fs::read_dir(root().join("schemas")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".avsc") {
            assert!(code.contains(&format!("schemas/{name}")), "nothing includes schemas/{name}");
        }
    }
}

#[test]
fn modules_are_listed_in_the_order_of_the_data() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: Vec<&str> = library.lines().filter_map(|l| l.strip_prefix("pub mod ")).collect();
    assert_eq!(modules, ["cli;", "config;", "pipeline;", "envelope;", "avro;", "kafka;", "observe;"]);
}
