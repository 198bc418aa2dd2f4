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
use super::statement::server_error;
use crate::session;

/// Bytes of the random number that a password is mixed with.
const NONCE_LEN: usize = 20;
const MAX_PACKET: u32 = CONTENT_BYTES_MAX as u32;

/// An open connection, logged in.
pub(super) async fn connect(endpoint: &Endpoint) -> Wire<Packets> {
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    tcp.set_nodelay(true)?;
    let mut packets = Packets::new(Box::new(tcp), session::CONNECT_TIMEOUT);
    let greeting = packets.next().await?;
    if greeting.first() == Some(&0xff) {
        return Err(server_error(&greeting));
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
