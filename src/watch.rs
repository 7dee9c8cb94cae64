//! Watching: what changed, in groups that each end in a causal cut.
//!
//! A watch reads the log, so it buffers nothing: a slow watcher costs nobody anything but that, in the middle of a group,
//! the store keeps what that group shows; and one that begins again at its last cut misses nothing. Reading is synchronous,
//! also in [`Watch::next`] and in the stream; waiting is not. What waits in a parked collection is not told; a watch begun
//! before it caught up hears of a key of it when that next changes.

mod group;

use crate::database::Database;
use crate::error::{ReadError, WaitError};
use crate::view::{SHARD, View};
use anabranch_causality::Token;
use anabranch_resolvers::Outcome;
use futures_core::Stream;
use group::{Group, Step};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Which changes a watch is about; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The path of a collection.
    pub collection: Option<String>,
    /// What keys start with.
    pub prefix: String,
}

/// A stream of changes.
///
/// As a [`Stream`] it never ends by itself: once the database is closed, it says so and then ends. Another error may pass,
/// and the group is told again.
///
/// ```
/// # use std::{future::poll_fn, pin::Pin};
/// # use futures_core::Stream;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let db = anabranch::Database::open(dir.path().join("data"))?;
/// let mut watch = db.watch(anabranch::Filter::default(), None)?;
/// db.g_counter("likes")?.add("post:1", 1)?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// // `StreamExt::next` of the futures crate is this, too.
/// let cut = poll_fn(|cx| Pin::new(&mut watch).poll_next(cx)).await.expect("the database is open")?;
/// assert_eq!(cut.changes[0].key, "post:1");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Watch {
    database: Database,
    filter: Filter,
    /// The log index up to which all has been told.
    next: u64,
    since: Token,
    /// What is being told, while that is not done.
    group: Option<Group>,
    /// Done when there is more, while that is waited for.
    more: Option<Waiting>,
    ended: bool,
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A key that changed, with its value at the group's cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The path of the collection.
    pub collection: String,
    /// The key.
    pub key: String,
    /// What its rows come to; `None` when there is no such key any more.
    pub outcome: Option<Outcome>,
    /// The region of the last write in this group that touched it, when known.
    pub region: Option<String>,
}

/// A group of changes and the cut that it ends in; a part of a group, where there is much to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Each changed key once in the whole group.
    pub changes: Vec<Change>,
    /// All up to here has been told: begin again from it and nothing is missed.
    pub token: Token,
    /// What the values show: the same in all parts of a group.
    pub shown: Token,
    /// Whether the group ends here. If not, its next part follows, and `token` is still where it began: only whole groups
    /// show nothing before its cause.
    pub whole: bool,
}

impl Watch {
    pub(crate) fn new(database: Database, filter: Filter, since: Option<&Token>) -> Result<Self, ReadError> {
        let view = database.view();
        let next = since.map_or(Ok(view.index), |token| first_beyond(&view, token))?;
        let since = since.cloned().unwrap_or_else(|| view.token());
        Ok(Self { database, filter, next, since, group: None, more: None, ended: false })
    }

    /// Up to where all has been told.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.since
    }

    /// The next group or part of one, waiting for it. Also a group without changes is a cut, when others' changes went by.
    ///
    /// # Errors
    /// [`ReadError`]; [`WaitError::Closed`] once the database is closed.
    pub async fn next(&mut self) -> Result<Cut, ReadError> {
        poll_fn(|context| self.poll_cut(context)).await
    }

    /// Waits until [`Watch::poll`] has something to tell, or an error. Reads nothing.
    pub async fn ready(&mut self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// The next group or part of one, if there is one now.
    ///
    /// # Errors
    /// [`ReadError`]; [`WaitError::Closed`] once the database is closed.
    pub fn poll(&mut self) -> Result<Option<Cut>, ReadError> {
        loop {
            match self.step()? {
                Step::Idle => return Ok(None),
                Step::Reading => {}
                Step::Told(cut) => return Ok(Some(cut)),
            }
        }
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<Result<Cut, ReadError>> {
        loop {
            ready!(self.poll_ready(context));
            match self.step() {
                Ok(Step::Told(cut)) => return Poll::Ready(Ok(cut)),
                Ok(Step::Idle) => {}
                Ok(Step::Reading) => {
                    // Others on this executor come first: there may be a long log to read.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.group.is_some() {
            return Poll::Ready(());
        }
        let (database, next) = (&self.database, self.next);
        let more = self.more.get_or_insert_with(|| {
            let mut changed = database.subscribe();
            Box::pin(async move {
                // What is closed says so by the largest index; that nobody tells any more means the same.
                let _ = changed.wait_for(|index| *index > next).await;
            })
        });
        ready!(more.as_mut().poll(context));
        self.more = None;
        Poll::Ready(())
    }

    /// Reads a little of the log, or tells what was found in it.
    fn step(&mut self) -> Result<Step, ReadError> {
        if self.database.is_closed() {
            self.group = None;
            return Err(WaitError::Closed.into());
        }
        // Put back only when all went well: else it is told again, from its beginning.
        let mut group = match self.group.take() {
            Some(group) => group,
            None => {
                let view = self.database.view();
                if view.index <= self.next {
                    return Ok(Step::Idle);
                }
                Group::new(view, &self.filter, self.next, &self.since)
            }
        };
        let step = group.step(&self.filter, &self.since)?;
        match &step {
            Step::Told(cut) if cut.whole => (self.next, self.since) = (group.end(), cut.token.clone()),
            _ => self.group = Some(group),
        }
        Ok(step)
    }
}

impl Stream for Watch {
    type Item = Result<Cut, ReadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watch = self.get_mut();
        if watch.ended {
            return Poll::Ready(None);
        }
        let told = ready!(watch.poll_cut(context));
        watch.ended = told == Err(WaitError::Closed.into());
        Poll::Ready(Some(told))
    }
}

/// The first log index whose transaction the token does not name, or one before it.
fn first_beyond(view: &View, token: &Token) -> Result<u64, ReadError> {
    let vector = token.vector(SHARD).cloned().unwrap_or_default();
    let vector = view.lineages.expand(&vector);
    let mut first = view.index;
    for (origin, seq) in view.full.iter() {
        if seq > vector.get(origin) {
            let index = anabranch_engine::query::log_index(&*view.read, origin, vector.get(origin) + 1)?;
            first = first.min(index);
        }
    }
    Ok(first)
}
