//! Sessions: reads and writes of one user, who never sees time run backwards.

use crate::database::Database;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_causality::{SessionId, Token, TokenError};
use anabranch_engine::{Write, Written};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// A session carries a token: what it has read and written. Wherever it goes on, it waits until that is there.
///
/// Its writes carry operation ids, so that a write repeated under [`Session::write_as`] takes effect once.
pub struct Session {
    database: Database,
    id: SessionId,
    state: Mutex<State>,
    wait: Duration,
}

struct State {
    token: Token,
    counter: u64,
}

impl Session {
    pub(crate) fn new(database: Database) -> Self {
        let id = SessionId(*uuid::Uuid::now_v7().as_bytes());
        let state = Mutex::new(State { token: Token::new(), counter: 0 });
        Self { database, id, state, wait: DEFAULT_WAIT }
    }

    /// The counter of the last write: what to repeat with [`Session::write_as`] when its answer was lost.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.lock().counter
    }

    /// How long reads and writes wait for the token's state. Default 1 s.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = limit;
        self
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The token: what this session has read and written. Hand it to whoever goes on.
    #[must_use]
    pub fn token(&self) -> String {
        self.lock().token.encode(&self.database.names().cluster)
    }

    /// Goes on from a token that was handed over.
    ///
    /// # Errors
    /// [`TokenError`] for a text that is no token, or another cluster's.
    pub fn join(&self, token: &str) -> Result<(), TokenError> {
        let token = Token::decode(token, &self.database.names().cluster)?;
        self.lock().token.join(&token);
        Ok(())
    }

    /// A state that has all that this session has read and written.
    ///
    /// # Errors
    /// [`ReadError::Wait`] when it is not here in time.
    pub fn view(&self) -> Result<Arc<View>, ReadError> {
        let token = self.lock().token.clone();
        let view = self.database.view_at(&token, self.wait)?;
        self.lock().token.join(&view.token());
        Ok(view)
    }

    /// Writes all that `build` does in one atomic transaction, on top of what this session has read and written.
    ///
    /// # Errors
    /// What `build` returns, or [`WriteError`].
    pub fn write<R>(&self, build: impl FnOnce(&Tx) -> Result<R, WriteError>) -> Result<R, WriteError> {
        let counter = {
            let mut state = self.lock();
            state.counter += 1;
            state.counter
        };
        self.write_as(counter, build).map(|(result, _)| result)
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
        let token = self.lock().token.clone();
        self.database.view_at(&token, self.wait).map_err(ReadError::from)?;
        let tx = Tx::new(self.database.clone());
        let result = build(&tx)?;
        let key = Some((self.id, counter));
        let written = self.database.apply_whole(Write { changes: tx.into_changes(), key })?;
        let token = self.database.view().token();
        let mut state = self.lock();
        state.token.join(&token);
        state.counter = state.counter.max(counter);
        drop(state);
        Ok((result, written))
    }

    /// A panic of another thread leaves token and counter whole: each change to them is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
