//! What is refused though it can be read.

use super::*;

/// A certificate that signs itself, in PEM.
fn certificate() -> Vec<u8> {
    use openssl::{ec, hash, nid, pkey, x509};
    let curve = ec::EcGroup::from_curve_name(nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = pkey::PKey::from_ec_key(ec::EcKey::generate(&curve).unwrap()).unwrap();
    let mut name = x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "an authority").unwrap();
    let name = name.build();
    let [now, later] = [0, 1].map(|days| openssl::asn1::Asn1Time::days_from_now(days).unwrap());
    let mut builder = x509::X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_not_before(&now).unwrap();
    builder.set_not_after(&later).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.sign(&key, hash::MessageDigest::sha256()).unwrap();
    builder.build().to_pem().unwrap()
}

#[test]
fn who_names_authorities_has_certificates_held_against_them() {
    let file = std::env::temp_dir().join(format!("cdc-ca-{}.pem", std::process::id()));
    std::fs::write(&file, certificate()).unwrap();
    let ca = format!("ca = \"{}\"\n", file.display());
    let with = |tls: &str| source(&SOURCE.replace("mode = \"required\"\n", tls));
    let tls = with(&ca).unwrap().mysql.tls;
    assert_eq!((tls.mode, tls.ca.as_deref()), (TlsMode::VerifyCa, Some(file.as_path())));
    let tls = with(&format!("mode = \"verify_identity\"\n{ca}")).unwrap().mysql.tls;
    assert_eq!(tls.mode, TlsMode::VerifyIdentity);
    for mode in ["disabled", "preferred", "required"] {
        let error = with(&format!("mode = \"{mode}\"\n{ca}")).unwrap_err().to_string();
        assert!(error.contains("[mysql.tls] 'ca': nobody looks at it"), "{error}");
    }
    std::fs::write(&file, "no certificate").unwrap();
    let error = with(&ca).unwrap_err().to_string();
    assert!(error.contains("holds no certificate"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = with(&ca).unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn variables_of_no_section_are_refused() {
    let parse = |name: &str| SinkConfig::parse(SINK, &around(&[(name, "x")])).map(drop);
    for (name, why) in [
        ("CDC_APPLYY__SCHEMA", "CDC_APPLY__"),
        ("CDC_MYSQLL__HOST", "CDC_MYSQL__"),
        ("CDC_ROUTE__0__FROM", "in [[route]]"),
        ("CDC_ROUTE__FROM", "in [[route]]"),
    ] {
        let error = parse(name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(why), "{error}");
    }
    // The source's own, and what is not ours.
    for name in ["CDC_CAPTURE__INCLUDE", "CDC_SOURCE_PASSWORD", "CDC_", "OTHER__X"] {
        parse(name).unwrap();
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let of_topics = |more: &str| source(&SOURCE.replace("retention_ms = 604800000", more)).map(drop);
    for more in ["prefix = ''", "retention_ms = 0", "retention_ms = 59999", "retention_ms = -2"] {
        let error = of_topics(more).unwrap_err().to_string();
        assert!(error.contains("[topics] '"), "{more}: {error}");
    }
    for more in ["prefix = 'a.b'", "retention_ms = -1", "retention_ms = 60000"] {
        of_topics(more).unwrap();
    }
    let of_memory = |bytes: &str| source(&format!("{SOURCE}[limits]\nmemory_bytes = {bytes}\n")).map(drop);
    assert!(of_memory("9223372036854775807").unwrap_err().to_string().contains("from 67108864 to"));
    of_memory("1099511627776").unwrap();
}
