//! Against servers that are played: what those at hand do not do.

use std::time::Duration;

use cdc_sdk::endpoint::{Secret, Tls};
use mysql_common::constants::StatusFlags;
use mysql_common::packets::AuthSwitchRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

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
    let endpoint = Endpoint {
        host: "127.0.0.1".into(),
        port,
        user: "somebody".into(),
        password: Secret(PASSWORD.into()),
        tls: Tls { mode, ..Tls::default() },
    };
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
