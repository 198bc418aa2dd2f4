use std::net::SocketAddr;

use cdc_sdk::Kind;
use tokio::net::TcpListener;

use super::{ask, body, shown};
use crate::observe::{Listener, SourceView};

#[test]
fn only_a_200_has_a_body() {
    assert_eq!(body("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some("{}"));
    for answer in
        ["", "HTTP/1.1 404 Not Found\r\n\r\nx", "SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b", "\r\n\r\n"]
    {
        assert_eq!(body(answer), None, "{answer}");
    }
}

#[tokio::test]
async fn a_running_pipeline_answers() {
    let view = SourceView::new("shop");
    let listener = Listener::open("127.0.0.1:0".parse().unwrap(), view.view().clone()).await.unwrap();
    let answer = ask(listener.address()).await.unwrap();
    assert!(shown(&answer, false).unwrap().starts_with("source     shop (version "));
    assert!(shown(&answer, true).unwrap().starts_with("{\"role\":\"source\""));
}

#[tokio::test]
async fn silence_is_told_with_what_to_do() {
    let address: SocketAddr = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = ask(address).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoAnswer);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn an_answer_of_something_else_is_refused() {
    assert_eq!(shown("<html>", false).unwrap_err().kind(), Kind::NoAnswer);
}
