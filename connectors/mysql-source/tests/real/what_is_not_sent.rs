//! What the server leaves out without an error: texts that its packets would not hold, and databases that it does not log.

use cdc_mysql_source::{Start, check};
use cdc_sdk::{Error, Kind};

use crate::kit::{Model, Outcome, World, until_complete};
use crate::private_servers::Server;

/// As JSON it takes half of what it takes as text, which is more than 4 MiB.
const LARGE: &str = "JSON_OBJECT('text', REPEAT('\"\\n', 1200000))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_without_its_text_stops_the_snapshot() -> Outcome {
    let Some(server) = Server::start("packet", &["--max-allowed-packet=4194304"])? else { return Ok(()) };
    for (name, key, told) in [("keyed", " PRIMARY KEY", "id = Int(7)"), ("keyless", "", "no key")] {
        let mut world = World::at(name, server.address(), "root", "").await?;
        world.run(&format!("CREATE TABLE t (id INT{key}, j JSON);\nINSERT INTO t VALUES (1, '{{}}'), (2, NULL);\nINSERT INTO t VALUES (7, {LARGE})")).await?;
        let mut model = Model::default();
        let mut source = model.open(&world.settings(name)?, Start::Fresh).await?;
        let error = until_complete(&mut source, &mut model).await.err().ok_or("it was read")?;
        let error = *error.downcast::<Error>()?;
        assert_eq!(error.kind(), Kind::Unfit, "{error}");
        let text = error.to_string();
        assert!(text.contains("max_allowed_packet") && text.contains(told), "{text}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("SET GLOBAL max_allowed_packet")));
        world.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_logged_is_told_before_anything_is_read() -> Outcome {
    let ignored = format!("--binlog-ignore-db=cdc_src_ignored_{}", std::process::id());
    let Some(server) = Server::start("ignored", &[&ignored, "--log-replica-updates=OFF"])? else {
        return Ok(());
    };
    let mut world = World::at("ignored", server.address(), "root", "").await?;
    world.run("CREATE TABLE t (id INT PRIMARY KEY)").await?;
    let findings = check(&world.settings("ignored")?).await?;
    let about = |what: &str| findings.iter().find(|finding| finding.what.contains(what)).map(|of| of.blocks);
    assert_eq!(about("binlog_ignore_db"), Some(true), "{findings:?}");
    assert_eq!(about("log_replica_updates"), Some(false), "{findings:?}");
    world.end().await
}
