//! Against servers that are played: what those at hand do not do.

use std::time::Duration;

use cdc_sdk::endpoint::{Secret, Tls};
use mysql_common::constants::StatusFlags;
use mysql_common::packets::AuthSwitchRequest;
use openssl::rsa::Rsa;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::binlog::dump::failure::failure;
use crate::binlog::dump::statement::run;
use crate::damage::{damaged, damages, memory_of};

/// Bytes of memory for a byte that the server says.
const MEMORY_MAX: u64 = 40;
/// What is taken besides: the buffer, and room for the packet that a header announces, 16 MiB at most.
const MEMORY_BASE: u64 = 17 << 20;

const PASSWORD: &str = "geheim";

/// What a played server does: it sends a packet, or reads one that has this in it. What it sends in a row comes
/// at once.
enum Act {
    Send(Vec<u8>),
    Expect(Vec<u8>),
}

fn greeting(encrypts: bool, plugin: &str) -> Act {
    let mut capabilities = CapabilityFlags::all();
    capabilities.set(CapabilityFlags::CLIENT_SSL, encrypts);
    let greeting = HandshakePacket::new(
        10,
        &b"5.7.44"[..],
        7,
        *b"12345678",
        Some(&b"901234567890\0"[..]),
        capabilities,
        45,
        StatusFlags::empty(),
        Some(plugin.as_bytes()),
    );
    Act::Send(bytes(&greeting))
}

fn switch(plugin: &str, nonce: &[u8]) -> Act {
    Act::Send(bytes(&AuthSwitchRequest::new(plugin.as_bytes(), [nonce, &[0]].concat())))
}

/// SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))), as the manual says it.
fn native(nonce: &[u8]) -> Vec<u8> {
    let sha1 = openssl::sha::sha1;
    let once = sha1(PASSWORD.as_bytes());
    let mixed = sha1(&[nonce, &sha1(&once)].concat());
    once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
}

fn ok() -> Act {
    Act::Send(vec![0, 0, 0, 2, 0, 0, 0])
}

fn endpoint(port: u16, mode: TlsMode) -> Endpoint {
    Endpoint {
        host: "127.0.0.1".into(),
        port,
        user: "somebody".into(),
        password: Secret(PASSWORD.into()),
        tls: Tls { mode, ..Tls::default() },
    }
}

/// Connects to a server that does all that.
async fn played(mode: TlsMode, acts: Vec<Act>) -> Wire<Packets> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        for (number, act) in (0..).zip(acts) {
            match act {
                Act::Send(content) => {
                    let length = u32::try_from(content.len()).unwrap();
                    said.extend_from_slice(&(length | number << 24).to_le_bytes());
                    said.extend(content);
                }
                Act::Expect(part) => {
                    client.write_all(&std::mem::take(&mut said)).await.unwrap();
                    let header = client.read_u32_le().await.unwrap();
                    assert_eq!(header >> 24, number);
                    let mut content = vec![0; usize::try_from(header & 0xff_ffff).unwrap()];
                    client.read_exact(&mut content).await.unwrap();
                    assert!(part.is_empty() || content.windows(part.len()).any(|there| there == part));
                }
            }
        }
        client.write_all(&said).await.unwrap();
        client
    });
    let endpoint = endpoint(port, mode);
    let connected = tokio::time::timeout(Duration::from_secs(10), connect(&endpoint)).await.unwrap();
    server.await.unwrap();
    connected
}

#[tokio::test]
async fn the_native_plugin_proves_the_password_at_once_or_after_a_switch() {
    let (first, second) = (b"12345678901234567890", b"abcdefghijklmnopqrst");
    let at_once = vec![greeting(false, "mysql_native_password"), Act::Expect(native(first)), ok()];
    played(TlsMode::Disabled, at_once).await.unwrap();
    let after_a_switch = vec![
        greeting(false, "caching_sha2_password"),
        Act::Expect(b"caching_sha2_password\0".to_vec()),
        switch("mysql_native_password", second),
        Act::Expect(native(second)),
        ok(),
    ];
    played(TlsMode::Preferred, after_a_switch).await.unwrap();
}

#[tokio::test]
async fn a_plugin_that_is_not_known_is_named() {
    let known = || vec![greeting(false, "caching_sha2_password"), Act::Expect(Vec::new())];
    for plugin in ["sha256_password", "authentication_ldap_sasl_client", "mysql_clear_password"] {
        let mut acts = known();
        acts.push(switch(plugin, b"abcdefghijklmnopqrst"));
        let error = played(TlsMode::Disabled, acts).await.err().unwrap();
        assert!(error.to_string().contains(plugin), "{error}");
    }
    // The oldest has no name.
    let mut acts = known();
    acts.push(Act::Send(vec![0xfe]));
    let error = played(TlsMode::Disabled, acts).await.err().unwrap();
    assert!(error.to_string().contains("mysql_old_password"), "{error}");
    // Nor may a server switch for ever.
    let mut acts = known();
    acts.push(switch("caching_sha2_password", b"abcdefghijklmnopqrst"));
    acts.push(Act::Expect(Vec::new()));
    acts.push(switch("caching_sha2_password", b"abcdefghijklmnopqrst"));
    let error = played(TlsMode::Disabled, acts).await.err().unwrap();
    assert!(matches!(error, Error::Driver(DriverError::UnexpectedPacket { .. })), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused_where_that_is_demanded() {
    for mode in [TlsMode::Required, TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
        let error = played(mode, vec![greeting(false, "caching_sha2_password")]).await.err().unwrap();
        assert!(matches!(error, Error::Driver(DriverError::NoClientSslFlagFromServer)), "{mode:?}: {error}");
    }
    let acts = vec![greeting(false, "caching_sha2_password"), Act::Expect(b"somebody".to_vec()), ok()];
    played(TlsMode::Preferred, acts).await.unwrap();
}

#[tokio::test]
async fn what_comes_before_the_encryption_is_not_taken_for_encrypted() {
    let acts = vec![greeting(true, "caching_sha2_password"), ok()];
    let error = played(TlsMode::Required, acts).await.err().unwrap();
    assert!(matches!(error, Error::Driver(DriverError::PacketOutOfOrder)), "{error}");
}

#[tokio::test]
async fn a_server_that_turns_away_says_why() {
    let text = b"Host 'x' is blocked because of many connection errors";
    let refusal = [&[0xff, 0x69, 0x04][..], text].concat();
    let error = played(TlsMode::Preferred, vec![Act::Send(refusal)]).await.err().unwrap();
    let Error::Server(error) = error else { panic!("{error}") };
    assert_eq!((error.code, error.message.as_bytes()), (1129, &text[..]));
}

/// All that a server says while an account logs in, and to a statement behind that: each packet with its number.
fn conversations() -> Vec<Vec<u8>> {
    let content = |act: Act| match act {
        Act::Send(content) => content,
        Act::Expect(_) => Vec::new(),
    };
    let key = Rsa::generate(1024).unwrap().public_key_to_pem().unwrap();
    let native = || content(greeting(false, "mysql_native_password"));
    let caching = || content(greeting(false, "caching_sha2_password"));
    let other = content(switch("mysql_native_password", b"abcdefghijklmnopqrst"));
    let end = vec![0xfe, 0, 0, 2, 0];
    let answer = [vec![1], b"\x03def".to_vec(), end.clone(), b"\x01x".to_vec(), end];
    let refusal = b"\xff\x15\x04#28000Access denied".to_vec();
    let logins = [
        vec![(0, native()), (2, content(ok()))],
        vec![(0, caching()), (2, other), (4, content(ok()))],
        vec![(0, caching()), (2, vec![1, 3]), (3, content(ok()))],
        vec![(0, caching()), (2, vec![1, 4]), (4, [&[1], &key[..]].concat()), (6, content(ok()))],
        vec![(0, caching()), (2, refusal)],
    ];
    let framed = |(number, content): (u8, Vec<u8>)| {
        let length = u32::try_from(content.len()).unwrap();
        [&(length | u32::from(number) << 24).to_le_bytes(), &content[..]].concat()
    };
    let with_answer =
        |login: Vec<_>| login.into_iter().chain((1..).zip(answer.clone())).flat_map(framed).collect();
    logins.into_iter().map(with_answer).collect()
}

/// Logs in where this is said, and runs a statement.
fn heard(said: &[u8]) -> cdc_sdk::Result<Option<Vec<Option<String>>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let talk = async {
        let (client, mut server) = tokio::io::duplex(1 << 20);
        server.write_all(said).await?;
        server.shutdown().await?;
        let packets = Packets::new(Box::new(client), Duration::from_secs(10));
        let mut packets = login(packets, &endpoint(0, TlsMode::Preferred)).await?;
        run(&mut packets, "SELECT 'x'").await
    };
    runtime.block_on(talk).map_err(failure)
}

#[test]
fn what_is_damaged_below_is_understood_whole() {
    let heard: Vec<_> = conversations().iter().map(|said| heard(said)).collect();
    let (refused, logins) = heard.split_last().unwrap();
    assert_eq!(refused.as_ref().unwrap_err().kind(), cdc_sdk::Kind::MysqlDenied);
    for login in logins {
        assert_eq!(login.as_ref().unwrap(), &Some(vec![Some("x".to_owned())]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_logins(said in prop::sample::select(conversations()), wrong in damages()) {
        let said = damaged(&said, &wrong);
        let most = said.len() as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| drop(heard(&said)));
        prop_assert!(taken <= most, "{taken} bytes of memory for {}: {said:?}", said.len());
    }
}
