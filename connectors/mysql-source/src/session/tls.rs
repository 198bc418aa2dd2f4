//! Encryption of the connection, from MySQL's `--ssl-mode` to the driver's options.

use cdc_sdk::endpoint::{Tls, TlsMode};
use mysql_async::{ClientIdentity, SslOpts};

/// The driver's options for a connection that is to be encrypted.
///
/// As with MySQL's own client, only `VERIFY_CA` and `VERIFY_IDENTITY` look at the
/// certificate; a `ca` given makes it the only authority.
pub(super) fn options(tls: &Tls) -> SslOpts {
    let verifies = matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(!verifies)
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    let identity = tls.identity.as_ref().map(|i| ClientIdentity::new(i.archive().to_vec().into()));
    options.with_client_identity(identity)
}
