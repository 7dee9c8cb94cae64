//! The calls of a session.

use crate::call::{Answered, Call, Unanswered};
use crate::error::ClientError;
use crate::options::Options;
use crate::outcome::{WriteOutcome, error};
use crate::session::Session;
use crate::shared::millis;
use crate::tx::Tx;
use crate::value::{Found, Page, Written};
use anabranch_causality::{Kind, Token, names};
use anabranch_protocol::{Answer, Ask, Request};
use anabranch_resolvers::Write;
use anabranch_session::{Begun, Guarantees, Purpose, Terms};
use serde::de::DeserializeOwned;

/// The most keys of a page.
const MAX_LIMIT: usize = 1_000;
/// The longest path of a collection, `name~kind`, in bytes.
const MAX_PATH: usize = names::MAX_COLLECTION + 32;

/// A session, for calls with [`Options`].
pub struct With<'a> {
    pub(crate) session: &'a Session,
    pub(crate) options: Options,
}

impl With<'_> {
    /// As [`Session::get`].
    ///
    /// # Errors
    /// As [`Session::get`].
    pub async fn get(&self, collection: &str, key: &str) -> Result<Option<Found>, ClientError> {
        check_path(collection)?;
        names::check_key(key).map_err(|error| ClientError::Invalid(error.to_string()))?;
        let ask = Ask::Get { collection: collection.to_owned(), key: key.to_owned() };
        let read = |answer, _: &Ask| match answer {
            Answer::Value { shown: None, .. } => Some(None),
            Answer::Value { shown: Some(shown), .. } => Found::from_shown(shown, collection, key).map(Some),
            _ => None,
        };
        self.read(ask, &read).await
    }

    /// As [`Session::get_as`].
    ///
    /// # Errors
    /// As [`Session::get_as`].
    pub async fn get_as<T: DeserializeOwned>(&self, collection: &str, key: &str) -> Result<Option<T>, ClientError> {
        self.get(collection, key).await?.map(|found| found.parse(key)).transpose()
    }

    /// As [`Session::scan`].
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn scan(
        &self,
        collection: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, ClientError> {
        check_path(collection)?;
        if prefix.len().max(after.map_or(0, str::len)) > names::MAX_KEY {
            let most = names::MAX_KEY;
            return Err(ClientError::Invalid(format!("keys, and what they start with, have at most {most} bytes")));
        }
        let ask = Ask::Scan {
            collection: collection.to_owned(),
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            limit: limit.clamp(1, MAX_LIMIT) as u32,
        };
        let read = |answer, _: &Ask| match answer {
            Answer::Page(page) => Page::from_answer(page, collection),
            _ => None,
        };
        self.read(ask, &read).await
    }

    /// As [`Session::write`].
    ///
    /// # Errors
    /// As [`Session::write`].
    pub async fn write<R>(
        &self,
        build: impl FnOnce(&Tx) -> Result<R, ClientError>,
    ) -> Result<(R, Written), ClientError> {
        let (result, write) = built(build)?;
        let only = self.only()?;
        let guarantees = self.guarantees();
        let begun = self.session.lock().state.begin_write(guarantees);
        Ok((result, self.send(write, begun, only, false).await?))
    }

    /// As [`Session::write_as`].
    ///
    /// # Errors
    /// As [`Session::write_as`].
    pub async fn write_as<R>(
        &self,
        counter: u64,
        build: impl FnOnce(&Tx) -> Result<R, ClientError>,
    ) -> Result<(R, Written), ClientError> {
        if counter == 0 {
            return Err(ClientError::Invalid("a session counts its operations from 1".into()));
        }
        let (result, write) = built(build)?;
        let only = self.only()?;
        let guarantees = self.guarantees();
        let (begun, repeats) = {
            let state = &mut self.session.lock().state;
            let repeats = counter <= state.counter();
            (state.repeat_write(counter, guarantees), repeats)
        };
        Ok((result, self.send(write, begun, only, repeats).await?))
    }

    /// As [`Session::declare`].
    ///
    /// # Errors
    /// As [`Session::declare`].
    pub async fn declare(&self, collection: &str, resolver: &str) -> Result<Written, ClientError> {
        // Every kind but the register has one resolver, of its own name.
        let kind = Kind::from_name(resolver).unwrap_or(Kind::REGISTER);
        let declare = |tx: &Tx| {
            tx.declare(collection, kind, resolver);
            Ok(())
        };
        self.write(declare).await.map(|((), written)| written)
    }

    async fn read<T>(&self, ask: Ask, read: &(dyn Fn(Answer, &Ask) -> Option<T> + Sync)) -> Result<T, ClientError> {
        let only = self.only()?;
        let guarantees = self.guarantees();
        let sent = self.session.lock().state.token_for_read(guarantees);
        let terms = self.terms(Purpose::Read, sent.clone(), only);
        match (Call { terms, ask, read }).run(self.session.shared()).await {
            Ok(Answered { value, token, by }) => {
                let mut carried = self.session.lock();
                carried.state.note_read(&sent, &token);
                carried.last_replica = Some(by);
                Ok(value)
            }
            Err(unanswered) => Err(self.failed(&unanswered, &sent, 0)),
        }
    }

    /// `repeats`: the session may have sent it before, in a call that heard nothing.
    async fn send(
        &self,
        write: Write,
        begun: Begun,
        only: Option<String>,
        repeats: bool,
    ) -> Result<Written, ClientError> {
        let Begun { counter, token: sent } = begun;
        let Options { ack, show, .. } = self.options;
        let write = Write { key: Some((self.session.id(), counter)), ..write };
        let ask = Ask::Write { write, ack: ack.unwrap_or_default(), show };
        let terms = self.terms(Purpose::Write, sent.clone(), only);
        match (Call { terms, ask, read: &WriteOutcome::read }).run(self.session.shared()).await {
            Ok(Answered { value: outcome, token, by }) => {
                let mut carried = self.session.lock();
                carried.state.note_written(outcome.dot(), &sent, &token, show);
                carried.last_replica = Some(by.clone());
                outcome.finish(by)
            }
            Err(unanswered) => Err(match self.failed(&unanswered, &sent, counter) {
                ClientError::Refused { code, detail, .. } if repeats => {
                    ClientError::Refused { code, detail, earlier_unknown: true }
                }
                error => error,
            }),
        }
    }

    fn failed(&self, unanswered: &Unanswered, sent: &Token, counter: u64) -> ClientError {
        if let Some(token) = &unanswered.token {
            // A refusal shows something too: that there is no such collection, that a slot is taken.
            self.session.lock().state.note_read(sent, token);
        }
        error(unanswered, counter, self.session.shared())
    }

    fn guarantees(&self) -> Guarantees {
        self.options.guarantees.unwrap_or_else(|| self.session.guarantees())
    }

    /// The client's name for the only replica to ask, if there is to be one.
    fn only(&self) -> Result<Option<String>, ClientError> {
        let Some(name) = &self.options.replica else { return Ok(None) };
        let link = self.session.shared().link_of_node(name);
        link.map(|link| Some(link.name.clone())).ok_or_else(|| ClientError::NoSuchReplica(name.clone()))
    }

    fn terms(&self, purpose: Purpose, token: Token, only: Option<String>) -> Terms {
        let (session, shared) = (self.session, self.session.shared());
        let wait_ms = millis(self.options.wait.unwrap_or(session.wait));
        let limit_ms = millis(self.options.deadline.unwrap_or(session.deadline));
        Terms {
            session: session.id(),
            purpose,
            token,
            max_lag_ms: self.options.max_lag.filter(|_| purpose == Purpose::Read).map(millis),
            wait_ms: wait_ms.min(u64::from(Request::MAX_WAIT_MS)),
            deadline_ms: shared.now_ms().saturating_add(limit_ms),
            repeatable: true,
            hedge: shared.settings.hedge,
            only,
        }
    }
}

fn built<R>(build: impl FnOnce(&Tx) -> Result<R, ClientError>) -> Result<(R, Write), ClientError> {
    let tx = Tx::default();
    let result = build(&tx)?;
    Ok((result, Write { changes: tx.into_changes()?, key: None }))
}

/// Nodes close the connection on a path that is longer, and say more of one that is wrong in another way.
fn check_path(path: &str) -> Result<(), ClientError> {
    let detail = || ClientError::Invalid(format!("a collection's name has 1 to {} bytes", names::MAX_COLLECTION));
    if (1..=MAX_PATH).contains(&path.len()) { Ok(()) } else { Err(detail()) }
}
