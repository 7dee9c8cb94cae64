//! What all parts of a client share.

use crate::link::Link;
use anabranch_protocol::Hello;
use anabranch_session::Fleet;
use anabranch_transport::Endpoint;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Shared {
    pub(crate) hello: Hello,
    pub(crate) endpoint: Endpoint,
    pub(crate) links: Vec<Link>,
    pub(crate) settings: Settings,
    fleet: Mutex<Fleet>,
    start: Instant,
}

/// What holds for calls that do not say otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) wait: Duration,
    pub(crate) deadline: Duration,
    pub(crate) hedge: bool,
}

impl Shared {
    pub(crate) fn new(
        hello: Hello,
        endpoint: Endpoint,
        links: Vec<Link>,
        settings: Settings,
        mut fleet: Fleet,
    ) -> Self {
        for link in &links {
            fleet.add(&link.name, None);
        }
        Self { hello, endpoint, links, settings, fleet: Mutex::new(fleet), start: Instant::now() }
    }

    /// Milliseconds since the client began: the time that decisions are made in.
    pub(crate) fn now_ms(&self) -> u64 {
        millis(self.start.elapsed())
    }

    /// The instant of a time of [`Shared::now_ms`].
    pub(crate) fn at(&self, ms: u64) -> Instant {
        // Times far beyond what an instant can say are never.
        self.start.checked_add(Duration::from_millis(ms)).unwrap_or_else(|| self.start + Duration::from_secs(1 << 30))
    }

    /// What is known of the replicas. Held for no longer than a decision takes.
    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A replica could not be reached, or did not answer.
    pub(crate) fn note_failure(&self, name: &str) {
        let now_ms = self.now_ms();
        self.fleet().note_failure(name, now_ms);
    }

    pub(crate) fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The replica that is called by that name, or whose node is.
    pub(crate) fn link_of_node(&self, node: &str) -> Option<&Link> {
        self.link(node).or_else(|| self.links.iter().find(|link| link.node().as_deref() == Some(node)))
    }

    /// Why replicas are not connected, or what else is known of them, for people.
    pub(crate) fn problems(&self) -> String {
        let say = |link: &Link| {
            let problem = link.problem();
            let state = if link.channel().is_some() { "no answer in time" } else { "not connected yet" };
            format!("{}: {}", link.name, problem.as_deref().unwrap_or(state))
        };
        self.links.iter().map(say).collect::<Vec<_>>().join("; ")
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
