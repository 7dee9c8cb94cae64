//! One replica that a client was given, and the channel to it while there is one.

use crate::channel::Channel;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Link {
    /// What the client calls it: the name that was given, else the address.
    pub(crate) name: String,
    /// The node that must answer at the address, if that was given.
    pub(crate) expected: Option<String>,
    /// `host:port`.
    pub(crate) addr: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channel: Option<Channel>,
    node: Option<String>,
    problem: Option<String>,
}

impl Link {
    pub(crate) fn new(expected: Option<&str>, addr: &str) -> Self {
        let (name, expected) = (expected.unwrap_or(addr).to_owned(), expected.map(str::to_owned));
        Self { name, expected, addr: addr.to_owned(), state: Mutex::default() }
    }

    /// The channel to it, if it is connected.
    pub(crate) fn channel(&self) -> Option<Channel> {
        self.lock().channel.clone().filter(|channel| !channel.is_closed())
    }

    /// Which node it is, once it was met.
    pub(crate) fn node(&self) -> Option<String> {
        self.lock().node.clone()
    }

    /// Why it is not connected, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    pub(crate) fn connected(&self, channel: Channel) {
        let mut state = self.lock();
        state.node = Some(channel.node().node.clone());
        state.channel = Some(channel);
        state.problem = None;
    }

    /// It is not connected; whether that was not known.
    pub(crate) fn disconnected(&self, problem: &str) -> bool {
        let mut state = self.lock();
        state.channel = None;
        state.problem.replace(problem.to_owned()).is_none()
    }

    /// Takes the channel away, so that it can be closed for good.
    pub(crate) fn take(&self) -> Option<Channel> {
        self.lock().channel.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
