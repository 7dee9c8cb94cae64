//! Readers of changes: how many there are, what each is told, and when it is too slow.
//!
//! A reader costs a task, what it has not taken yet of one part of a group, and, in the middle of a group, a state that the
//! store keeps for it. Nothing is queued: between groups, everything is still in the log.

mod form;
mod pipe;
mod source;

use crate::app::HttpConfig;
use anabranch::{ReadError, WaitError};
use bytes::Bytes;
pub(crate) use form::Form;
pub(crate) use pipe::Outlet;
use pipe::{Inlet, Refused, pipe};
pub(crate) use source::{Changes, Inbox, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// How long to rest after each part: what changes meanwhile is told at once, and each reader looks at the log as often.
const REST: Duration = Duration::from_millis(10);

/// All readers of one server.
pub(crate) struct Readers {
    places: Arc<Semaphore>,
    most: usize,
    heartbeat: Duration,
    patience: Duration,
    stopped: watch::Receiver<bool>,
}

/// Ends the connection that a request came by.
#[derive(Clone, Default)]
pub(crate) struct HangUp(pub(crate) Arc<Notify>);

impl Readers {
    pub(crate) fn new(config: &HttpConfig, stopped: watch::Receiver<bool>) -> Self {
        let (heartbeat, patience) = (config.heartbeat, config.reader_timeout);
        let places = Arc::new(Semaphore::new(config.max_readers));
        Self { places, most: config.max_readers, heartbeat, patience, stopped }
    }

    /// How many may read at a time.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// How many read now.
    pub(crate) fn count(&self) -> usize {
        self.most - self.places.available_permits()
    }

    /// A place for one more; `None` when as many read as may.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Tells what the source tells, until the reader goes, is too slow, or the node stops.
    pub(crate) fn tell(&self, place: OwnedSemaphorePermit, source: impl Source, form: Form, hang_up: HangUp) -> Outlet {
        let (inlet, outlet) = pipe();
        let teller = Teller { inlet, form, heartbeat: self.heartbeat, patience: self.patience, hang_up };
        let mut stopped = self.stopped.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = teller.run(source) => {}
                // A server that is gone is stopped, too.
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            drop(place);
        });
        outlet
    }
}

/// Tells one reader.
struct Teller {
    inlet: Inlet,
    form: Form,
    heartbeat: Duration,
    patience: Duration,
    hang_up: HangUp,
}

impl Teller {
    async fn run(self, source: impl Source) {
        if self.told(source).await == Err(Refused::Slow) {
            tracing::debug!("a reader of changes is too slow");
            self.inlet.replace(self.form.lagged());
            // Whoever reads on hears of it; whoever does not would keep the connection for ever.
            if tokio::time::timeout(self.patience, self.inlet.taken()).await.is_err() {
                self.hang_up.0.notify_one();
            }
        }
    }

    async fn told(&self, mut source: impl Source) -> Result<(), Refused> {
        if let Some(begin) = source.begin(&self.form) {
            self.send(begin).await?;
        }
        let mut beat = Instant::now() + self.heartbeat;
        loop {
            tokio::select! {
                () = self.inlet.gone() => return Err(Refused::Gone),
                () = source.ready() => {}
                () = tokio::time::sleep_until(beat) => {
                    self.send(self.form.heartbeat()).await?;
                    beat = Instant::now() + self.heartbeat;
                    continue;
                }
            }
            let (back, part) = self.read(source).await?;
            source = back;
            for events in part {
                self.send(events).await?;
                beat = Instant::now() + self.heartbeat;
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// The next part, read on a thread that may wait for the disk.
    async fn read<S: Source>(&self, mut source: S) -> Result<(S, Vec<Bytes>), Refused> {
        let form = self.form.clone();
        let read = tokio::task::spawn_blocking(move || {
            let part = source.read(&form);
            (source, part)
        });
        // Only if this program is at fault.
        let (source, part) = read.await.map_err(|_| Refused::Gone)?;
        match part {
            Ok(part) => Ok((source, part)),
            Err(ReadError::Wait(WaitError::Closed)) => Err(Refused::Gone),
            Err(error) => {
                tracing::warn!(%error, "changes cannot be read: a reader is sent away, and may come again");
                Err(Refused::Gone)
            }
        }
    }

    async fn send(&self, events: Bytes) -> Result<(), Refused> {
        let sent = tokio::time::timeout(self.patience, self.inlet.put(events)).await;
        sent.unwrap_or(Err(Refused::Slow))
    }
}
