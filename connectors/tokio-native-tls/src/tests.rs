#![allow(clippy::unwrap_used)]

use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::thread::JoinHandle;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509Builder, X509NameBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// A server that sends back all that one client says, to its end.
fn echo() -> (u16, JoinHandle<()>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut certificate = X509Builder::new().unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = certificate.build();
    let archive = Pkcs12::builder().name("test").pkey(&key).cert(&certificate).build2("").unwrap();
    let identity = native_tls::Identity::from_pkcs12(&archive.to_der().unwrap(), "").unwrap();
    let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let mut stream = acceptor.accept(listener.accept().unwrap().0).unwrap();
        let mut buf = vec![0; 100_000];
        loop {
            match stream.read(&mut buf) {
                Ok(0) | Err(_) => break,
                Ok(count) => stream.write_all(&buf[..count]).unwrap(),
            }
        }
    };
    (port, std::thread::spawn(serve))
}

async fn connected(port: u16) -> TlsStream<TcpStream> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.danger_accept_invalid_certs(true);
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TlsConnector::from(builder.build().unwrap()).connect("localhost", stream).await.unwrap()
}

#[tokio::test]
async fn what_is_written_comes_back_in_any_size() {
    let (port, server) = echo();
    let (mut read, mut write) = tokio::io::split(connected(port).await);
    let sent: Vec<u8> = (0..5_000_000_u32).map(|i| ((i * 7) >> 3) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.flush().await.unwrap();
        write
    });
    let mut got = vec![0; expected.len()];
    read.read_exact(&mut got).await.unwrap();
    assert!(got == expected, "the same bytes");
    let mut stream = read.unsplit(writer.await.unwrap());
    stream.shutdown().await.unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn a_read_clears_no_more_than_a_record_can_fill() {
    let (port, server) = echo();
    let mut stream = connected(port).await;
    stream.write_all(b"ten bytes!").await.unwrap();
    let mut memory = vec![MaybeUninit::uninit(); 64 << 20];
    let mut buf = ReadBuf::uninit(&mut memory);
    poll_fn(|task| Pin::new(&mut stream).poll_read(task, &mut buf)).await.unwrap();
    assert_eq!(buf.filled(), b"ten bytes!");
    assert!(buf.initialized().len() <= RECORD_BYTES, "{} bytes were written", buf.initialized().len());
    drop(stream);
    server.join().unwrap();
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (port, server) = echo();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = TlsConnector::from(native_tls::TlsConnector::new().unwrap());
    connector.connect("localhost", stream).await.unwrap_err();
    assert!(server.join().is_err(), "the handshake failed there, too");
}
