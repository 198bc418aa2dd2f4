use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Listener;
use crate::observe::{SinkView, State, Status};

async fn get(listener: &Listener, path: &str, accept: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer)
}

#[tokio::test]
async fn each_page_answers_for_the_state() {
    let view = SinkView::new("crm");
    let listener = Listener::open("127.0.0.1:0".parse().unwrap(), view.view().clone()).await.unwrap();
    assert_eq!(get(&listener, "/healthz", "*/*").await.0, 200);
    assert_eq!(get(&listener, "/readyz", "*/*").await.0, 503);
    for state in
        [State::Standby("x".to_owned()), State::Waiting("y".to_owned()), State::Snapshot, State::Streaming]
    {
        view.state(state);
        assert_eq!(get(&listener, "/readyz", "*/*").await.0, 200);
    }
    view.state(State::Stopped);
    assert_eq!(get(&listener, "/healthz", "*/*").await.0, 503);
    assert_eq!(get(&listener, "/readyz", "*/*").await.0, 503);
    assert_eq!(get(&listener, "/nothing", "*/*").await.0, 404);
    assert_eq!(get(&listener, "/", "*/*").await.0, 303);
}

#[tokio::test]
async fn a_status_is_json_or_a_page() {
    let view = SinkView::new("crm");
    let listener = Listener::open("127.0.0.1:0".parse().unwrap(), view.view().clone()).await.unwrap();
    let (code, answer) = get(&listener, "/status", "application/json").await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!((code, serde_json::from_str::<Status>(body).unwrap().name.as_str()), (200, "crm"));
    let (_, page) = get(&listener, "/status", "text/html,*/*").await;
    assert!(page.contains("<h1>cdc sink crm</h1>"), "{page}");
    let (_, metrics) = get(&listener, "/metrics", "*/*").await;
    assert!(metrics.contains("application/openmetrics-text") && metrics.ends_with("# EOF\n"), "{metrics}");
}

#[tokio::test]
async fn an_address_in_use_is_a_settings_error() {
    let view = SinkView::new("crm");
    let first = Listener::open("127.0.0.1:0".parse().unwrap(), view.view().clone()).await.unwrap();
    let error = Listener::open(first.address(), view.view().clone()).await.unwrap_err();
    assert_eq!(error.kind(), cdc_sdk::Kind::Settings);
    assert!(error.to_string().contains(&first.address().to_string()), "{error}");
}
