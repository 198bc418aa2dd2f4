//! Encryption of the connection, from MySQL's `--ssl-mode` to the driver's options, and to the same for the
//! connection that is not the driver's.

use cdc_sdk::endpoint::{Tls, TlsMode};
use mysql_async::{ClientIdentity, SslOpts};
use tokio_native_tls::TlsConnector;
use tokio_native_tls::native_tls::{self, Certificate};

/// The driver's options for a connection that is to be encrypted.
///
/// As with MySQL's own client, only `VERIFY_CA` and `VERIFY_IDENTITY` look at the
/// certificate; a `ca` given makes it the only authority.
pub(super) fn options(tls: &Tls) -> SslOpts {
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(!verifies(tls))
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    let identity = tls.identity.as_ref().map(|i| ClientIdentity::new(i.archive().to_vec().into()));
    options.with_client_identity(identity)
}

fn verifies(tls: &Tls) -> bool {
    matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity)
}

/// What [`options`] makes of it, for a connection that the driver does not open.
pub(crate) async fn connector(tls: &Tls) -> Result<TlsConnector, mysql_async::Error> {
    let mut builder = native_tls::TlsConnector::builder();
    builder
        .danger_accept_invalid_certs(!verifies(tls))
        .danger_accept_invalid_hostnames(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        builder.disable_built_in_roots(true);
        for certificate in authorities(&tokio::fs::read(ca).await?)? {
            builder.add_root_certificate(certificate);
        }
    }
    if let Some(identity) = &tls.identity {
        builder.identity(native_tls::Identity::from_pkcs12(identity.archive(), "")?);
    }
    Ok(builder.build()?.into())
}

fn authorities(file: &[u8]) -> native_tls::Result<Vec<Certificate>> {
    Certificate::from_der(file).map(|one| vec![one]).or_else(|_| Certificate::stack_from_pem(file))
}
