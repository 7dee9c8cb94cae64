//! Travellers with the client library, over QUIC.

use super::ask::{Ask, COUNTERS, Era, Heard, SETS, Said, Way};
use super::world::World;
use crate::support::random::Random;
use anabranch_client::{ClientError, Found, Guarantees, Options, Session, Tx, With, Written};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one call may take in all.
const DEADLINE: Duration = Duration::from_secs(2);

pub(super) struct Natively {
    // Before the world: it ends inside its runtime.
    session: Session,
    world: Arc<World>,
    random: Random,
}

impl Natively {
    pub(super) fn new(world: &Arc<World>, mut random: Random, guarantees: Guarantees) -> Self {
        let session = world.some_client(&mut random).session_with(guarantees);
        Self { session, world: world.clone(), random }
    }

    /// Mostly a certain replica is asked, and nobody else; else whoever the client chooses.
    fn options(&mut self, at: usize) -> Options {
        let wait = Some(Duration::from_millis([300, 1_000][self.random.below(2) as usize]));
        let replica = (self.random.below(3) > 0).then(|| self.world.nodes[at].name.clone());
        Options { wait, replica, deadline: Some(DEADLINE), ..Options::default() }
    }
}

impl Way for Natively {
    fn guarantees(&self) -> Guarantees {
        self.session.guarantees()
    }

    fn token(&self) -> Option<String> {
        Some(self.session.token())
    }

    fn join(&mut self, token: &str) {
        for token in token.split(", ") {
            self.session.join(token).expect("a token of this cluster");
        }
    }

    fn attempt(&mut self, at: usize, ask: &Ask, again: bool) -> Heard {
        let options = self.options(at);
        let call = self.session.with(options);
        let counter = again.then(|| self.session.counter());
        let began = Instant::now();
        let answer = self.world.runtime().block_on(carry_out(&call, ask, counter));
        let took = began.elapsed();
        let (said, why, by) = match answer {
            Ok(said) => (said, String::new(), self.session.last_replica()),
            Err(error) => (refused(&error), error.to_string(), None),
        };
        Heard { said, why, by, token: self.token(), took, allowed: DEADLINE }
    }

    fn sends_again(&self) -> bool {
        true
    }

    /// On another device.
    fn move_on(&mut self) {
        let saved = self.session.save();
        let client = self.world.some_client(&mut self.random);
        self.session = client.resume(&saved).expect("a session of this cluster");
    }
}

async fn carry_out(call: &With<'_>, ask: &Ask, again: Option<u64>) -> Result<Said, ClientError> {
    match ask {
        Ask::Get(key) => {
            let found = call.get(SETS, key).await?;
            Ok(Said::Seen([(key.clone(), found.map_or_else(Vec::new, |found| members(key, found)))].into()))
        }
        Ask::Page(era) => page(call, *era).await,
        Ask::Count { counter, .. } => Ok(Said::Counted(call.get_as(COUNTERS, counter).await?.unwrap_or(0))),
        Ask::Write { number, keys } => {
            let number = i64::try_from(*number).expect("a small number");
            let build = |tx: &Tx| keys.iter().try_for_each(|key| tx.set(SETS).add(key, number));
            write(call, build, again).await
        }
        Ask::Add { counter, .. } => write(call, |tx: &Tx| tx.g_counter(COUNTERS).add(counter, 1), again).await,
    }
}

async fn page(call: &With<'_>, era: Era) -> Result<Said, ClientError> {
    let page = call.scan(SETS, &era.prefix(), None, 100).await?;
    assert_eq!(page.next, None, "a page that holds all");
    let mut seen: BTreeMap<_, _> = era.keys().map(|key| (key, Vec::new())).collect();
    for entry in page.entries {
        let members = members(&entry.key, entry.found);
        seen.insert(entry.key, members);
    }
    Ok(Said::Seen(seen))
}

async fn write(
    call: &With<'_>,
    build: impl FnOnce(&Tx) -> Result<(), ClientError>,
    again: Option<u64>,
) -> Result<Said, ClientError> {
    let ((), written) = match again {
        Some(counter) => call.write_as(counter, build).await?,
        None => call.write(build).await?,
    };
    let Written { dot, repeated, .. } = written;
    Ok(Said::Written { dot, repeated })
}

fn members(key: &str, found: Found) -> Vec<u64> {
    found.parse(key).expect("numbers")
}

/// Anything else is not for a traveller to hear.
fn refused(error: &ClientError) -> Said {
    match error {
        ClientError::Unknown { .. } => Said::Unknown,
        ClientError::TokenNotReached(_)
        | ClientError::Busy(_)
        | ClientError::NotWritable(_)
        | ClientError::NotReady(_)
        | ClientError::Unreachable(_) => Said::Not,
        _ => panic!("{error:?}"),
    }
}
