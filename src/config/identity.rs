//! A client's certificate and key, from PEM files or one PKCS #12 archive; and the authorities of servers.

use std::path::Path;

use cdc_sdk::endpoint::Identity;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;

use super::FILE_BYTES_MAX;

/// What is wrong with a certificate, or with its key.
pub(super) struct Wrong {
    /// Whether it is the key.
    pub key: bool,
    /// What it is.
    pub what: String,
}

/// Reads `cert` with its `key`, or as an archive (`.p12`, `.pfx`) that holds both and has no password.
pub(super) fn read(cert: &Path, key: Option<&Path>) -> Result<Identity, Wrong> {
    let of_cert = |what| Wrong { key: false, what };
    let of_key = |what| Wrong { key: true, what };
    let bytes = contents(cert).map_err(of_cert)?;
    let archive = |e: &std::ffi::OsStr| e.eq_ignore_ascii_case("p12") || e.eq_ignore_ascii_case("pfx");
    let Some(key) = key else {
        return match cert.extension().is_some_and(archive) {
            true => Ok(Identity::new(bytes)),
            false => Err(of_cert("needs 'key' beside it, or is a PKCS #12 archive: .p12, .pfx".to_owned())),
        };
    };
    let chain = X509::stack_from_pem(&bytes).map_err(|e| of_cert(format!("is no PEM certificate: {e}")))?;
    let key = PKey::private_key_from_pem_passphrase(&contents(key).map_err(of_key)?, b"")
        .map_err(|e| of_key(format!("is no PEM key without a password: {e}")))?;
    let mut chain = chain.into_iter();
    let Some(own) = chain.next() else { return Err(of_cert("holds no certificate".to_owned())) };
    if !own.public_key().is_ok_and(|public| public.public_eq(&key)) {
        return Err(of_key("is not the key of 'cert'".to_owned()));
    }
    let identity = pack(&own, &key, chain).map_err(|e| of_cert(format!("cannot be used: {e}")))?;
    Ok(Identity::new(identity))
}

/// Whether the file has certificates of authorities, in PEM or one in DER.
pub(super) fn check_authorities(ca: &Path) -> Result<(), String> {
    let bytes = contents(ca)?;
    let found =
        X509::stack_from_pem(&bytes).is_ok_and(|all| !all.is_empty()) || X509::from_der(&bytes).is_ok();
    if found { Ok(()) } else { Err(format!("{} holds no certificate in PEM", ca.display())) }
}

fn pack(cert: &X509, key: &PKey<Private>, chain: impl Iterator<Item = X509>) -> Result<Vec<u8>, ErrorStack> {
    let mut authorities = Stack::new()?;
    for authority in chain {
        authorities.push(authority)?;
    }
    Pkcs12::builder().name("cdc").pkey(key).cert(cert).ca(authorities).build2("")?.to_der()
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    match std::fs::metadata(path).map_err(cannot)?.len() {
        0..=FILE_BYTES_MAX => std::fs::read(path).map_err(cannot),
        _ => Err(format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display())),
    }
}
