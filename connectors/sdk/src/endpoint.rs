//! How a MySQL server is reached.

use std::fmt;
use std::path::PathBuf;

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
    /// PEM file of the client's certificate.
    pub cert: Option<PathBuf>,
    /// PEM file of the client's key.
    pub key: Option<PathBuf>,
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}
