//! How the account proves that it is who it says, as the server asks for it: `mysql_native_password`, or
//! `caching_sha2_password` (MySQL source, `page_caching_sha2_authentication_exchanges`). The other connections
//! know no more either.

use mysql_async::{DriverError, Error};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest};
use openssl::rsa::{Padding, Rsa};

use super::Wire;
use super::packets::Packets;
use super::statement::server_error;

/// First bytes of the server's packets.
const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const SWITCH: u8 = 0xfe;
const ERROR: u8 = 0xff;
/// What it goes on with, in a packet of [`MORE`]: it knew the password, or wants it itself.
const KNOWN: u8 = 0x03;
const IN_FULL: u8 = 0x04;
/// Asks for the server's public key.
const GIVE_KEY: u8 = 0x02;
/// What a switch without a name means.
const OLDEST: &str = "mysql_old_password";

/// Who logs in.
pub(super) struct Account<'a> {
    pub password: &'a str,
    pub plugin: AuthPlugin<'static>,
    /// What the server has made up for this connection.
    pub nonce: Vec<u8>,
    /// The connection is.
    pub encrypted: bool,
}

impl Account<'_> {
    /// What proves that the password is known without telling it; nothing for an empty one.
    pub fn proof(&self) -> Wire<Vec<u8>> {
        match &self.plugin {
            AuthPlugin::MysqlNativePassword | AuthPlugin::CachingSha2Password => {
                let proof = self.plugin.gen_data(Some(self.password), &self.nonce);
                Ok(proof.map(|proof| proof.to_vec()).unwrap_or_default())
            }
            other => Err(unknown(&String::from_utf8_lossy(other.as_bytes()))),
        }
    }

    /// The password itself, so that only the owner of the key can read it, and only this once.
    fn sealed(&self, key: &[u8]) -> Wire<Vec<u8>> {
        let mut text = self.password_with_end();
        text.iter_mut().zip(self.nonce.iter().cycle()).for_each(|(byte, nonce)| *byte ^= nonce);
        let key = Rsa::public_key_from_pem(key).map_err(other)?;
        let mut sealed = vec![0; key.size() as usize];
        key.public_encrypt(&text, &mut sealed, Padding::PKCS1_OAEP).map_err(other)?;
        Ok(sealed)
    }

    fn password_with_end(&self) -> Vec<u8> {
        let mut text = self.password.as_bytes().to_vec();
        text.push(0);
        text
    }
}

/// Answers until the server lets the account in.
pub(super) async fn finish(packets: &mut Packets, mut account: Account<'_>) -> Wire<()> {
    let mut switched = false;
    loop {
        let packet = packets.next().await?;
        let by_cache = account.plugin == AuthPlugin::CachingSha2Password;
        match (packet.first().copied(), packet.get(1).copied()) {
            (Some(OK), _) => return Ok(()),
            (Some(ERROR), _) => return Err(server_error(&packet)),
            (Some(SWITCH), None) => return Err(unknown(OLDEST)),
            (Some(SWITCH), Some(_)) if !switched => {
                switched = true;
                let request: AuthSwitchRequest<'_> = ParseBuf(&packet).parse(())?;
                account.plugin = request.auth_plugin().into_owned();
                account.nonce = request.plugin_data().to_vec();
                packets.send(&account.proof()?).await?;
            }
            (Some(MORE), Some(KNOWN)) if by_cache => {}
            (Some(MORE), Some(IN_FULL)) if by_cache && account.encrypted => {
                packets.send(&account.password_with_end()).await?;
            }
            (Some(MORE), Some(IN_FULL)) if by_cache => {
                packets.send(&[GIVE_KEY]).await?;
                let key = packets.next().await?;
                packets.send(&account.sealed(key.get(1..).unwrap_or_default())?).await?;
            }
            _ => return Err(Error::Driver(DriverError::UnexpectedPacket { payload: packet.to_vec() })),
        }
    }
}

fn unknown(plugin: &str) -> Error {
    Error::Driver(DriverError::UnknownAuthPlugin { name: plugin.to_owned() })
}

fn other(failure: openssl::error::ErrorStack) -> Error {
    Error::Other(Box::new(failure))
}
