//! Sessions: reads and writes of one user, who never sees time run backwards.

use crate::database::Database;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::{Page, View};
use anabranch_causality::{SessionId, Token, TokenError, VersionVector};
use anabranch_engine::{Write, Written};
use anabranch_resolvers::Outcome;
use anabranch_session::{Begun, Guarantees, SaveError, SessionState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// A session carries what it has read and written. Wherever it goes on, it waits until that is there.
///
/// Its writes carry operation ids, so that a write repeated under [`Session::write_as`] takes effect once. By default it
/// has all four session guarantees; see [`Guarantees`].
pub struct Session {
    database: Database,
    state: Mutex<Held>,
    wait: Duration,
}

/// What the session has read and written.
struct Held {
    state: SessionState,
    /// The vector of the last view that was noted as read and covers all of the session, as long as nothing else was noted: to
    /// read that state once more, nothing needs to be compared or noted.
    covering: Option<Arc<VersionVector>>,
}

impl Held {
    fn covers(&self, view: &View) -> bool {
        self.covering.as_ref().is_some_and(|vector| Arc::ptr_eq(vector, &view.vector))
    }
}

impl Session {
    pub(crate) fn new(database: Database) -> Self {
        let id = SessionId(*uuid::Uuid::now_v7().as_bytes());
        Self::of(database, SessionState::new(id, Guarantees::ALL))
    }

    /// Carries on a session that was saved, here or at another replica.
    pub(crate) fn resume(database: Database, text: &str) -> Result<Self, SaveError> {
        let state = SessionState::restore(text, &database.names().cluster)?;
        Ok(Self::of(database, state))
    }

    fn of(database: Database, state: SessionState) -> Self {
        let held = Held { state, covering: None };
        Self { database, state: Mutex::new(held), wait: DEFAULT_WAIT }
    }

    /// How long reads and writes wait for what the session has read and written. Default 1 s.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = limit;
        self
    }

    /// What its reads and writes wait for.
    #[must_use]
    pub fn guarantees(&self) -> Guarantees {
        self.held().state.guarantees()
    }

    /// With these guarantees. Dropping one changes what is waited for, never what a write saw.
    #[must_use]
    pub fn with_guarantees(self, guarantees: Guarantees) -> Self {
        self.change(|state| state.set_guarantees(guarantees));
        self
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.held().state.id()
    }

    /// The counter of the last write: what to repeat with [`Session::write_as`] when its answer was lost.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.held().state.counter()
    }

    /// The token: what this session has read and written. Hand it to whoever goes on.
    #[must_use]
    pub fn token(&self) -> String {
        self.held().state.token().encode(&self.database.names().cluster)
    }

    /// Goes on from a token that was handed over.
    ///
    /// # Errors
    /// [`TokenError`] for a text that is no token, or another cluster's.
    pub fn join(&self, token: &str) -> Result<(), TokenError> {
        let token = Token::decode(token, &self.database.names().cluster)?;
        self.change(|state| state.join(&token));
        Ok(())
    }

    /// The whole session as text, to be carried on elsewhere with [`Database::resume`] or by a client: by one holder only,
    /// for two would use the same counters.
    #[must_use]
    pub fn save(&self) -> String {
        self.held().state.save(&self.database.names().cluster)
    }

    /// A state that has all that this session's guarantees ask for.
    ///
    /// # Errors
    /// [`ReadError::Wait`] when it is not here in time.
    pub fn view(&self) -> Result<Arc<View>, ReadError> {
        self.view_with(self.guarantees())
    }

    /// As [`Session::view`], with other guarantees for this one read.
    ///
    /// # Errors
    /// As [`Session::view`].
    pub fn view_with(&self, guarantees: Guarantees) -> Result<Arc<View>, ReadError> {
        let asked = {
            let held = self.held();
            let view = self.database.view();
            if held.covers(&view) {
                return Ok(view);
            }
            held.state.token_for_read(guarantees)
        };
        let view = self.database.view_at(&asked, self.wait)?;
        let mut held = self.held();
        held.state.note_read(&asked, &view.token());
        held.covering = view.satisfies(&held.state.token()).is_ok().then(|| Arc::clone(&view.vector));
        Ok(view)
    }

    /// The value of a key; `None` when there is no such key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, collection: &str, key: &str) -> Result<Option<Outcome>, ReadError> {
        self.view()?.get(collection, key)
    }

    /// Up to `limit` keys that start with `prefix` and come after `after`, at one causal cut.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn scan(&self, collection: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, ReadError> {
        self.view()?.scan(collection, prefix, after, limit)
    }

    /// Writes all that `build` does in one atomic transaction, on top of what this session has read and written.
    ///
    /// # Errors
    /// What `build` returns, or [`WriteError`].
    pub fn write<R>(&self, build: impl FnOnce(&Tx) -> Result<R, WriteError>) -> Result<(R, Written), WriteError> {
        self.write_with(self.guarantees(), build)
    }

    /// As [`Session::write`], with other guarantees for this one write.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_with<R>(
        &self,
        guarantees: Guarantees,
        build: impl FnOnce(&Tx) -> Result<R, WriteError>,
    ) -> Result<(R, Written), WriteError> {
        let begun = self.change(|state| state.begin_write(guarantees));
        self.carry_out(&begun, build)
    }

    /// As [`Session::write`], under a counter of the caller's: written again, here or at another replica, the same
    /// changes under the same counter take effect once.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_as<R>(
        &self,
        counter: u64,
        build: impl FnOnce(&Tx) -> Result<R, WriteError>,
    ) -> Result<(R, Written), WriteError> {
        let begun = self.change(|state| {
            let guarantees = state.guarantees();
            state.repeat_write(counter, guarantees)
        });
        self.carry_out(&begun, build)
    }

    fn carry_out<R>(
        &self,
        begun: &Begun,
        build: impl FnOnce(&Tx) -> Result<R, WriteError>,
    ) -> Result<(R, Written), WriteError> {
        self.database.view_at(&begun.token, self.wait).map_err(ReadError::from)?;
        let tx = Tx::new(self.database.clone());
        let result = build(&tx)?;
        let key = Some((self.id(), begun.counter));
        let applied = self.database.apply_whole(Write { changes: tx.into_changes(), key });
        let token = self.database.view().token();
        match applied {
            Ok((written, last)) => {
                self.change(|state| state.note_written(last, &begun.token, &token, false));
                Ok((result, written))
            }
            Err(error) => {
                if matches!(error, WriteError::Refused(_)) {
                    // A refusal shows something too: that a sum is at its end, that there is such a collection.
                    self.change(|state| state.note_read(&begun.token, &token));
                }
                Err(error)
            }
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut SessionState) -> R) -> R {
        let mut held = self.held();
        held.covering = None;
        change(&mut held.state)
    }

    /// A panic of another thread leaves the state whole: each change to it is one call.
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
