//! How a MySQL server is reached.

mod kept;

use std::fmt;
use std::path::PathBuf;

pub use kept::Kept;

/// A server and the account to use there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Encryption.
    pub tls: Tls,
}

/// A text that never shows in a log, an error or a status.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the connection is encrypted; the modes are those of MySQL's `--ssl-mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// What is demanded.
    pub mode: TlsMode,
    /// PEM file of the authorities that may have signed the server's certificate.
    pub ca: Option<PathBuf>,
    /// The client's certificate and key.
    pub identity: Option<Identity>,
}

/// A client's certificate with its key, as a PKCS #12 archive without a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Vec<u8>);

impl Identity {
    /// Of the archive's bytes.
    pub fn new(archive: Vec<u8>) -> Self {
        Self(archive)
    }

    /// The archive's bytes.
    pub fn archive(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is demanded of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// No encryption.
    Disabled,
    /// Encryption where the server offers it.
    #[default]
    Preferred,
    /// Encryption, whoever the server is.
    Required,
    /// Encryption, and a certificate that `ca` signed.
    VerifyCa,
    /// And the certificate names the host.
    VerifyIdentity,
}

impl Tls {
    /// Whether the server's certificate is looked at.
    pub fn verifies(&self) -> bool {
        matches!(self.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}
