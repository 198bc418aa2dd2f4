//! A replica takes over that does not have all: what the source had delivered decides.
//!
//! - A transaction was delivered in part, and the replica has it: the source goes on inside of it.
//! - The replica does not have it: what was delivered of it is withdrawn, by a cut that says so.
//! - The replica does not have it *yet*: the source says so, and writes nothing.
//! - The replica lacks what was delivered whole: the source stops before it reads a byte.

use cdc_sdk::cut::CutKind;
use mysql_async::prelude::Queryable;

use super::own::{Own, Part};
use super::pair::{executed, follow, promote, wait_until_has};
use crate::kit::{LIMIT, Options, Process, World, connect};

/// Rows of each table; a transaction that changes all spans several cuts.
const ROWS: u64 = 400;

/// What must be mended by a person.
const NEEDS_A_PERSON: Option<i32> = Some(3);

/// What the topic of cuts tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    cuts: u64,
    /// Runs that were begun, and runs that were abandoned.
    runs: u64,
    abandoned: u64,
    /// Events that count, and events of abandoned runs.
    events: u64,
    withdrawn: u64,
}

impl Told {
    fn by(world: &World) -> Self {
        let (mut told, mut open) = (Self::default(), None);
        for cut in world.cuts() {
            let events = open.unwrap_or(0) + cut.events();
            told.cuts += 1;
            told.runs += u64::from(open.is_none() && cut.kind == CutKind::Continues);
            match cut.kind {
                CutKind::Continues => open = Some(events),
                CutKind::Complete => (told.events, open) = (told.events + events, None),
                CutKind::Abandoned => {
                    (told.withdrawn, told.abandoned) = (told.withdrawn + events, told.abandoned + 1);
                    open = None;
                }
            }
        }
        told
    }
}

/// Both servers, and a world for each case, on the first one.
struct Scene {
    first: Own,
    second: Own,
    /// Delivered in part, and replicated.
    whole: World,
    /// Delivered in part, and not replicated.
    torn: World,
    /// Delivered whole, and not replicated.
    ahead: World,
}

impl Scene {
    async fn open() -> Self {
        let (first, second) = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let second = scope.spawn(|| Own::start("promoted", Part::Replica, &[]));
                (Own::start("promoted", Part::Source, &[]), second.join().unwrap())
            })
        });
        follow(second.address(), first.address()).await;
        let options = Options {
            source: "[limits]\ncut_bytes = 65536\n".into(),
            source_server: Some(first.address().to_owned()),
            ..Options::default()
        };
        let whole = World::with("whole", &options).await;
        let torn = World::with("torn", &options).await;
        let ahead = World::with("ahead", &options).await;
        for world in [&whole, &torn, &ahead] {
            world
                .source_sql(&format!(
                    "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(1000));\n\
                     INSERT INTO t WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {ROWS}) \
                     SELECT i, 0, REPEAT('x', 1000) FROM s"
                ))
                .await;
        }
        std::thread::scope(|scope| {
            for world in [&whole, &torn, &ahead] {
                scope.spawn(|| world.catch_up());
            }
        });
        Self { first, second, whole, torn, ahead }
    }

    fn worlds(&mut self) -> [&mut World; 3] {
        [&mut self.whole, &mut self.torn, &mut self.ahead]
    }

    /// Leaves the three worlds as they are to be when the first server dies.
    async fn prepare(&self) {
        die_inside_a_transaction(&self.whole).await;
        let gtids = executed(&mut connect(self.first.address(), None).await).await;
        wait_until_has(self.second.address(), &gtids).await;
        let mut second = connect(self.second.address(), None).await;
        second.query_drop("STOP REPLICA IO_THREAD").await.unwrap();
        die_inside_a_transaction(&self.torn).await;
        self.ahead.source_sql("UPDATE t SET v = 7 WHERE id = 7").await;
        self.ahead.catch_up();
    }

    fn first_dies(&mut self) {
        tokio::task::block_in_place(|| self.first.kill());
        let second = self.second.address().to_owned();
        self.worlds().into_iter().for_each(|world| world.source_moves_to(&second));
    }
}

/// Changes all rows in one transaction, and lets the source die when it has delivered some.
async fn die_inside_a_transaction(world: &World) {
    world.source_sql("UPDATE t SET v = v + 1").await;
    let mut source = world.start_with("source", &[], &[("CDC_FAIL_POINT", "source.inside_transaction:2")]);
    let status = source.wait(LIMIT);
    assert_eq!(status.code(), None, "not dead by a signal; the log says:\n{}", source.log_tail());
    let told = Told::by(world);
    assert_eq!((told.runs, told.events), (1, ROWS), "{told:?}");
}

/// The source ends and says these words.
fn assert_refused(mut source: Process, words: &[&str]) {
    let status = source.wait(LIMIT);
    let log = source.log_tail();
    assert_eq!(status.code(), NEEDS_A_PERSON, "{log}");
    for word in words {
        assert!(log.contains(word), "'{word}' is missing:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promoted() {
    let mut scene = Scene::open().await;
    scene.prepare().await;
    scene.first_dies();
    let before = [&scene.torn, &scene.ahead].map(Told::by);
    // It may yet get what it lacks.
    assert_refused(scene.torn.start_source(&[]), &["E015", "delivered in part", "RESET REPLICA ALL"]);

    promote(scene.second.address()).await;
    for world in scene.worlds() {
        world.source_sql("UPDATE t SET v = 100 WHERE id <= 3;\nDELETE FROM t WHERE id = 4").await;
    }
    assert_eq!(Told::by(&scene.torn), before[0], "something was written all the same");
    // The sink reads of the run, and waits for its end.
    let mut sink = scene.torn.start_sink(&[]);
    let diverged = scene.ahead.start_source(&[]);
    let sources = [&scene.whole, &scene.torn].map(|world| world.start_source(&["--until-caught-up"]));
    for mut source in sources {
        let status = source.wait(LIMIT);
        assert_eq!(status.code(), Some(0), "{}", source.log_tail());
    }
    assert_refused(diverged, &["E015", "delivered and not on the server", "start anew under another name"]);
    assert_eq!(Told::by(&scene.ahead), before[1], "something was written all the same");
    assert_eq!(scene.ahead.dest_number("SELECT v FROM t WHERE id = 7").await, Some(7));
    assert_eq!(scene.ahead.dest_number("SELECT COUNT(*) FROM t").await, i64::try_from(ROWS).ok());
    // Rows; what the transaction changed; three updates, and a delete with its tombstone.
    let whole = Told::by(&scene.whole);
    assert_eq!((whole.runs, whole.events, whole.abandoned), (1, 2 * ROWS + 5, 0), "{whole:?}");
    let torn = Told::by(&scene.torn);
    assert_eq!((torn.runs, torn.events, torn.abandoned), (1, ROWS + 5, 1), "{torn:?}");
    assert!((1..ROWS).contains(&torn.withdrawn), "{torn:?}");
    scene.torn.until_equal().await;
    sink.stop();
    scene.whole.catch_up();
    scene.whole.assert_equal().await;
    replay(&scene.torn).await;
    for world in [scene.whole, scene.torn, scene.ahead] {
        world.end().await;
    }
}

/// A replay passes by what was withdrawn.
async fn replay(world: &World) {
    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["replay", "-c", &sink, "--yes", "--earliest"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;
}
