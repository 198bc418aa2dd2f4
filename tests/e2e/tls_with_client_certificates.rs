//! Accounts that demand a client's certificate, servers whose certificate is checked.

use std::fs;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::World;

/// The certificates that a server made for itself and for its clients.
async fn certificates(conn: &mut Conn) -> String {
    conn.query_first::<String, _>("SELECT @@datadir").await.unwrap().unwrap()
}

fn section(mode: &str, folder: &str, cert: &str, key: &str) -> String {
    format!(
        "\n[mysql.tls]\nmode = \"{mode}\"\nca = \"{folder}ca.pem\"\n\
         cert = \"{folder}{cert}\"\nkey = \"{folder}{key}\"\n"
    )
}

/// The settings of the account that demands a certificate, with a section of TLS.
fn with_account(settings: &str, user: &str, tls: &str) -> String {
    let lines = settings.lines().map(|line| match line.split(" = ").next() {
        Some("user") => format!("user = \"{user}\"\n"),
        Some("password") => "password = \"with a certificate\"\n".to_owned(),
        _ => format!("{line}\n"),
    });
    lines.collect::<String>() + tls
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_client_certificates() {
    let world = World::new("tls").await;
    let user = world.name.clone();
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1), (2)").await;
    let ends = [("source", world.source_conn().await), ("sink", world.dest_conn().await)];
    for (role, mut conn) in ends {
        conn.query_drop(format!("CREATE USER `{user}` IDENTIFIED BY 'with a certificate' REQUIRE X509"))
            .await
            .unwrap();
        conn.query_drop(format!("GRANT ALL ON *.* TO `{user}`")).await.unwrap();
        let folder = certificates(&mut conn).await;
        let file = world.file(&format!("{role}.toml"));
        let settings = fs::read_to_string(&file).unwrap();
        let run = |tls: &str| {
            fs::write(&file, with_account(&settings, &user, tls)).unwrap();
            world.cdc(&["check", "-c", &file])
        };
        let (code, text) = run("");
        assert_ne!(code, Some(0), "{role}: no certificate was asked for: {text}");
        let (code, text) = run(&section("verify_identity", &folder, "client-cert.pem", "client-key.pem"));
        assert_ne!(code, Some(0), "{role}: the server's own certificate names no host: {text}");
        let (code, text) = run(&section("verify_ca", &folder, "client-cert.pem", "server-key.pem"));
        assert_eq!(code, Some(2), "{role}: {text}");
        assert!(text.contains("[mysql.tls] 'key': is not the key of 'cert'"), "{text}");
        let (code, text) = run(&section("verify_ca", &folder, "client-cert.pem", "client-key.pem"));
        assert_eq!(code, Some(0), "{role}: {text}");
    }
    world.catch_up();
    world.assert_equal().await;
    for mut conn in [world.source_conn().await, world.dest_conn().await] {
        conn.query_drop(format!("DROP USER `{user}`")).await.unwrap();
    }
    world.end().await;
}
