//! Encryption of the connection, from MySQL's `--ssl-mode` to the driver's options.

use cdc_sdk::endpoint::{Tls, TlsMode};
use cdc_sdk::{Error, Kind, Result};
use mysql_async::{ClientIdentity, SslOpts};

/// The driver's options for a connection that is to be encrypted.
///
/// As with MySQL's own client, only `VERIFY_CA` and `VERIFY_IDENTITY` look at the
/// certificate; a `ca` given makes it the only authority.
///
/// # Errors
/// [`Kind::Settings`]: a client certificate in a form that is not taken.
pub(super) fn options(tls: &Tls) -> Result<SslOpts> {
    let verifies = matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(!verifies)
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    Ok(options.with_client_identity(identity(tls)?))
}

/// A client certificate; the TLS library in use takes certificate and key as one PKCS #12 archive.
fn identity(tls: &Tls) -> Result<Option<ClientIdentity>> {
    let Some(cert) = &tls.cert else { return Ok(None) };
    if cert.extension().is_some_and(|e| e.eq_ignore_ascii_case("p12") || e.eq_ignore_ascii_case("pfx")) {
        return Ok(Some(ClientIdentity::new(cert.clone().into())));
    }
    Err(Error::new(
        Kind::Settings,
        format!("[mysql.tls] cert = {} is not a PKCS #12 archive", cert.display()),
    )
    .hint("openssl pkcs12 -export -passout pass: -in client-cert.pem -inkey client-key.pem -out client.p12"))
}
