//! `check` names what is missing, with the statement; with that done the sink does all it has to.

use cdc_mysql_sink::{Batch, End, check};
use cdc_sdk::endpoint::Secret;
use mysql_async::prelude::Queryable;

use crate::world::*;

#[test]
fn from_no_privilege_to_all_that_are_needed() {
    in_world(|mut world| async move {
        let route = |text: &str| cdc_sdk::pattern::Pattern::parse(text).unwrap();
        let to = route(&format!("{}.*", world.database));
        world.settings.routes =
            vec![cdc_sdk::pattern::Route::new(route(&format!("{}.*", world.database)), to).unwrap()];
        let mut admin = world.admin().await;
        let user = format!("u{}", &world.database[7..]);
        admin.query_drop(format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'")).await.unwrap();
        world.settings.endpoint.user = user.clone();
        world.settings.endpoint.password = Secret("secret".into());
        let findings = check(&world.settings).await.unwrap();
        let blocking: Vec<_> = findings.iter().filter(|f| f.blocks && f.mend.starts_with("GRANT")).collect();
        assert!(blocking.len() >= 2, "{findings:?}");
        for finding in blocking {
            admin.query_drop(finding.mend.replace("`<database>`", "`nowhere`")).await.unwrap();
        }
        let left = check(&world.settings).await.unwrap();
        assert!(left.iter().all(|f| !f.blocks), "{left:?}");

        let people = world.people();
        let mut sink = world.open().await;
        let mut wide = cdc_sdk::Table::clone(&people);
        wide.columns.push(nullable(int("more")));
        let wide = std::sync::Arc::new(wide);
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.apply(&mut sink, vec![create(&wide, vec![n(2), t("b"), n(1), n(2)])]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&people)]).await.unwrap();
        sink.apply(Batch::new(vec![create(&people, vec![n(3), t("c"), n(1)])], End::More)).await.unwrap();
        // A predecessor that is not closed is ended without any privilege over connections.
        let lock = format!("SELECT IS_USED_LOCK('cdc_sink_{}')", world.settings.name);
        let lock: Option<Option<u64>> = admin.query_first(lock).await.unwrap();
        admin.query_drop(format!("KILL {}", lock.flatten().unwrap())).await.unwrap();
        let next = cdc_mysql_sink::Sink::open(world.settings.clone(), |_| {}).await.unwrap();
        assert_eq!(next.progress().epoch, 2);
        next.close().await;
        drop(sink);
        admin.query_drop(format!("DROP USER '{user}'@'%'")).await.unwrap();
    });
}

#[test]
fn tables_without_transactions_and_triggers_are_found() {
    in_world(|mut world| async move {
        let route = |text: &str| cdc_sdk::pattern::Pattern::parse(text).unwrap();
        let to = route(&format!("{}.*", world.database));
        world.settings.routes = vec![cdc_sdk::pattern::Route::new(route("shop.*"), to).unwrap()];
        world.create_database().await;
        world.sql("CREATE TABLE DB.old (id INT PRIMARY KEY) ENGINE=MyISAM").await;
        world.sql("CREATE TABLE DB.seen (id INT PRIMARY KEY)").await;
        world.sql("CREATE TRIGGER DB.watch BEFORE INSERT ON DB.seen FOR EACH ROW SET @seen = NEW.id").await;
        let findings = check(&world.settings).await.unwrap();
        let found = |text: &str, blocks| findings.iter().any(|f| f.what.contains(text) && f.blocks == blocks);
        assert!(found("MyISAM", true), "{findings:?}");
        assert!(found("trigger `watch`", false), "{findings:?}");
        // Without routes it is not known where the sink will write.
        world.settings.routes.clear();
        let findings = check(&world.settings).await.unwrap();
        let of_world = |f: &&cdc_sdk::Finding| f.what.contains(&world.database) && f.what.contains("`watch`");
        assert!(findings.iter().find(of_world).is_some_and(|f| !f.blocks), "{findings:?}");
    });
}
