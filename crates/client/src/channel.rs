//! A stream of requests to one node, and their answers.

mod table;
mod tasks;

use anabranch_protocol::{Hello, MAX_FRAME, Reply, Request, Role};
use anabranch_transport::{CloseReason, Connection, RecvError, SendError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::{Place, Table};
use tasks::{Outgoing, Tasks};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

/// How long the node may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// The most requests of one channel that are not answered; more wait for a place. A node takes no more of one stream.
const MAX_OPEN: usize = 1_000;
/// How many requests wait to be written, beside those whose writing the node holds up.
const OUTBOX: usize = 64;
/// The code with which a connection is closed on which something came that does not follow the protocol.
const PROTOCOL: u32 = 4;

/// A stream of requests to one node. Cheap to clone; the stream ends when the last clone is dropped. The connection stays,
/// unless the node sends what does not follow the protocol: that closes it.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    hello: Hello,
    table: Arc<Table>,
    outbox: mpsc::Sender<Outgoing>,
    open: Semaphore,
    _tasks: Tasks,
}

/// Why there is no stream of requests. Nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The connection has ended.
    #[error("the connection has ended: {0}")]
    Closed(#[from] CloseReason),
    /// The stream ended before the node had said hello.
    #[error("the stream ended: {0}")]
    Ended(String),
    /// The node did not say hello in time.
    #[error("the node did not say hello within {} s", HELLO_TIMEOUT.as_secs())]
    Late,
    /// The node speaks another version of the protocol, or is not who its certificate says.
    #[error("the node's hello cannot be accepted: {0}")]
    Refused(String),
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not written to the stream: it has had no effect. It can be sent again anywhere.
    #[error("the request was not sent, so it had no effect")]
    NotSent,
    /// The stream ended before the answer came: a write may have taken effect.
    #[error("the connection ended before the answer came: a write may have taken effect")]
    Lost,
    /// The answer did not come in time: a write may have taken effect, or may still.
    #[error("no answer came in time: a write may have taken effect")]
    Late,
    /// The request is longer than nodes accept, and was not sent.
    #[error("the request is too large")]
    TooLarge,
    /// The answer is longer than is taken here: a write may have taken effect.
    #[error("the answer is too large")]
    AnswerTooLarge,
}

impl Channel {
    /// Opens a stream of requests, as whoever `hello` says: cluster, region and name of the own certificate, with
    /// [`Role::Client`]. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`], after 5 s at the latest.
    pub async fn open(connection: &Connection, hello: &Hello) -> Result<Self, OpenError> {
        let exchange = async {
            let (mut sender, mut receiver) = connection.open().await?;
            sender.send(&hello.encode()).await?;
            let frame = receiver.recv().await?.ok_or_else(|| OpenError::Ended("the node ended it".to_owned()))?;
            Ok((sender, receiver, accepted(connection, hello, &frame)?))
        };
        let late = |_| Err(OpenError::Late);
        let (sender, receiver, hello) = tokio::time::timeout(HELLO_TIMEOUT, exchange).await.unwrap_or_else(late)?;
        let table = Arc::new(Table::default());
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        let reading = tasks::read(connection.clone(), receiver, table.clone());
        let tasks = Tasks::start(reading, tasks::write(sender, outgoing, table.clone()));
        let (connection, open) = (connection.clone(), Semaphore::new(MAX_OPEN));
        Ok(Self { inner: Arc::new(Inner { connection, hello, table, outbox, open, _tasks: tasks }) })
    }

    /// What the node said of itself.
    #[must_use]
    pub fn node(&self) -> &Hello {
        &self.inner.hello
    }

    /// The connection that the stream is on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// Whether the stream has ended: every call would hear [`CallError::NotSent`]. Open another.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.table.is_closed()
    }

    /// Returns when the stream has ended.
    pub async fn closed(&self) {
        self.inner.table.closed().await;
    }

    /// Sends a request, whose id is chosen here, and waits for its answer until the deadline. Calls share the stream: none
    /// waits for another's answer.
    ///
    /// Dropped before it returns, its answer is dropped too; the request may have been sent.
    ///
    /// # Errors
    /// [`CallError`], at the deadline at the latest.
    pub async fn call(&self, request: Request, deadline: Instant) -> Result<Reply, CallError> {
        let wait_ms = request.wait_ms.min(Request::MAX_WAIT_MS);
        self.call_encoded(Request { wait_ms, ..request }.encode(), deadline).await
    }

    /// As [`Channel::call`], of an encoded request.
    pub(crate) async fn call_encoded(&self, mut frame: Vec<u8>, deadline: Instant) -> Result<Reply, CallError> {
        if frame.len() > MAX_FRAME {
            return Err(CallError::TooLarge);
        }
        let _open = self.enter(deadline).await.ok_or(CallError::NotSent)?;
        let mut place = Place::take(&self.inner.table).ok_or(CallError::NotSent)?;
        let id = place.id();
        Request::set_id(&mut frame, id);
        let answer = async {
            self.inner.outbox.send(Outgoing { id, frame }).await.map_err(|_| CallError::NotSent)?;
            place.answer().await
        };
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(answer) => self.decode(id, &answer?),
            Err(_) => Err(if place.give_up() { CallError::Late } else { CallError::NotSent }),
        }
    }

    /// A place among those that are not answered; `None` when there is none before the deadline.
    async fn enter(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        if let Ok(open) = self.inner.open.try_acquire() {
            return Some(open);
        }
        tokio::time::timeout_at(deadline.into(), self.inner.open.acquire()).await.ok()?.ok()
    }

    fn decode(&self, id: u64, answer: &[u8]) -> Result<Reply, CallError> {
        Reply::decode(id, answer).map_err(|error| {
            self.offend(&error.to_string());
            CallError::Lost
        })
    }

    /// The node sent what does not follow the protocol: ends the connection, and with it all calls.
    pub(crate) fn offend(&self, reason: &str) {
        tasks::offend(&self.inner.connection, &self.inner.table, reason);
    }
}

/// The node's hello, if it is of our cluster, a replica, and who its certificate says.
fn accepted(connection: &Connection, ours: &Hello, frame: &[u8]) -> Result<Hello, OpenError> {
    let hello = Hello::decode(frame).map_err(|error| OpenError::Refused(error.to_string()))?;
    let name = connection.peer();
    let is_named = (&hello.cluster, &hello.region, &hello.node) == (&name.cluster, &name.region, &name.node);
    if !is_named || hello.cluster != ours.cluster {
        let said = format!("{}/{}/{}", hello.cluster, hello.region, hello.node);
        return Err(OpenError::Refused(format!("it says that it is {said}, its certificate that it is {name}")));
    }
    match hello.role {
        Role::Client => Err(OpenError::Refused("it is a client, and answers nothing".to_owned())),
        Role::Leader | Role::Follower => Ok(hello),
    }
}

impl From<SendError> for OpenError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed(reason) => Self::Closed(reason),
            other => Self::Ended(other.to_string()),
        }
    }
}

impl From<RecvError> for OpenError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed(reason) => Self::Closed(reason),
            other => Self::Ended(other.to_string()),
        }
    }
}
