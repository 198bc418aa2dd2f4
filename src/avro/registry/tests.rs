use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A registry of one schema: it gives out the text that it was sent last.
struct Stub {
    url: String,
    asked: Arc<AtomicUsize>,
}

async fn stub(status: &'static str) -> Stub {
    stub_saying(status, r#"{"error_code":409,"message":"incompatible"}"#).await
}

async fn stub_saying(status: &'static str, said: &'static str) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/apis/ccompat/v7/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut stored = String::from("\"null\"");
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let request = read_request(&mut stream).await;
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            if let Some(schema) = json["schema"].as_str() {
                stored = schema.to_owned();
            }
            let answer = match head.split(' ').nth(1).unwrap() {
                "/apis/ccompat/v7/subjects" => "[]".to_owned(),
                _ if !status.starts_with("200") => said.to_owned(),
                _ => serde_json::json!({"id": 42, "schema": stored}).to_string(),
            };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    Stub { url, asked }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if read == 0 || body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
            return text;
        }
    }
}

fn registry(url: &str) -> Registry {
    Registry::new(RegistrySettings { url: url.to_owned(), ..RegistrySettings::default() }).unwrap()
}

#[tokio::test]
async fn the_text_is_kept_byte_for_byte_and_asked_once() {
    let stub = stub("200 OK").await;
    let schema = "{ \"type\":\"string\",\n \"doc\":\"ü \\u0001\"}";
    let writer = registry(&stub.url);
    assert_eq!(writer.register("t-value", schema).await.unwrap(), 42);
    assert_eq!(&*writer.schema(42).await.unwrap(), schema);
    assert_eq!(stub.asked.load(Ordering::SeqCst), 1, "what was registered is known");
    let reader = registry(&stub.url);
    assert_eq!(&*reader.schema(42).await.unwrap(), schema);
    assert_eq!(&*reader.schema(42).await.unwrap(), schema);
    assert_eq!(stub.asked.load(Ordering::SeqCst), 2);
    reader.ping().await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_told_from_a_registry_in_trouble() {
    for (status, kind) in [
        ("409 Conflict", Kind::SchemaIncompatible),
        ("422 Unprocessable Entity", Kind::SchemaRefused),
        ("401 Unauthorized", Kind::SchemaRefused),
        ("500 Internal Server Error", Kind::RegistryUnreachable),
        ("503 Service Unavailable", Kind::RegistryUnreachable),
    ] {
        let error = registry(&stub(status).await.url).register("t-value", "\"int\"").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(error.what().contains("t-value"), "{error}");
    }
    let nobody = registry("http://127.0.0.1:1").ping().await.unwrap_err();
    assert_eq!(nobody.kind(), Kind::RegistryUnreachable);
}

#[tokio::test]
async fn only_the_registry_itself_says_that_there_is_no_schema() {
    for code in ["40401", "40402"] {
        let said = format!(r#"{{"error_code":{code},"message":"not found"}}"#).leak();
        let stub = stub_saying("404 Not Found", said).await;
        assert_eq!(registry(&stub.url).latest_of("t").await.unwrap(), None, "{code}");
    }
    for said in [r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#, "<html>404 page not found</html>"] {
        let stub = stub_saying("404 Not Found", said).await;
        let error = registry(&stub.url).latest_of("t").await.unwrap_err();
        assert_eq!(error.kind(), Kind::SchemaRefused, "{said}: {error}");
    }
}

#[test]
fn settings_are_checked() {
    let refused = |settings| Registry::new(settings).unwrap_err().kind();
    assert_eq!(refused(RegistrySettings { url: "ftp://x".into(), ..Default::default() }), Kind::Settings);
    let ca = Some(PathBuf::from("/nowhere/ca.pem"));
    assert_eq!(
        refused(RegistrySettings { url: "https://x".into(), ca, ..Default::default() }),
        Kind::Settings
    );
}

#[test]
fn an_account_in_the_address_is_not_shown() {
    assert_eq!(without_account("https://me:p@ss@host:8081/x"), "https://host:8081/x");
    assert_eq!(without_account("http://host"), "http://host");
}
