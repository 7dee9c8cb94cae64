//! Streams of requests: a client's connection, and what peers open beside the one on which they replicate.

use super::connection::exchange;
use super::peers::codes;
use super::{Asker, Shared};
use anabranch_protocol::{Hello, Role};
use anabranch_transport::{Connection, FrameReceiver, FrameSender};
use std::sync::Arc;

/// Hands a client's streams to whoever answers requests, until its connection ends.
pub(super) async fn of_client(
    shared: &Arc<Shared>,
    connection: &Connection,
    sender: FrameSender,
    receiver: FrameReceiver,
) {
    let client = connection.peer().node.clone();
    let Some(serve) = shared.serve.get() else {
        tracing::info!(client, "connection refused: this node answers no clients");
        return connection.close(codes::NOT_A_PEER, "this node answers no clients");
    };
    let Ok(_place) = shared.clients.clone().try_acquire_owned() else {
        tracing::warn!(client, "connection refused: there are as many clients as may be");
        return connection.close(codes::BUSY, "there are as many clients as may be: try another node");
    };
    tracing::debug!(client, "client connected");
    let asker = Asker { name: connection.peer().clone(), is_peer: false };
    serve(asker.clone(), sender, receiver);
    accept(shared, connection, &asker).await;
    tracing::debug!(client, "client disconnected");
}

/// The same for a peer, which asks on behalf of its clients.
pub(super) async fn of_peer(shared: Arc<Shared>, connection: Connection) {
    let asker = Asker { name: connection.peer().clone(), is_peer: true };
    accept(&shared, &connection, &asker).await;
}

/// Further streams, until the connection ends.
async fn accept(shared: &Arc<Shared>, connection: &Connection, asker: &Asker) {
    // Fails when the connection has ended.
    while let Ok((sender, receiver)) = connection.accept_stream().await {
        let (shared, connection, asker) = (shared.clone(), connection.clone(), asker.clone());
        tokio::spawn(async move {
            match exchange(&shared, &connection, sender, receiver).await {
                Ok((Hello { role: Role::Client, .. }, sender, receiver)) => {
                    if let Some(serve) = shared.serve.get() {
                        serve(asker, sender, receiver);
                    }
                }
                Ok(_) => connection.close(codes::PROTOCOL, "one stream replicates, no more"),
                Err(reason) => tracing::debug!(peer = asker.name.node, reason, "a stream was refused"),
            }
        });
    }
}
