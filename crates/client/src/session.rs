//! Sessions: reads and writes of one user, who never sees time run backwards.

use crate::client::Client;
use crate::error::ClientError;
use crate::options::Options;
use crate::shared::Shared;
use crate::tx::Tx;
use crate::value::{Found, Page, Written};
use crate::with::With;
use anabranch_causality::{SessionId, Token, TokenError};
use anabranch_session::{Guarantees, SessionState};
use serde::de::DeserializeOwned;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A session carries what one user has read and written. Whichever replica answers, it has that, as far as the session's
/// guarantees ask for it; a call that no replica can answer so within its deadline says so.
///
/// Its writes carry operation ids: what is sent again, here or elsewhere, takes effect once. Calls of one session may
/// run at the same time. A session may write for seven days.
pub struct Session {
    client: Client,
    id: SessionId,
    carried: Mutex<Carried>,
    pub(crate) wait: Duration,
    pub(crate) deadline: Duration,
}

pub(crate) struct Carried {
    pub(crate) state: SessionState,
    pub(crate) last_replica: Option<String>,
}

impl Session {
    pub(crate) fn new(client: Client, state: SessionState) -> Self {
        let settings = client.shared().settings;
        let (id, carried) = (state.id(), Mutex::new(Carried { state, last_replica: None }));
        Self { client, id, carried, wait: settings.wait, deadline: settings.deadline }
    }

    /// How long a replica may wait for what this session has read and written. Default 1 s, at most 30 s, and never beyond
    /// the deadline.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = limit;
        self
    }

    /// How long a call may take in all, waiting and further attempts included. Default 5 s.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Its calls wait for this from now on, unless they say otherwise. Default all four guarantees: causal consistency.
    #[must_use]
    pub fn with_guarantees(self, guarantees: Guarantees) -> Self {
        self.lock().state.set_guarantees(guarantees);
        self
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The counter of the last write: what to repeat with [`Session::write_as`] when its answer was lost.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.lock().state.counter()
    }

    /// What its calls wait for.
    #[must_use]
    pub fn guarantees(&self) -> Guarantees {
        self.lock().state.guarantees()
    }

    /// The token: what this session has read and written. Hand it to whoever goes on.
    #[must_use]
    pub fn token(&self) -> String {
        self.lock().state.token().encode(self.client.cluster())
    }

    /// Goes on from a token that was handed over. It counts as read.
    ///
    /// # Errors
    /// [`TokenError`] for a text that is no token, or another cluster's.
    pub fn join(&self, token: &str) -> Result<(), TokenError> {
        let token = Token::decode(token, self.client.cluster())?;
        self.lock().state.join(&token);
        Ok(())
    }

    /// The whole session as text, to be carried on elsewhere with [`Client::resume`].
    ///
    /// **Only one holder may carry on**: two would use one counter for two writes. Save when no write is under way, and
    /// use this one no more.
    #[must_use]
    pub fn save(&self) -> String {
        self.lock().state.save(self.client.cluster())
    }

    /// The node that answered last.
    #[must_use]
    pub fn last_replica(&self) -> Option<String> {
        self.lock().last_replica.clone()
    }

    /// The client whose session this is.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same session, for calls that ask for something else.
    #[must_use]
    pub fn with(&self, options: Options) -> With<'_> {
        With { session: self, options }
    }

    /// The value of a key; `None` when there is no such key.
    ///
    /// # Errors
    /// [`ClientError`], within the deadline.
    pub async fn get(&self, collection: &str, key: &str) -> Result<Option<Found>, ClientError> {
        self.plainly().get(collection, key).await
    }

    /// The value of a key as a type of one's own; `None` when there is no such key.
    ///
    /// # Errors
    /// As [`Session::get`]; [`ClientError::Type`] for a value of another type.
    pub async fn get_as<T: DeserializeOwned>(&self, collection: &str, key: &str) -> Result<Option<T>, ClientError> {
        self.plainly().get_as(collection, key).await
    }

    /// Up to `limit` keys (at least 1, at most 1,000) that start with `prefix` and come after `after`, at one causal cut.
    /// A page may end sooner: as long as it names a `next`, there are more.
    ///
    /// # Errors
    /// [`ClientError`], within the deadline.
    pub async fn scan(
        &self,
        collection: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, ClientError> {
        self.plainly().scan(collection, prefix, after, limit).await
    }

    /// Writes all that `build` does in one atomic transaction, on top of what this session has read and written. Returns what
    /// `build` does, and what became of the write.
    ///
    /// Dropped before it returns, the write may take effect all the same: [`Session::counter`] says what to repeat.
    ///
    /// # Errors
    /// What `build` returns, or [`ClientError`], within the deadline.
    pub async fn write<R>(
        &self,
        build: impl FnOnce(&Tx) -> Result<R, ClientError>,
    ) -> Result<(R, Written), ClientError> {
        self.plainly().write(build).await
    }

    /// As [`Session::write`], under a counter of the caller's, from 1: written again, here or elsewhere, the same changes
    /// under the same counter take effect once. Other changes under it are refused where it is known. An error that says that
    /// nothing was done speaks of this call, not of an earlier one under that counter.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub async fn write_as<R>(
        &self,
        counter: u64,
        build: impl FnOnce(&Tx) -> Result<R, ClientError>,
    ) -> Result<(R, Written), ClientError> {
        self.plainly().write_as(counter, build).await
    }

    /// A collection comes into being, or a register collection gets another resolver. Collections with a kind's own resolver
    /// need no declaring: they come into being with their first write.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub async fn declare(&self, collection: &str, resolver: &str) -> Result<Written, ClientError> {
        self.plainly().declare(collection, resolver).await
    }

    fn plainly(&self) -> With<'_> {
        self.with(Options::default())
    }

    pub(crate) fn shared(&self) -> &Shared {
        self.client.shared()
    }

    /// A panic of another thread leaves what is carried whole: each change to it is one call.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Carried> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
