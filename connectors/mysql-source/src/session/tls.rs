//! Encryption of the connection, from MySQL's `--ssl-mode` to the driver's options, and to the same for the
//! connection that is not the driver's.

use std::fmt::Display;
use std::net::IpAddr;
use std::pin::Pin;

use cdc_sdk::endpoint::{Tls, TlsMode};
use mysql_async::{ClientIdentity, SslOpts};
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

/// The driver's options for a connection that is to be encrypted.
///
/// As with MySQL's own client, only `VERIFY_CA` and `VERIFY_IDENTITY` look at the
/// certificate; the `ca` given is then the only authority.
pub(super) fn options(tls: &Tls) -> SslOpts {
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(!tls.verifies())
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    let identity = tls.identity.as_ref().map(|i| ClientIdentity::new(i.archive().to_vec().into()));
    options.with_client_identity(identity)
}

/// A connection that the driver does not open, encrypted as [`options`] has it.
///
/// Authorities are read only where somebody asks for them. The driver's library (native-tls 0.2.18) reads those of the
/// system in any case, twice, which takes 80 ms of every start.
pub(crate) async fn encrypted<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &Tls,
    host: &str,
    io: S,
) -> Result<SslStream<S>, mysql_async::Error> {
    let ca = match &tls.ca {
        Some(file) => Some(tokio::fs::read(file).await?),
        None => None,
    };
    let ssl = session(tls, host, ca.as_deref()).map_err(failed)?;
    let mut stream = SslStream::new(ssl, io).map_err(failed)?;
    let Err(cause) = Pin::new(&mut stream).connect().await else { return Ok(stream) };
    match stream.ssl().verify_result() {
        X509VerifyResult::OK => Err(failed(cause)),
        reason => Err(failed(format!("{cause} ({reason})"))),
    }
}

/// In the words that the driver has for it.
fn failed(cause: impl Display) -> mysql_async::Error {
    std::io::Error::other(format!("TLS error: `{cause}'")).into()
}

fn session(tls: &Tls, host: &str, ca: Option<&[u8]>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_verify(if tls.verifies() { SslVerifyMode::PEER } else { SslVerifyMode::NONE });
    match ca {
        Some(file) => {
            for certificate in authorities(file)? {
                context.cert_store_mut().add_cert(certificate)?;
            }
        }
        None if tls.verifies() => context.set_default_verify_paths()?,
        None => {}
    }
    if let Some(identity) = &tls.identity {
        let parts = Pkcs12::from_der(identity.archive())?.parse2("")?;
        parts.cert.iter().try_for_each(|own| context.set_certificate(own))?;
        parts.pkey.iter().try_for_each(|key| context.set_private_key(key))?;
        for next in parts.ca.into_iter().flatten() {
            context.add_extra_chain_cert(next)?;
        }
    }
    let mut ssl = Ssl::new(&context.build())?;
    let address = host.parse::<IpAddr>().ok();
    if address.is_none() {
        ssl.set_hostname(host)?;
    }
    if tls.mode == TlsMode::VerifyIdentity {
        ssl.param_mut().set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        match address {
            Some(address) => ssl.param_mut().set_ip(address)?,
            None => ssl.param_mut().set_host(host)?,
        }
    }
    Ok(ssl)
}

fn authorities(file: &[u8]) -> Result<Vec<X509>, ErrorStack> {
    X509::from_der(file).map(|one| vec![one]).or_else(|_| X509::stack_from_pem(file))
}
