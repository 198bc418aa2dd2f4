//! What an account may do, how it comes in, and what `check` says of a server.

use cdc_mysql_source::{Settings, Start, check};
use cdc_sdk::endpoint::{Secret, TlsMode};
use cdc_sdk::{Finding, Kind};

use crate::kit::{Model, Outcome, World, until_caught_up, until_complete};

const MAKE: &str =
    "CREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a VALUES (1), (2);\nCREATE TABLE nokey (x INT)";

async fn account(world: &mut World, user: &str, grants: &[&str], tls: TlsMode) -> Outcome<Settings> {
    world.run(&format!("DROP USER IF EXISTS {user};\nCREATE USER {user} IDENTIFIED WITH caching_sha2_password BY 'ge heim'")).await?;
    for grant in grants {
        world.run(&format!("GRANT {grant} TO {user}")).await?;
    }
    let mut settings = world.settings(user)?;
    settings.endpoint.user = user.to_owned();
    settings.endpoint.password = Secret("ge heim".into());
    settings.endpoint.tls.mode = tls;
    Ok(settings)
}

/// An account's name: at most 32 characters.
fn user(kind: &str) -> String {
    format!("cdc_{kind}_{}", std::process::id())
}

fn says<'f>(findings: &'f [Finding], text: &str) -> Option<&'f Finding> {
    findings.iter().find(|f| f.what.contains(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_works_plain_and_encrypted() -> Outcome {
    let Some(mut world) = World::new("tls").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let grants = ["REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.*"];
    for mode in [TlsMode::Disabled, TlsMode::Preferred, TlsMode::Required] {
        // A new account each time: a password that was used once is cached by the server.
        let name = user("tls");
        let settings = account(&mut world, &name, &grants, mode).await?;
        let findings = check(&settings).await.map_err(|e| format!("{mode:?}: {e}"))?;
        assert!(findings.iter().all(|f| !f.blocks), "{mode:?}: {findings:?}");
        let mut model = Model::default();
        let mut source = model.open(&settings, Start::Fresh).await.map_err(|e| format!("{mode:?}: {e}"))?;
        until_complete(&mut source, &mut model).await?;
        assert_eq!(model.tables.get(&world.table("a")).map(|rows| rows.len()), Some(2));
        world.run(&format!("DROP USER {name}")).await?;
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_certificate_is_refused_where_it_is_looked_at() -> Outcome {
    let Some(world) = World::new("verify").await? else { return Ok(()) };
    let mut settings = world.settings("verify")?;
    settings.endpoint.tls.mode = TlsMode::VerifyCa;
    assert!(check(&settings).await.is_err());
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lacking_is_said_at_once() -> Outcome {
    let Some(mut world) = World::new("grants").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let name = user("poor");
    let on_table = format!("INSERT ON {}.a", world.database);
    let settings = account(&mut world, &name, &[&on_table], TlsMode::Disabled).await?;
    let findings = check(&settings).await?;
    for lacking in ["REPLICATION SLAVE", "REPLICATION CLIENT", "may not read"] {
        let finding = says(&findings, lacking).ok_or(format!("{lacking}: {findings:?}"))?;
        assert!(finding.blocks && finding.mend.starts_with("GRANT"), "{finding}");
        world.run(&finding.mend).await?;
    }
    let findings = check(&settings).await?;
    assert!(findings.iter().all(|f| !f.blocks), "{findings:?}");

    let denied = Settings {
        endpoint: cdc_sdk::endpoint::Endpoint {
            password: Secret("falsch".into()),
            ..settings.endpoint.clone()
        },
        ..settings
    };
    let error = check(&denied).await.err().ok_or("a wrong password was taken")?;
    assert_eq!(error.kind(), Kind::MysqlDenied);
    assert!(!error.to_string().contains("falsch"));
    world.run(&format!("DROP USER {name}")).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_looked_at() -> Outcome {
    let Some(mut world) = World::new("look").await? else { return Ok(()) };
    world.run(MAKE).await?;
    world.run("CREATE TABLE my (id INT PRIMARY KEY) ENGINE = MyISAM").await?;
    let settings = world.settings("look")?;
    let findings = check(&settings).await?;
    let nokey = says(&findings, "nokey").ok_or("no word of the table without key")?;
    assert!(!nokey.blocks && nokey.mend.contains("PRIMARY KEY"));
    assert!(says(&findings, "MyISAM").is_some());
    let none = Settings {
        selection: cdc_sdk::pattern::Selection { include: Vec::new(), exclude: Vec::new() },
        ..settings
    };
    assert!(says(&check(&none).await?, "no table matches").is_some());
    world.end().await
}

/// The server's catalogue hides them, its log does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_table_that_the_account_may_not_see_stop_the_source() -> Outcome {
    let Some(mut world) = World::new("hidden").await? else { return Ok(()) };
    world.run(MAKE).await?;
    world.run("CREATE TABLE hidden (id INT PRIMARY KEY)").await?;
    let name = user("half");
    let select = ["a", "nokey"].map(|table| format!("SELECT ON {}.{table}", world.database));
    let grants = ["REPLICATION SLAVE, REPLICATION CLIENT ON *.*", &select[0], &select[1]];
    let settings = account(&mut world, &name, &grants, TlsMode::Disabled).await?;
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    world.run("INSERT INTO hidden VALUES (1)").await?;
    let stopped = until_caught_up(&mut source, &mut model).await.err().ok_or("rows were taken")?;
    let stopped = stopped.downcast::<cdc_sdk::Error>()?;
    assert_eq!(stopped.kind(), Kind::MysqlDenied, "{stopped}");
    let hint = stopped.hint_text().unwrap_or_default();
    assert!(hint.contains("GRANT SELECT ON") && hint.contains("`hidden`"), "{hint}");
    world.run(&format!("DROP USER {name}")).await?;
    world.end().await
}
