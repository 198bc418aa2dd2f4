use super::*;
use cdc_sdk::endpoint::{Secret, Tls};

fn endpoint(mode: TlsMode) -> Endpoint {
    Endpoint {
        host: "db.example".into(),
        port: 3307,
        user: "cdc".into(),
        password: Secret("geheim".into()),
        tls: Tls { mode, ..Tls::default() },
    }
}

#[test]
fn plain_only_where_asked_for() -> Result<()> {
    assert!(options(&endpoint(TlsMode::Disabled), false).ssl_opts().is_none());
    assert!(options(&endpoint(TlsMode::Required), true).ssl_opts().is_some());
    Ok(())
}

#[test]
fn only_the_verifying_modes_look_at_the_certificate() -> Result<()> {
    let accepts = |mode| -> Result<(bool, bool)> {
        let options = options(&endpoint(mode), true);
        let ssl = options.ssl_opts().map(|s| (s.accept_invalid_certs(), s.skip_domain_validation()));
        Ok(ssl.unwrap_or_default())
    };
    assert_eq!(accepts(TlsMode::Preferred)?, (true, true));
    assert_eq!(accepts(TlsMode::Required)?, (true, true));
    assert_eq!(accepts(TlsMode::VerifyCa)?, (false, true));
    assert_eq!(accepts(TlsMode::VerifyIdentity)?, (false, false));
    Ok(())
}

#[test]
fn a_packet_may_be_as_large_as_mysql_allows() -> Result<()> {
    let options = options(&endpoint(TlsMode::Disabled), false);
    assert_eq!(options.max_allowed_packet(), Some(1 << 30));
    assert!(!options.prefer_socket());
    Ok(())
}
