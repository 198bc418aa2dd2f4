//! How the connection to the log is opened, held against the client library's own connections.

use std::sync::Arc;

use cdc_sdk::Kind;
use cdc_sdk::endpoint::{Endpoint, Secret, TlsMode};

use super::lab::{Lab, Nothing, endpoint};
use crate::binlog::BinlogEvent;
use crate::session;

const PASSWORD: &str = "ge heim, länger als die Zufallszahl des Servers";

fn with(user: &str, password: &str, mode: TlsMode) -> Endpoint {
    let mut endpoint = endpoint().unwrap();
    user.clone_into(&mut endpoint.user);
    endpoint.password = Secret(password.to_owned());
    endpoint.tls.mode = mode;
    endpoint
}

async fn make(lab: &mut Lab, user: &str, password: &str, more: &str) {
    lab.run(format!("DROP USER IF EXISTS {user}")).await;
    lab.run(format!("CREATE USER {user} IDENTIFIED WITH caching_sha2_password BY '{password}' {more}")).await;
    lab.run(format!("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {user}")).await;
}

#[tokio::test]
async fn a_password_is_sealed_or_encrypted_the_first_time_and_proved_the_next() {
    let Some(mut lab) = Lab::open("sha2").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let start = lab.now().await;
    lab.run("INSERT INTO t VALUES (1)").await;
    let user = format!("cdc_sha2_{}", std::process::id());
    for password in [PASSWORD, ""] {
        for mode in [TlsMode::Disabled, TlsMode::Preferred, TlsMode::Required] {
            // What the server has seen of a password it forgets with the account.
            make(&mut lab, &user, password, "").await;
            for time in ["first", "second"] {
                let endpoint = with(&user, password, mode);
                let catalogue = Arc::new(Nothing::default());
                let mut stream = lab
                    .stream_as(endpoint, start.clone(), catalogue)
                    .await
                    .unwrap_or_else(|e| panic!("{mode:?}, {time} time: {e}"));
                while !matches!(stream.next().await.unwrap(), BinlogEvent::Commit(_)) {}
            }
        }
    }
    lab.run(format!("DROP USER {user}")).await;
    lab.close().await;
}

#[tokio::test]
async fn a_certificate_is_held_against_its_authority_and_the_name() {
    let Some(mut lab) = Lab::open("certificate").await else { return };
    let start = lab.now().await;
    let user = format!("cdc_ca_{}", std::process::id());
    make(&mut lab, &user, PASSWORD, "").await;
    let ca = lab.text("SELECT CONCAT(@@datadir, @@ssl_ca)").await;
    // A server makes its own certificate, for no name.
    for (mode, is_taken) in [(TlsMode::VerifyCa, true), (TlsMode::VerifyIdentity, false)] {
        let mut endpoint = with(&user, PASSWORD, mode);
        endpoint.tls.ca = Some(ca.clone().into());
        assert_eq!(session::connect(&endpoint).await.is_ok(), is_taken, "{mode:?}, the driver's");
        let ours = lab.stream_as(endpoint, start.clone(), Arc::new(Nothing::default())).await;
        assert_eq!(ours.is_ok(), is_taken, "{mode:?}: {:?}", ours.err());
    }
    lab.run(format!("DROP USER {user}")).await;
    lab.close().await;
}

#[tokio::test]
async fn refusals_read_as_those_of_any_other_connection() {
    let Some(mut lab) = Lab::open("refused").await else { return };
    let start = lab.now().await;
    let user = format!("cdc_ref_{}", std::process::id());
    let cases = [
        ("", "wrong", TlsMode::Disabled),
        ("", "wrong", TlsMode::Required),
        ("PASSWORD EXPIRE", PASSWORD, TlsMode::Disabled),
        ("ACCOUNT LOCK", PASSWORD, TlsMode::Disabled),
        ("REQUIRE SSL", PASSWORD, TlsMode::Disabled),
        ("REQUIRE X509", PASSWORD, TlsMode::Required),
        // A certificate that nobody vouches for.
        ("", PASSWORD, TlsMode::VerifyCa),
        ("", PASSWORD, TlsMode::VerifyIdentity),
    ];
    for (more, password, mode) in cases {
        make(&mut lab, &user, PASSWORD, more).await;
        let endpoint = with(&user, password, mode);
        let theirs = session::connect(&endpoint).await.unwrap_err();
        let ours = lab.stream_as(endpoint, start.clone(), Arc::new(Nothing::default())).await.unwrap_err();
        // What fails in TLS is to us one more failure of the line.
        let once =
            |text: String| text.replace("Input/output error: Input/output error:", "Input/output error:");
        assert_eq!(once(ours.to_string()), theirs.to_string(), "{more}, {mode:?}");
        assert_eq!(once(format!("{ours:?}")), format!("{theirs:?}"), "{more}, {mode:?}");
    }
    // Without the privilege, it is the command that is refused.
    make(&mut lab, &user, PASSWORD, "").await;
    lab.run(format!("REVOKE REPLICATION SLAVE ON *.* FROM {user}")).await;
    let endpoint = with(&user, PASSWORD, TlsMode::Required);
    let error = lab.stream_as(endpoint, start, Arc::new(Nothing::default())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::MysqlDenied, "{error}");
    lab.run(format!("DROP USER {user}")).await;
    lab.close().await;
}
