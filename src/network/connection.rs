//! One connection: hello, then messages in both directions until it ends.

use super::peers::{NotAdmitted, codes};
use super::{Shared, requests};
use crate::driver::{Command, ConnectionId, Outbox};
use anabranch_protocol::{Hello, Message, Role};
use anabranch_transport::{CloseReason, Connection, FrameReceiver, FrameSender};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// How many messages wait for a peer; the engine's window bounds the bytes of all but the small ones. Generous, for each
/// commit may make one and the network threads may have to wait for the processor.
const OUTBOX: usize = 16_384;
/// How many bytes of one peer's messages wait for the writer, beside one more that waits for room.
const INBOX_BYTES: usize = 8 << 20;
/// How many messages go out in one write.
const BURST: usize = 64;

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialled {
        /// Whoever of the cluster answers at that address is a peer.
        by_address: bool,
    },
    Accepted,
}

pub(super) async fn run(shared: Arc<Shared>, connection: Connection, side: Side) {
    let peer = connection.peer().node.clone();
    match greet(&shared, &connection, side).await {
        Ok((hello, sender, receiver)) if hello.role == Role::Client && side == Side::Accepted => {
            requests::of_client(&shared, &connection, sender, receiver).await;
        }
        Ok((Hello { role: Role::Client, .. }, ..)) => connection.close(codes::PROTOCOL, "clients are not dialled"),
        Ok((hello, sender, receiver)) => serve(&shared, &connection, side, hello, sender, receiver).await,
        // Both dialled at the same moment, or one dialled again: the other connection is used.
        Err(reason) if was_replaced(&connection) => tracing::debug!(peer, reason, "connection not needed"),
        Err(reason) => {
            tracing::warn!(peer, reason, "connection refused");
            connection.close(codes::PROTOCOL, &reason);
        }
    }
}

/// Whether the peer closed it in favour of another.
fn was_replaced(connection: &Connection) -> bool {
    matches!(connection.close_reason(), Some(CloseReason::Peer { code, .. }) if code == u64::from(codes::REPLACED))
}

async fn greet(
    shared: &Shared,
    connection: &Connection,
    side: Side,
) -> Result<(Hello, FrameSender, FrameReceiver), String> {
    let opened = async {
        match side {
            Side::Dialled { .. } => connection.open().await,
            Side::Accepted => connection.accept_stream().await,
        }
    };
    let late = |_| Err("no stream in time".to_owned());
    let opened = async { opened.await.map_err(|error| error.to_string()) };
    let (sender, receiver) = tokio::time::timeout(HELLO_TIMEOUT, opened).await.unwrap_or_else(late)?;
    exchange(shared, connection, sender, receiver).await
}

/// Says hello on a stream and hears the other side's.
pub(super) async fn exchange(
    shared: &Shared,
    connection: &Connection,
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
) -> Result<(Hello, FrameSender, FrameReceiver), String> {
    let names = shared.database.names();
    let status = shared.database.status_async().await.ok_or("the database is closed")?;
    let (cluster, region, node) = (names.cluster.clone(), names.region.clone(), names.node.clone());
    let ours = Hello { cluster, region, node, role: shared.database.role(), origin: status.origin }.encode();
    let exchange = async {
        sender.send(&ours).await.map_err(|error| error.to_string())?;
        let frame = receiver.recv().await.map_err(|error| error.to_string())?;
        let frame = frame.ok_or("the peer said nothing")?;
        Hello::decode(&frame).map_err(|error| error.to_string())
    };
    let late = |_| Err("no hello in time".to_owned());
    let hello = tokio::time::timeout(HELLO_TIMEOUT, exchange).await.unwrap_or_else(late)?;
    let name = connection.peer();
    if (&hello.cluster, &hello.region, &hello.node) != (&name.cluster, &name.region, &name.node) {
        let said = format!("{}/{}/{}", hello.cluster, hello.region, hello.node);
        return Err(format!("it says that it is {said}, its certificate that it is {name}"));
    }
    Ok((hello, sender, receiver))
}

async fn serve(
    shared: &Arc<Shared>,
    connection: &Connection,
    side: Side,
    hello: Hello,
    sender: FrameSender,
    receiver: FrameReceiver,
) {
    let peer = hello.node.clone();
    let names = shared.database.names();
    if hello.role == Role::Leader && shared.database.role() == Role::Leader && hello.region == names.region {
        tracing::warn!(peer, "connection refused: a region has one leader, and this node is it");
        return connection.close(codes::NOT_A_PEER, "a region has one leader: make one of the two a follower");
    }
    let own = names.node.clone();
    let dialler = if side == Side::Accepted { &peer } else { &own };
    let preferred = *dialler == *own.as_str().min(peer.as_str());
    let by_address = side == Side::Dialled { by_address: true };
    let id = match shared.peers.admit(connection, hello.origin, preferred, by_address) {
        Ok(id) => id,
        Err(NotAdmitted::Duplicate) => return connection.close(codes::REPLACED, "there is a connection already"),
        Err(NotAdmitted::Unknown) => {
            tracing::warn!(peer, "connection refused: this node is not among the configured peers");
            return connection.close(codes::NOT_A_PEER, "this node is not among the configured peers");
        }
        Err(NotAdmitted::OtherRegion) => {
            tracing::warn!(peer, region = hello.region, "connection refused: configured with another region");
            return connection.close(codes::NOT_A_PEER, "this node is configured with another region");
        }
    };
    let ((messages, outgoing), (misconduct, told)) = (mpsc::channel(OUTBOX), oneshot::channel());
    let outbox = Outbox { messages, misconduct };
    let Hello { region, role, origin, .. } = hello;
    if by_address {
        // Only now it has a name: from here on it is missed when it is away.
        let met = Command::Member { peer: peer.clone(), region: Some(region.clone()), expected: true };
        // The next command notices that the database is closed.
        let _ = shared.database.queue().push(met);
    }
    let connected = Command::Connected { peer: peer.clone(), region, role, origin, id, outbox };
    if shared.database.queue().push(connected).is_ok() {
        tracing::info!(peer, "connected");
        tokio::spawn(send(connection.clone(), sender, outgoing, told));
        tokio::spawn(requests::of_peer(shared.clone(), connection.clone()));
        let reason = receive(shared, connection, &peer, id, receiver).await;
        tracing::info!(peer, reason, "disconnected");
    }
    // Both sides of the connection end with it, whoever noticed first.
    connection.close(codes::STOPPED, "closed");
    shared.peers.release(&peer, id);
    // A closed database has forgotten its peers already.
    let _ = shared.database.queue().push(Command::Disconnected { peer, id });
}

/// Writes what the outbox brings, until it is dropped: then the connection ends at once, whether or not the peer reads.
async fn send(
    connection: Connection,
    sender: FrameSender,
    messages: mpsc::Receiver<Message>,
    misconduct: oneshot::Receiver<String>,
) {
    tokio::select! {
        error = write(sender, messages) => {
            tracing::debug!(error, "sending ended");
            // It may be that the peer alone wants no more of it.
            connection.close(codes::SLOW, "closed by the node");
        }
        told = misconduct => match told {
            Ok(reason) => connection.close(codes::PROTOCOL, &reason),
            Err(_) => connection.close(codes::SLOW, "closed by the node"),
        }
    }
}

/// Says why it ended, which it does with the connection.
async fn write(mut sender: FrameSender, mut messages: mpsc::Receiver<Message>) -> String {
    let mut burst = Vec::with_capacity(BURST);
    while messages.recv_many(&mut burst, BURST).await > 0 {
        let frames: Vec<Vec<u8>> = burst.drain(..).map(|message| message.encode()).collect();
        if let Err(error) = sender.send_many(&frames).await {
            return error.to_string();
        }
    }
    // The outbox was dropped: `send` closes the connection.
    std::future::pending().await
}

/// Hands what comes to the writer, no more than fits; says why it ended.
async fn receive(
    shared: &Shared,
    connection: &Connection,
    peer: &str,
    id: ConnectionId,
    mut receiver: FrameReceiver,
) -> String {
    let room = Arc::new(Semaphore::new(INBOX_BYTES));
    loop {
        let frame = match receiver.recv().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return "the peer ended its stream".to_owned(),
            Err(error) => {
                // Should the connection be what has ended, nobody hears it.
                connection.close(codes::PROTOCOL, &error.to_string());
                return error.to_string();
            }
        };
        let message = match Message::decode(&frame) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(peer, %error, "peer does not follow the protocol: connection closed");
                connection.close(codes::PROTOCOL, &error.to_string());
                return error.to_string();
            }
        };
        let bytes = message.weight().max(frame.len()).min(INBOX_BYTES) as u32;
        let Ok(permit) = room.clone().acquire_many_owned(bytes).await else { return "stopped".to_owned() };
        let command = Command::Message { peer: peer.to_owned(), id, message, permit };
        if shared.database.queue().push(command).is_err() {
            return "the database is closed".to_owned();
        }
    }
}
