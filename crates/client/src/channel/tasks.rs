//! The two tasks of a channel: one writes requests, one reads answers.

use super::PROTOCOL;
use super::table::Table;
use anabranch_protocol::Part;
use anabranch_transport::{Connection, FrameReceiver, FrameSender};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many requests go out in one write.
const BURST: usize = 64;

/// A request to be written.
pub(super) struct Outgoing {
    pub(super) id: u64,
    pub(super) frame: Vec<u8>,
}

/// Both tasks; they end when this is dropped.
pub(super) struct Tasks([JoinHandle<()>; 2]);

impl Tasks {
    pub(super) fn start(
        reading: impl Future<Output = ()> + Send + 'static,
        writing: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self([tokio::spawn(reading), tokio::spawn(writing)])
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Writes requests that somebody still waits for, until the stream ends.
pub(super) async fn write(mut sender: FrameSender, mut outbox: mpsc::Receiver<Outgoing>, table: Arc<Table>) {
    let mut burst = Vec::with_capacity(BURST);
    while outbox.recv_many(&mut burst, BURST).await > 0 {
        // Marked before it is written: of what fails half-way nobody knows how much arrived.
        let wanted = burst.drain(..).filter(|outgoing| table.mark_sent(outgoing.id));
        let frames: Vec<Vec<u8>> = wanted.map(|outgoing| outgoing.frame).collect();
        if let Err(error) = sender.send_many(&frames).await {
            tracing::debug!(%error, "no more requests can be sent");
            break;
        }
    }
    table.end();
}

/// Hands answers to whoever waits for them, until the stream ends.
pub(super) async fn read(connection: Connection, mut receiver: FrameReceiver, table: Arc<Table>) {
    loop {
        let frame = match receiver.recv().await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(%error, "no more answers come");
                break;
            }
        };
        let taken = Part::decode(&frame).map_err(|error| error.to_string());
        let taken = taken.and_then(|part| table.take(part).map_err(|_| "an answer to nothing".to_owned()));
        if let Err(reason) = taken {
            offend(&connection, &table, &reason);
            break;
        }
    }
    table.end();
}

/// The node does not follow the protocol: the connection ends, and with it all calls.
pub(super) fn offend(connection: &Connection, table: &Table, reason: &str) {
    tracing::warn!(node = connection.peer().node, reason, "the node does not follow the protocol: connection closed");
    connection.close(PROTOCOL, reason);
    table.end();
}
