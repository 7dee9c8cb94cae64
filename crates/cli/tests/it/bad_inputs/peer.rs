//! A member of the cluster, as far as its certificate goes, that says whatever a test wants.

use super::Target;
use crate::support::cluster::Cluster;
use anabranch_causality::{Actor as Asker, VersionVector};
use anabranch_causality::{Dot, Effect, Fold, Hlc, Kind, Lineage, OperationId, Origin, ShardId, Transaction, Writer};
use anabranch_protocol::{Ack, Heartbeat, Hello, Message, Role};
use anabranch_transport::{CloseReason, Connection, Endpoint, FrameReceiver, FrameSender, Identity, Limits, PeerName};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(20);

/// The codes with which nodes close connections.
pub(super) const REPLACED: u64 = 2;
pub(super) const NOT_A_PEER: u64 = 3;
pub(super) const PROTOCOL: u64 = 4;

/// Somebody with a certificate and a UDP port.
pub(super) struct Actor {
    runtime: Runtime,
    endpoint: Endpoint,
    target: SocketAddr,
}

/// A stream between it and the node, after both hellos.
pub(super) struct Link<'a> {
    runtime: &'a Runtime,
    pub(super) connection: Connection,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Actor {
    /// One of the nodes that have a configuration, or else a client of that name.
    pub(super) fn new(target: &Target, name: &str) -> Self {
        Self::with(target, Self::identity(target, name))
    }

    /// One that lets no more bytes wait for it than these.
    pub(super) fn taking(target: &Target, name: &str, bytes: u32) -> Self {
        let limits = Limits { stream_window: bytes, connection_window: bytes, ..Limits::default() };
        Self::limited(target, Self::identity(target, name), limits)
    }

    fn identity(target: &Target, name: &str) -> Identity {
        let certs = target.cluster.dir().join("certs");
        let file = |name: &str| certs.join(name);
        let (ca, cert, key) = (file("ca.pem"), file(&format!("{name}.pem")), file(&format!("{name}.key")));
        let known = cert.exists().then(|| Identity::load(&ca, &cert, &key).expect("an identity"));
        known.unwrap_or_else(|| target.cluster.identity(name))
    }

    pub(super) fn with(target: &Target, identity: Identity) -> Self {
        // It sends longer frames than anybody takes.
        Self::limited(target, identity, Limits { max_frame: 1 << 30, ..Limits::default() })
    }

    fn limited(target: &Target, identity: Identity, limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let endpoint = {
            let _inside = runtime.enter();
            Endpoint::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(identity), limits).expect("a port")
        };
        Self { runtime, endpoint, target: SocketAddr::from((Ipv4Addr::LOCALHOST, target.quic())) }
    }

    pub(super) fn name(&self) -> &PeerName {
        self.endpoint.identity().name()
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn dial(&self) -> Connection {
        self.runtime.block_on(self.endpoint.dial(self.target, Some("eu"))).expect("a connection")
    }

    /// What it would say of itself if it were honest.
    pub(super) fn hello(&self, role: Role, origin: Origin) -> Hello {
        let PeerName { cluster, region, node } = self.name().clone();
        Hello { cluster, region, node, role, origin }
    }

    /// Opens a stream and begins it with that frame: how the connection ended, unless the node answers.
    pub(super) fn open(&self, connection: &Connection, first: &[u8]) -> Result<Link<'_>, CloseReason> {
        let connection = connection.clone();
        let greeted = async {
            let (mut sender, mut receiver) = connection.open().await?;
            // Should that not work, the connection says why.
            let _ = sender.send(first).await;
            match receiver.recv().await {
                Ok(Some(frame)) => {
                    assert_eq!(Hello::decode(&frame).expect("a node says who it is").node, "eu");
                    Ok((sender, receiver))
                }
                _ => Err(connection.closed().await),
            }
        };
        let greeted = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, greeted).await });
        let (sender, receiver) = greeted.expect("a word in time")?;
        Ok(Link { runtime: &self.runtime, connection, sender, receiver })
    }

    /// Connects as a leader that writes under that origin.
    pub(super) fn join(&self, origin: Origin) -> Link<'_> {
        let hello = self.hello(Role::Leader, origin).encode();
        self.open(&self.dial(), &hello).expect("a peer is let in")
    }
}

impl Link<'_> {
    /// Sends that frame. Whether that worked, the end of the connection tells.
    pub(super) fn frame(&mut self, bytes: &[u8]) {
        let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.sender.send(bytes)).await });
    }

    pub(super) fn say(&mut self, message: &Message) {
        self.frame(&message.encode());
    }

    pub(super) fn transactions(&mut self, list: &[Transaction]) {
        self.say(&Message::Transactions(list.iter().map(Transaction::encode).collect()));
    }

    /// The next frame; `None` when the stream has ended.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let next = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.receiver.recv()).await });
        next.expect("in time").unwrap_or_default()
    }

    /// Waits until the node acknowledges so much.
    #[track_caller]
    pub(super) fn acknowledged(&mut self, origin: Origin, seq: u64) -> Ack {
        loop {
            let frame = self.next().expect("the connection lasts");
            match Message::decode(&frame).expect("a message") {
                Message::Ack(ack) if ack.vector.get(origin) >= seq => return ack,
                _ => {}
            }
        }
    }

    /// Waits until the node has heard all that was said, by way of something that it answers.
    #[track_caller]
    pub(super) fn heard(&mut self) {
        // Each rewind is answered with all that we lack, and that with an acknowledgement after the next heartbeat.
        let (now, mut beats) = (wall_ms(), 0);
        self.say(&heartbeat(VersionVector::new(), now));
        while beats < 2 {
            let frame = self.next().expect("the connection lasts");
            beats += usize::from(matches!(Message::decode(&frame), Ok(Message::Heartbeat(_))));
        }
    }

    /// How the node ends the connection.
    #[track_caller]
    pub(super) fn closed(&self) -> (u64, String) {
        let closed = self.connection.closed();
        let closed = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, closed).await });
        code(&closed.expect("it is closed in time"))
    }
}

/// The code and the words with which a node has closed.
#[track_caller]
pub(super) fn code(reason: &CloseReason) -> (u64, String) {
    match reason {
        CloseReason::Peer { code, reason } => (*code, reason.clone()),
        other => panic!("not closed by the node: {other:?}"),
    }
}

pub(super) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub(super) fn heartbeat(vector: VersionVector, wall_ms: u64) -> Message {
    let shard = ShardId(0);
    Message::Heartbeat(Heartbeat { shard, wall_ms, behind_ms: Some(0), vector, digest: None, buckets: Vec::new() })
}

pub(super) fn ack(vector: VersionVector) -> Message {
    Message::Ack(Ack { shard: ShardId(0), vector, want: Vec::new(), parked: Vec::new(), rewind: false })
}

/// When the test began: a transaction has one stamp for ever.
static BEGAN_MS: LazyLock<u64> = LazyLock::new(wall_ms);

/// A sound transaction of `us`: one like.
pub(super) fn like(origin: Origin, seq: u64) -> Transaction {
    let mut one = Writer::new();
    one.signed(1);
    let fold = Fold { subkey: Vec::new(), payload: one.into_bytes() };
    let effect = Effect { folds: vec![fold], ..Effect::new("likes", Kind::G_COUNTER, "peer") };
    Transaction {
        dot: Dot { shard: ShardId(0), origin, seq },
        hlc: Hlc::from_ms(*BEGAN_MS),
        operation: OperationId { actor: Asker::Leader(origin), counter: seq, hash: 0 },
        dependencies: VersionVector::new(),
        lineage: (seq == 1).then(|| Lineage { node: "us".into(), region: "us".into(), previous: None }),
        effects: vec![effect],
    }
}

/// The origin under which a node writes.
pub(super) fn origin_of(cluster: &Cluster, at: usize) -> Origin {
    let status = cluster.api.status(cluster.nodes[at].http);
    let text = status["origin"].as_str().expect("an origin");
    Origin(u64::from_str_radix(text, 16).expect("hexadecimal"))
}
