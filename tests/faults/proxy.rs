//! A TCP proxy in front of any server. The test says what happens to what goes
//! through it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards.
    Pass,
    /// Holds everything back; connections stay open, new ones are taken.
    Stall,
    /// Forwards so many bytes a second in each direction of each connection.
    Slow(usize),
    /// Takes connections and closes them at once.
    Refuse,
    /// Forwards requests, drops answers.
    DropAnswers,
    /// The next COMMIT reaches the server; its answer does not come back, the connection ends.
    LoseCommitAnswer,
    /// The next COMMIT does not reach the server; the connection ends.
    LoseCommit,
    /// The client is told that the server has finished; its own bytes still go on.
    HalfCloseToClient,
    /// The server is told that the client has finished; its answers still come back.
    HalfCloseToServer,
    /// Connections that are open go silent for good, and nobody is told; new ones work.
    Silent,
}

/// What goes through it, as far as it must know a commit when it sees one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Not encrypted.
    Mysql,
    Kafka,
    Http,
}

impl Protocol {
    fn is_commit(self, bytes: &[u8]) -> bool {
        match self {
            // COM_QUERY with this text.
            Self::Mysql => bytes.windows(7).any(|window| window == b"\x03COMMIT"),
            // EndTxn, by the number of the request behind its length.
            Self::Kafka => bytes.get(4..6) == Some(&[0, 26]),
            Self::Http => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Order {
    mode: Mode,
    /// That of the connections which open now.
    generation: u64,
    /// Connections older than this are closed.
    closed: u64,
    /// Connections older than this are silent.
    silent: u64,
}

/// A proxy, ended with all its connections when dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    /// `host:port`; empty while there is none.
    server: Mutex<String>,
    protocol: Protocol,
    order: watch::Sender<Order>,
    /// The ports of its clients, and those from which it is connected to the server for them.
    ports: Mutex<Vec<(u16, u16)>>,
}

impl Proxy {
    /// A proxy on a free port, in front of `host:port`.
    pub async fn before(server: &str, protocol: Protocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (order, _) = watch::channel(Order { mode: Mode::Pass, generation: 0, closed: 0, silent: 0 });
        let server = Mutex::new(server.to_owned());
        let shared = Arc::new(Shared { server, protocol, order, ports: Mutex::default() });
        let listening = tokio::spawn(listen(listener, shared.clone()));
        Self { address, shared, listening }
    }

    /// The server, where it was not known at the beginning.
    pub fn leads_to(&self, server: &str) {
        server.clone_into(&mut self.shared.server.lock().unwrap());
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.shared.order.send_modify(|order| {
            if mode == Mode::Silent {
                order.generation += 1;
                order.silent = order.generation;
            } else {
                order.mode = mode;
            }
        });
    }

    /// What it does now.
    pub fn mode(&self) -> Mode {
        self.shared.order.borrow().mode
    }

    /// Closes all connections.
    pub fn cut(&self) {
        self.shared.order.send_modify(|order| {
            order.generation += 1;
            order.closed = order.generation;
        });
    }

    /// The port of the client whose connection comes to the server from that port of this machine.
    pub fn client_at(&self, port: u16) -> Option<u16> {
        self.shared.ports.lock().unwrap().iter().find(|(_, own)| *own == port).map(|(client, _)| *client)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, from)) = listener.accept().await else { continue };
        if shared.order.borrow().mode == Mode::Refuse {
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            // A server that is away is one that closes the connection.
            let address = shared.server.lock().unwrap().clone();
            let Ok(server) = TcpStream::connect(address).await else { return };
            let port = server.local_addr().map_or(0, |a: SocketAddr| a.port());
            shared.ports.lock().unwrap().push((from.port(), port));
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            connection(client, server, &shared).await;
            shared.ports.lock().unwrap().retain(|(_, own)| *own != port);
        });
    }
}

/// Ends when both sides have finished, or when it is cut.
async fn connection(client: TcpStream, server: TcpStream, shared: &Shared) {
    let mut orders = shared.order.subscribe();
    let born = orders.borrow().generation;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (fate, mut decided) = watch::channel(Fate::Open);
    let pump =
        |from, to, to_server| Pump { from, to, born, orders: orders.clone(), to_server, fate: &fate, shared };
    let (requests, answers) = (pump(from_client, to_server, true), pump(from_server, to_client, false));
    tokio::select! {
        _ = async { tokio::join!(requests.run(), answers.run()) } => {}
        _ = orders.wait_for(|order| order.closed > born) => {}
        _ = decided.wait_for(|fate| *fate == Fate::Over) => {}
    }
}

/// What becomes of a connection whose commit is to get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// The server has the commit; what it answers is dropped, then the connection ends.
    AnswerDropped,
    Over,
}

/// How often a slow connection gets its next bytes.
const DRIP: Duration = Duration::from_millis(50);

/// One direction of a connection.
struct Pump<'c> {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    born: u64,
    orders: watch::Receiver<Order>,
    to_server: bool,
    fate: &'c watch::Sender<Fate>,
    shared: &'c Shared,
}

impl Pump<'_> {
    async fn run(mut self) {
        let mut buffer = vec![0; 64 << 10];
        let mut finished = false;
        loop {
            let order = *self.orders.borrow_and_update();
            // What a server said before it died is not to come through once others may speak again.
            if order.closed > self.born {
                return;
            }
            let mode = if order.silent > self.born { Mode::Silent } else { order.mode };
            if self.is_half_closed(mode) && !finished {
                finished = true;
                let _ = self.to.shutdown().await;
            }
            let read = async {
                match mode {
                    Mode::Stall | Mode::Silent => std::future::pending().await,
                    _ => self.from.read(&mut buffer).await.unwrap_or(0),
                }
            };
            // An order first: what comes after it is not let through.
            let count = tokio::select! {
                biased;
                changed = self.orders.changed() => if changed.is_ok() { continue } else { return },
                count = read => count,
            };
            if count == 0 {
                let _ = self.to.shutdown().await;
                return;
            }
            let bytes = &buffer[..count];
            let dropped = finished || (mode == Mode::DropAnswers && !self.to_server) || self.is_lost(bytes);
            if !dropped && forward(&mut self.to, mode, bytes).await.is_err() {
                return;
            }
        }
    }

    fn is_half_closed(&self, mode: Mode) -> bool {
        match mode {
            Mode::HalfCloseToClient => !self.to_server,
            Mode::HalfCloseToServer => self.to_server,
            _ => false,
        }
    }

    /// Whether these bytes are a commit that is to get lost, or the answer of one.
    fn is_lost(&self, bytes: &[u8]) -> bool {
        if !self.to_server {
            let lost = *self.fate.borrow() == Fate::AnswerDropped;
            if lost {
                self.fate.send_replace(Fate::Over);
            }
            return lost;
        }
        let waits = matches!(self.orders.borrow().mode, Mode::LoseCommit | Mode::LoseCommitAnswer);
        if !waits || !self.shared.protocol.is_commit(bytes) {
            return false;
        }
        match self.shared.take_lost_commit() {
            Some(Mode::LoseCommit) => {
                self.fate.send_replace(Fate::Over);
                true
            }
            Some(_) => {
                self.fate.send_replace(Fate::AnswerDropped);
                false
            }
            None => false,
        }
    }
}

impl Shared {
    /// The order to lose a commit, which holds for one.
    fn take_lost_commit(&self) -> Option<Mode> {
        let mut taken = None;
        self.order.send_if_modified(|order| {
            let lose = matches!(order.mode, Mode::LoseCommit | Mode::LoseCommitAnswer);
            if lose {
                taken = Some(std::mem::replace(&mut order.mode, Mode::Pass));
            }
            lose
        });
        taken
    }
}

async fn forward(to: &mut OwnedWriteHalf, mode: Mode, bytes: &[u8]) -> std::io::Result<()> {
    let Mode::Slow(bytes_per_second) = mode else { return to.write_all(bytes).await };
    for piece in bytes.chunks((bytes_per_second / 20).max(1)) {
        to.write_all(piece).await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}
