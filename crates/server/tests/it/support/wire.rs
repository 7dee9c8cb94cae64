//! The native protocol, spoken by hand: as a client, and as a node that says and does what a test wants.

use super::cluster::{Cluster, Running};
use anabranch::transport::{Connection, Endpoint, FrameReceiver, FrameSender, Identity, Limits};
use anabranch::{Origin, ShardId, VersionVector};
use anabranch_protocol::{Answer, Assembly, Heartbeat, Hello, Message, Part, Reply, Request, Role, parts};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a node, under a certificate of its own.
pub(crate) struct Wire<'c> {
    runtime: &'c Runtime,
    pub(crate) connection: Connection,
    _endpoint: Endpoint,
    hello: Hello,
}

/// A stream of it, after the hellos.
pub(crate) struct Stream<'c> {
    runtime: &'c Runtime,
    sender: FrameSender,
    receiver: FrameReceiver,
    /// What the node said of itself.
    pub(crate) node: Hello,
    assemblies: BTreeMap<u64, Assembly>,
    last_id: u64,
}

impl<'c> Wire<'c> {
    /// Connects as that node or client.
    pub(crate) fn dial(cluster: &'c Cluster, region: &str, name: &str, target: &Running<'_>) -> Self {
        let issued = cluster.authority.issue(region, name).expect("a certificate");
        let ca = cluster.authority.cert_pem();
        let identity = Identity::from_pem(ca.as_bytes(), issued.cert_pem.as_bytes(), issued.key_pem.as_bytes());
        let identity = Arc::new(identity.expect("an identity"));
        let any = "127.0.0.1:0".parse().expect("an address");
        let (endpoint, connection) = cluster.runtime.block_on(async {
            let endpoint = Endpoint::bind(any, identity, Limits::default()).expect("a port");
            let connection = endpoint.dial(target.quic(), Some(&target.name())).await.expect("connects");
            (endpoint, connection)
        });
        let (region, node) = (region.to_owned(), name.to_owned());
        let hello = Hello { cluster: "shop".into(), region, node, role: Role::Client, origin: Origin(0) };
        Self { runtime: &cluster.runtime, connection, _endpoint: endpoint, hello }
    }

    /// A client's stream of requests.
    pub(crate) fn client(cluster: &'c Cluster, target: &Running<'_>) -> (Self, Stream<'c>) {
        let wire = Self::dial(cluster, "eu", "app", target);
        let stream = wire.open(Role::Client);
        (wire, stream)
    }

    /// A leader that is connected as a peer: its stream of replication.
    pub(crate) fn leader(cluster: &'c Cluster, name: &str, target: &Running<'_>) -> (Self, Stream<'c>) {
        let wire = Self::dial(cluster, name, name, target);
        let stream = wire.open(Role::Leader);
        target.until_connected(name);
        (wire, stream)
    }

    pub(crate) fn open(&self, role: Role) -> Stream<'c> {
        self.try_open(role).expect("a hello")
    }

    /// `None` when the node does not want the stream.
    pub(crate) fn try_open(&self, role: Role) -> Option<Stream<'c>> {
        self.runtime.block_on(async {
            let (sender, receiver) = self.connection.open().await.ok()?;
            self.greet(sender, receiver, role).await
        })
    }

    /// A stream that the node opens.
    pub(crate) fn accept(&self) -> Stream<'c> {
        self.runtime.block_on(async {
            let accepted = tokio::time::timeout(PATIENCE, self.connection.accept_stream()).await.expect("in time");
            let (sender, receiver) = accepted.expect("a stream");
            self.greet(sender, receiver, Role::Leader).await.expect("a hello")
        })
    }

    async fn greet(&self, mut sender: FrameSender, mut receiver: FrameReceiver, role: Role) -> Option<Stream<'c>> {
        let origin = if role == Role::Client { Origin(0) } else { Origin(0xfa4e) };
        sender.send(&Hello { role, origin, ..self.hello.clone() }.encode()).await.ok()?;
        let node = Hello::decode(&receiver.recv().await.ok()??).expect("a hello");
        Some(Stream { runtime: self.runtime, sender, receiver, node, assemblies: BTreeMap::new(), last_id: 0 })
    }
}

impl Stream<'_> {
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.runtime.block_on(self.sender.send(frame)).expect("sent");
    }

    /// The next frame; `None` when the stream has ended.
    pub(crate) fn recv(&mut self) -> Option<Vec<u8>> {
        let received = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.receiver.recv()).await });
        received.expect("in time").unwrap_or_default()
    }

    /// Sends a request under the next id.
    pub(crate) fn begin(&mut self, request: Request) -> u64 {
        self.last_id += 1;
        self.send(&Request { id: self.last_id, ..request }.encode());
        self.last_id
    }

    /// The next reply that is whole; `None` when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Reply> {
        loop {
            let frame = self.recv()?;
            let part = Part::decode(&frame).expect("a part");
            let whole = self.assemblies.entry(part.id).or_default().push(part).expect("within the limit");
            if let Some(bytes) = whole {
                self.assemblies.remove(&part.id);
                return Some(Reply::decode(part.id, &bytes).expect("a reply"));
            }
        }
    }

    /// Sends a request and waits for its answer, while no other is open.
    pub(crate) fn ask(&mut self, request: Request) -> Reply {
        let id = self.begin(request);
        let reply = self.next().expect("an answer");
        assert_eq!(reply.id, id);
        reply
    }

    /// Sends nothing more.
    pub(crate) fn finish(&mut self) {
        self.runtime.block_on(self.sender.finish()).expect("all of it arrived");
    }

    /// As a node: says what it has. Nobody is sent what is claimed.
    pub(crate) fn claim(&mut self, vector: &VersionVector) {
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let (shard, vector) = (ShardId(0), vector.clone());
        let heartbeat = Heartbeat { shard, wall_ms, behind_ms: Some(0), vector, digest: None, buckets: Vec::new() };
        self.send(&Message::Heartbeat(heartbeat).encode());
    }

    /// As a node: the next request that was passed on to it.
    pub(crate) fn asked(&mut self) -> Request {
        Request::decode(&self.recv().expect("a request")).expect("a request")
    }

    /// As a node: answers it.
    pub(crate) fn answer(&mut self, request: &Request, answer: Answer) {
        let (id, token) = (request.id, request.token.clone());
        let reply = Reply { id, token, by: "fake".to_owned(), answer };
        for part in parts(id, &reply.encode()) {
            self.send(&part);
        }
    }
}
