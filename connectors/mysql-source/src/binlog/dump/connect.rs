//! Opens the connection: network, encryption, account (MySQL source, `page_protocol_connection_phase`).
//!
//! Failures are those of the client library, so that this connection's errors read like any other's.

use std::collections::HashMap;

use cdc_sdk::endpoint::{Endpoint, TlsMode};
use mysql_async::{DriverError, Error};
use mysql_common::constants::{CapabilityFlags, UTF8MB4_GENERAL_CI};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;
use tokio::net::TcpStream;

use super::Wire;
use super::auth::{self, Account};
use super::packets::{CONTENT_BYTES_MAX, Packets};
use super::statement::{server_error, unexpected};
use crate::session;

/// Bytes of the random number that a password is mixed with.
const NONCE_LEN: usize = 20;
const MAX_PACKET: u32 = CONTENT_BYTES_MAX as u32;

/// An open connection, logged in.
pub(super) async fn connect(endpoint: &Endpoint) -> Wire<Packets> {
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    tcp.set_nodelay(true)?;
    login(Packets::new(Box::new(tcp), session::CONNECT_TIMEOUT), endpoint).await
}

/// Takes the server's greeting, and does what it asks for.
async fn login(mut packets: Packets, endpoint: &Endpoint) -> Wire<Packets> {
    let greeting = packets.next().await?;
    if greeting.first() == Some(&0xff) {
        return Err(server_error(&greeting));
    }
    if !is_readable(&greeting) {
        return Err(unexpected(&greeting));
    }
    let greeting: HandshakePacket<'_> = ParseBuf(&greeting).parse(())?;
    let capabilities = greeting.capabilities() & wanted(endpoint.tls.mode);
    let encrypted = capabilities.contains(CapabilityFlags::CLIENT_SSL);
    if encrypted {
        packets.send(&bytes(&SslRequest::new(capabilities, MAX_PACKET, UTF8MB4_GENERAL_CI as u8))).await?;
        packets = packets.encrypt(&endpoint.tls, &endpoint.host).await?;
    } else if !matches!(endpoint.tls.mode, TlsMode::Disabled | TlsMode::Preferred) {
        return Err(Error::Driver(DriverError::NoClientSslFlagFromServer));
    }
    // The server names the plugin of its own choice; which one the account has, it says afterwards.
    let plugin = match greeting.auth_plugin() {
        Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
        _ => AuthPlugin::MysqlNativePassword,
    };
    let account = Account { password: &endpoint.password.0, plugin, nonce: nonce(&greeting), encrypted };
    let answer = HandshakeResponse::new(
        Some(account.proof()?),
        greeting.server_version_parsed().unwrap_or_default(),
        Some(endpoint.user.as_bytes()),
        None::<&[u8]>,
        Some(account.plugin.clone()),
        capabilities,
        Some(HashMap::from([("program_name".to_owned(), session::PROGRAM_NAME.to_owned())])),
        MAX_PACKET,
    );
    packets.send(&bytes(&answer)).await?;
    auth::finish(&mut packets, account).await?;
    Ok(packets)
}

/// Whether the length that a greeting has for the rest of its nonce is one: the parser takes the byte as signed, and subtracts
/// from it unchecked (mysql_common 0.37.3), which from 128 on may end a debug build.
fn is_readable(greeting: &[u8]) -> bool {
    // Behind the version, which a NUL ends: connection, nonce, capabilities, collation, status.
    const LENGTH_AT: usize = 20;
    let block = greeting.iter().skip(1).position(|byte| *byte == 0).map(|version| version + 2);
    let length = block.and_then(|block| greeting.get(block + LENGTH_AT));
    length.is_none_or(|length| i8::try_from(*length).is_ok())
}

fn wanted(mode: TlsMode) -> CapabilityFlags {
    let always = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH;
    if mode == TlsMode::Disabled { always } else { always | CapabilityFlags::CLIENT_SSL }
}

fn nonce(greeting: &HandshakePacket<'_>) -> Vec<u8> {
    let mut nonce = greeting.scramble_1_ref().to_vec();
    nonce.extend_from_slice(greeting.scramble_2_ref().unwrap_or_default());
    // A NUL ends it, which does not count.
    nonce.resize(NONCE_LEN, 0);
    nonce
}

/// As it goes over the wire.
pub(super) fn bytes(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
