use super::*;

fn with(options: &[(&str, &str)]) -> Settings {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings::new("127.0.0.1:1", options)
}

#[test]
fn properties_of_librdkafka_pass() {
    with(&[("socket.timeout.ms", "1000"), ("linger.ms", "1")]).check().unwrap();
}

#[test]
fn every_reserved_property_is_named_at_once() {
    let error = with(&[("acks", "1"), ("isolation.level", "read_uncommitted"), ("linger.ms", "1")]).check();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.what().contains("acks, isolation.level"), "{error}");
}

#[test]
fn reserved_properties_exist() {
    for name in RESERVED {
        let mut config = ClientConfig::new();
        config.set(*name, "?!");
        let Err(KafkaError::ClientConfig(_, why, _, _)) = config.create_native_config() else { continue };
        assert!(!why.contains("No such configuration property"), "{name}: {why}");
    }
}

#[test]
fn unknown_properties_and_values_are_settings_errors() {
    let error = with(&[("sockets.timeout.ms", "1")]).check().unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.what().contains("sockets.timeout.ms"), "{error}");
    assert!(with(&[("socket.timeout.ms", "soon")]).check().is_err());
}

#[test]
fn secrets_are_not_repeated() {
    let settings = with(&[("sasl.password", "hunter2")]);
    assert!(!format!("{settings:?}").contains("hunter2"));
    let cause = KafkaError::ClientConfig(
        rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
        "Invalid value \"hunter2\"".to_owned(),
        "sasl.password".to_owned(),
        "hunter2".to_owned(),
    );
    assert!(!settings.refused(&cause).to_string().contains("hunter2"));
}
