//! The node's own side: it does what it is told.

use super::observe::Observer;
use super::pace::Pace;
use super::talk::{Answer, Ask, Reached, Traffic, Values, Written};
use crate::ours::{clock, local, writes};
use anabranch::transport::{Identity, Limits};
use anabranch::{Database, Network, NetworkConfig, PeerConfig, Token};
use anyhow::Context as _;
use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const CLUSTER: &str = "bench";
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether a peer is connected.
const LOOK: Duration = Duration::from_micros(50);

/// Does what comes on the standard input, until that ends.
pub fn serve() -> anyhow::Result<()> {
    let mut served = None;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let ask = serde_json::from_str(&line?)?;
        let answer = carry_out(&mut served, ask).unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
        writeln!(answers, "{}", serde_json::to_string(&answer)?)?;
        answers.flush()?;
    }
    Ok(())
}

fn carry_out(served: &mut Option<Served>, ask: Ask) -> anyhow::Result<Answer> {
    if let Ask::Start { name, dir, authority, certificate, key } = ask {
        let identity = Identity::from_pem(authority.as_bytes(), certificate.as_bytes(), key.as_bytes())?;
        let started = served.insert(Served::open(&name, &dir, Arc::new(identity))?);
        return started.listen();
    }
    served.as_mut().context("not started")?.carry_out(ask)
}

/// An open database that takes part in its cluster, unless it has parted.
struct Served {
    // Dropped first: its tasks hold the database.
    network: Option<Network>,
    database: Database,
    identity: Arc<Identity>,
    pace: Option<Pace>,
    observer: Option<Observer>,
}

impl Served {
    fn open(name: &str, dir: &Path, identity: Arc<Identity>) -> anyhow::Result<Self> {
        let database = Database::builder().names(CLUSTER, name, name).open(dir)?;
        Ok(Self { network: None, database, identity, pace: None, observer: None })
    }

    fn carry_out(&mut self, ask: Ask) -> anyhow::Result<Answer> {
        match ask {
            Ask::Start { .. } | Ask::Listen => return self.listen(),
            Ask::Peer { node, addr } => self.network()?.add_peer(peer(&node, addr)),
            Ask::Connected { node } => self.connected(&node).map(|_| ())?,
            Ask::Drive { writers, seconds, values } => {
                return self.drive(writers, seconds, values).map(Answer::Written);
            }
            Ask::Fill { from, count, step } => return self.fill(from, count, step).map(Answer::Written),
            Ask::Pace { gap_us, open_loop } => {
                self.pace = Some(Pace::start(&self.database, Duration::from_micros(gap_us), open_loop));
            }
            Ask::Halt => self.pace.take().context("does not write")?.halt()?,
            Ask::Observe => self.observer = Some(Observer::start(&self.database)?),
            Ask::Observed => return Ok(Answer::Seen(self.observer.take().context("does not watch")?.end()?)),
            Ask::Reach { token } => {
                let at_ns = self.reach(&token)?;
                return Ok(Answer::Reached(Reached { connected_ns: at_ns, at_ns }));
            }
            Ask::Part => drop(self.network.take()),
            Ask::Rejoin { node, addr, token } => {
                self.network()?.add_peer(peer(&node, addr));
                let connected_ns = self.connected(&node)?;
                return Ok(Answer::Reached(Reached { connected_ns, at_ns: self.reach(&token)? }));
            }
            Ask::Traffic => return self.traffic().map(Answer::Traffic),
        }
        Ok(Answer::Done)
    }

    fn network(&self) -> anyhow::Result<&Network> {
        self.network.as_ref().context("does not listen")
    }

    fn listen(&mut self) -> anyhow::Result<Answer> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = NetworkConfig { identity: self.identity.clone(), listen, limits: Limits::default() };
        let network = self.network.insert(Network::start(&self.database, config)?);
        Ok(Answer::Listening { addr: network.local_addr().to_string() })
    }

    /// When that node was seen to be connected.
    fn connected(&self, node: &str) -> anyhow::Result<u64> {
        let begun = Instant::now();
        while !self.network()?.peers().iter().any(|peer| peer.node == node && peer.connected) {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "{node} did not connect");
            std::thread::sleep(LOOK);
        }
        Ok(clock::nanos())
    }

    fn drive(&self, writers: usize, seconds: f64, values: Values) -> anyhow::Result<Written> {
        let (sender, acknowledged) = mpsc::channel();
        let submit = |number: u64| {
            let sender = sender.clone();
            self.database.submit(writes::write(number, values), move |answer| {
                // Nobody listens once one has failed.
                let _ = sender.send(answer.map(|_| ()));
            });
        };
        let (from_ns, mut count) = (clock::nanos(), 0);
        let (begun, length) = (Instant::now(), Duration::from_secs_f64(seconds));
        while count < writers as u64 {
            submit(count);
            count += 1;
        }
        while begun.elapsed() < length {
            acknowledged.recv()??;
            submit(count);
            count += 1;
        }
        for _ in 0..writers {
            acknowledged.recv()??;
        }
        Ok(Written { count, from_ns, to_ns: clock::nanos(), token: self.database.token() })
    }

    fn fill(&self, from: u64, count: u64, step: u64) -> anyhow::Result<Written> {
        let from_ns = clock::nanos();
        local::fill(&self.database, (0..count).map(|number| writes::keyed(from + number * step)))?;
        Ok(Written { count, from_ns, to_ns: clock::nanos(), token: self.database.token() })
    }

    /// When that was durable and to be seen here.
    fn reach(&self, token: &str) -> anyhow::Result<u64> {
        self.database.view_at(&Token::decode(token, CLUSTER)?, PATIENCE)?;
        Ok(clock::nanos())
    }

    fn traffic(&self) -> anyhow::Result<Traffic> {
        let mut traffic = Traffic::default();
        for peer in self.network()?.peers() {
            traffic.sent += peer.sent_bytes;
            traffic.stream_sent += peer.sent_stream_bytes;
            traffic.stream_received += peer.received_stream_bytes;
        }
        Ok(traffic)
    }
}

fn peer(node: &str, addr: Option<String>) -> PeerConfig {
    PeerConfig { node: Some(node.to_owned()), region: None, addr }
}
