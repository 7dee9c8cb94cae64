//! One stream of requests: read one after the other, answered as each is ready, in parts. Most writes are answered together
//! ([`Writes`]), every other request by a task of its own.

use super::handle::handle;
use super::writes::{self, Places, Writes};
use crate::app::App;
use crate::problem::{Code, Problem};
use anabranch::Asker;
use anabranch::transport::{FrameReceiver, FrameSender};
use anabranch_protocol::part::MAX_ANSWER;
use anabranch_protocol::{Answer, Reply, Request, parts};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most requests of one stream that are under way.
const MAX_OPEN: usize = 1_024;
/// The most bytes of them: whoever sends more waits, and with it all that comes after on the stream. Peers send for many.
const MAX_OPEN_BYTES: usize = 8 << 20;
const MAX_OPEN_BYTES_OF_PEER: usize = 128 << 20;
/// The most answers of one stream that are held while it is slow to take them.
const MAX_ANSWERS: usize = 16;
/// Parts above this many bytes are sent one by one.
const SMALL: usize = 16 << 10;
/// How many parts wait to be sent.
const OUTBOX: usize = 16;
/// How many answers to writes are made before they are sent.
const BURST: usize = 64;
/// How long a stream may take nothing.
const SLOW: Duration = Duration::from_secs(10);

pub(super) async fn run(app: Weak<App>, asker: Asker, sender: FrameSender, mut receiver: FrameReceiver) {
    let (outbox, frames) = mpsc::channel(OUTBOX);
    let writes = Arc::new(Writes::default());
    let sending = tokio::spawn(send(sender, frames, writes.clone()));
    let most_bytes = if asker.is_peer { MAX_OPEN_BYTES_OF_PEER } else { MAX_OPEN_BYTES };
    let (open, room) = (Arc::new(Semaphore::new(MAX_OPEN)), Arc::new(Semaphore::new(most_bytes)));
    let lanes = Lanes(Arc::new(Semaphore::new(MAX_ANSWERS)));
    loop {
        let frame = tokio::select! {
            frame = receiver.recv() => frame,
            () = outbox.closed() => break,
        };
        let Ok(Some(frame)) = frame else { break };
        let request = match Request::decode(&frame) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(asker = asker.name.node, %error, "a client does not follow the protocol: stream closed");
                break;
            }
        };
        let bytes = frame.len().min(MAX_OPEN_BYTES) as u32;
        drop(frame);
        let Some(app) = app.upgrade() else { break };
        let Ok(place) = open.clone().try_acquire_owned() else {
            // One after the other, so that whoever asks too much waits for what it is told.
            if send_parts(&busy(&app, &request), &outbox).await {
                continue;
            }
            break;
        };
        let room = tokio::select! {
            room = room.clone().acquire_many_owned(bytes) => room,
            // Nobody sends any more, so that no room comes back.
            () = outbox.closed() => break,
        };
        let Ok(room) = room else { break };
        if let Some((request, places)) = writes::submit(&writes, &app, request, [place, room]) {
            tokio::spawn(answer(app, asker.clone(), request, outbox.clone(), lanes.clone(), places));
        }
    }
    drop(outbox);
    // Answers that are ready are still sent.
    let _ = tokio::time::timeout(SLOW, sending).await;
}

/// Places for answers that may be large, from when they are made until they are sent.
#[derive(Clone)]
pub(super) struct Lanes(Arc<Semaphore>);

/// One of them; an answer that is small takes none.
pub(super) type Lane = Option<OwnedSemaphorePermit>;

impl Lanes {
    pub(super) async fn enter(&self) -> Lane {
        // They are never closed.
        self.0.clone().acquire_owned().await.ok()
    }
}

async fn answer(
    app: Arc<App>,
    asker: Asker,
    request: Request,
    outbox: mpsc::Sender<Vec<u8>>,
    lanes: Lanes,
    _places: Places,
) {
    let (reply, lane) = handle(&app, &asker, request, &lanes).await;
    drop(app);
    send_parts(&reply, &outbox).await;
    drop(lane);
}

/// Whether the stream takes them.
async fn send_parts(reply: &Reply, outbox: &mpsc::Sender<Vec<u8>>) -> bool {
    let mut bytes = reply.encode();
    if bytes.len() > MAX_ANSWER {
        let detail =
            format!("the answer would have {} bytes, at most {MAX_ANSWER} are sent: ask for less", bytes.len());
        let answer = Problem::new(Code::TooLarge, detail).into();
        bytes = Reply { id: reply.id, token: reply.token.clone(), by: reply.by.clone(), answer }.encode();
    }
    for part in parts(reply.id, &bytes) {
        if outbox.send_timeout(part, SLOW).await.is_err() {
            return false;
        }
    }
    true
}

fn busy(app: &App, request: &Request) -> Reply {
    let detail = format!("more than {MAX_OPEN} requests of one stream are under way: try again in a moment");
    let answer: Answer = Problem::new(Code::TooManyRequests, detail).into();
    let by = app.database.names().node.clone();
    Reply { id: request.id, token: request.token.clone(), by, answer }
}

/// Sends what the outbox brings until it closes, and the answers to writes until there are no more; when that does not work
/// any more, whoever fills the outbox hears of it.
async fn send(mut sender: FrameSender, mut outbox: mpsc::Receiver<Vec<u8>>, writes: Arc<Writes>) {
    let (mut burst, mut open) = (Vec::with_capacity(OUTBOX), true);
    while open || !writes.is_empty() {
        let mut answered = Vec::new();
        tokio::select! {
            count = outbox.recv_many(&mut burst, OUTBOX), if open => open = count > 0,
            some = writes.answered() => answered = some,
        }
        if !send_burst(&mut sender, &burst).await {
            return;
        }
        burst.clear();
        while !answered.is_empty() {
            let rest = answered.split_off(answered.len().min(BURST));
            let frames = writes::frames(&answered);
            // Frees their places: whoever reads these answers may ask as much again.
            answered = rest;
            if !send_burst(&mut sender, &frames).await {
                return;
            }
        }
    }
}

/// Whether the stream takes them.
async fn send_burst(sender: &mut FrameSender, burst: &[Vec<u8>]) -> bool {
    for frames in burst.chunk_by(|_, next| next.len() <= SMALL) {
        if !matches!(tokio::time::timeout(SLOW, sender.send_many(frames)).await, Ok(Ok(()))) {
            return false;
        }
    }
    true
}
