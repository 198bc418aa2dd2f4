//! A world on servers of its own.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use super::gauge::Gauge;
use crate::faults::own::{Own, Part};
use crate::kit::{Options, Process, World, until_within};

/// The longest that any one step may take.
pub const STEP_MAX: Duration = Duration::from_secs(3600);

/// Two MySQLs, a broker, and a world on them. The world goes first.
pub struct Stage {
    pub world: World,
    pub dest: Own,
    _servers: Vec<Own>,
}

impl Stage {
    /// `registry`: whether it needs one of its own, since it registers very much.
    pub async fn set(case: &str, mut options: Options, registry: bool) -> Self {
        // What dies with the machine is not what is looked at here.
        let mysql = ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--table-open-cache=4000"];
        let mysql = mysql.map(str::to_owned);
        let broker = [
            "message.max.bytes=268435456",
            "replica.fetch.max.bytes=268435456",
            "replica.fetch.response.max.bytes=268435456",
            "socket.request.max.bytes=536870912",
        ];
        let source = Own::start(case, Part::Source, &mysql);
        let dest = Own::start(case, Part::Dest, &mysql);
        let broker = Own::start(case, Part::Broker, &broker.map(str::to_owned));
        options.source_server = Some(source.address().to_owned());
        options.dest_server = Some(dest.address().to_owned());
        options.kafka = Some(broker.address().to_owned());
        let mut servers = vec![source, broker];
        if registry {
            let registry = Own::start(case, Part::Registry, &[]);
            options.registry = Some(registry.address().to_owned());
            servers.push(registry);
        }
        Self { world: World::with(case, &options).await, dest, _servers: servers }
    }

    /// Waits for a condition while both processes live, and looks at their memory.
    pub async fn until(
        &self,
        gauge: &mut Gauge,
        (source, sink): (&mut Process, &mut Process),
        what: &'static str,
        mut condition: impl AsyncFnMut() -> bool,
    ) {
        let begun = Instant::now();
        until_within(what, STEP_MAX, async || {
            source.assert_alive();
            sink.assert_alive();
            gauge.source.look(source);
            gauge.sink.look(sink);
            tokio::time::sleep(Duration::from_millis(80)).await;
            condition().await
        })
        .await;
        gauge.step(what, begun);
    }

    /// Waits for the end of a process that stops when it has caught up.
    pub fn run_to_end(gauge: &mut Gauge, what: &'static str, role: &str, process: &mut Process) {
        let begun = Instant::now();
        while !process.has_ended() {
            let peak = if role == "source" { &mut gauge.source } else { &mut gauge.sink };
            peak.look(process);
            assert!(begun.elapsed() < STEP_MAX, "{what}: {}", process.log_tail());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(process.wait(STEP_MAX).code(), Some(0), "{what}: {}", process.log_tail());
        gauge.step(what, begun);
    }

    /// One number from the source.
    pub async fn source_number(&self, sql: &str) -> Option<i64> {
        self.world.source_conn().await.query_first::<Option<i64>, _>(sql).await.unwrap().flatten()
    }

    /// Both sides give the same answer, and it is one.
    pub async fn assert_same(&self, sql: &str) {
        let wanted = self.source_number(sql).await;
        assert!(wanted.is_some(), "{sql}");
        assert_eq!(self.world.dest_number(sql).await, wanted, "{sql}");
    }

    /// Removes the world; the servers go with the value.
    pub fn end(self) {
        if std::env::var_os("CDC_TEST_KEEP").is_none() {
            self.world.forget();
        }
    }
}
