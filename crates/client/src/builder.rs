//! A client in the making.

use crate::client::Client;
use crate::error::ConnectError;
use crate::link::Link;
use crate::shared::{Settings, Shared, millis};
use anabranch_causality::Origin;
use anabranch_protocol::{Hello, Role};
use anabranch_session::Fleet;
use anabranch_transport::{Endpoint, Identity, Limits};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A client in the making.
pub struct Builder {
    identity: Identity,
    replicas: Vec<Link>,
    bind: SocketAddr,
    limits: Limits,
    lag_limit: Duration,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new(identity: Identity) -> Self {
        let settings = Settings { wait: Duration::from_secs(1), deadline: Duration::from_secs(5), hedge: true };
        Self {
            identity,
            replicas: Vec::new(),
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            limits: Limits::default(),
            lag_limit: Duration::from_millis(Fleet::LAG_LIMIT_MS),
            settings,
        }
    }

    /// A replica to ask, at `host:port`. With a node's name, only that node may answer there, and it is called by that name;
    /// without, any node of the cluster may, and it is called by the address.
    #[must_use]
    pub fn replica(mut self, node: Option<&str>, addr: &str) -> Self {
        self.replicas.push(Link::new(node, addr));
        self
    }

    /// The local UDP address to use; by default any of IPv4.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Limits of connections.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a replica may wait for what a session has read or written, and for acknowledgements. Default 1 s, at most
    /// 30 s.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Self {
        self.settings.wait = limit;
        self
    }

    /// How long a call may take in all, waiting and further attempts included. Default 5 s.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.settings.deadline = limit;
        self
    }

    /// How far behind a replica may be and still be asked before fresher ones. Default 1 s.
    #[must_use]
    pub fn lag_limit(mut self, limit: Duration) -> Self {
        self.lag_limit = limit;
        self
    }

    /// Whether a read that is late is asked of another replica as well. Default yes.
    #[must_use]
    pub fn hedge(mut self, on: bool) -> Self {
        self.settings.hedge = on;
        self
    }

    /// Begins to connect. Does not wait for it: a call waits, as long as its deadline allows. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(self) -> Result<Client, ConnectError> {
        if self.replicas.is_empty() {
            return Err(ConnectError::NoReplica);
        }
        for (index, link) in self.replicas.iter().enumerate() {
            if self.replicas[..index].iter().any(|other| other.name == link.name) {
                return Err(ConnectError::Twice(link.name.clone()));
            }
        }
        let name = self.identity.name().clone();
        let (cluster, region, node) = (name.cluster, name.region, name.node);
        // A client writes under no origin of its own.
        let hello = Hello { cluster, region, node, role: Role::Client, origin: Origin(0) };
        let endpoint = Endpoint::bind(self.bind, Arc::new(self.identity), self.limits)?;
        let fleet = Fleet::new(millis(self.lag_limit));
        Ok(Client::start(Shared::new(hello, endpoint, self.replicas, self.settings, fleet)))
    }
}
