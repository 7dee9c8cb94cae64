//! Who supplies which origin.
//!
//! A node's current origin comes from the node itself. Any other origin, and one whose node cannot be reached or makes
//! no progress, is asked of a peer that offers more of it than we have. The receiver decides, so that in a healthy mesh
//! nothing is sent twice.

use crate::engine::Engine;
use crate::time::Time;
use anabranch_causality::{Origin, VersionVector};
use std::collections::{BTreeMap, BTreeSet};

/// What is supplied by whom, and how it goes.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    suppliers: BTreeMap<Origin, String>,
    progress: BTreeMap<Origin, Progress>,
}

#[derive(Debug)]
struct Progress {
    have: u64,
    since_ms: u64,
    /// The node itself is connected and brings nothing: others are asked.
    bypass: bool,
}

impl Relays {
    /// The origins that `peer` is asked to relay.
    pub(crate) fn wanted_of(&self, peer: &str) -> Vec<Origin> {
        self.suppliers.iter().filter(|(_, supplier)| *supplier == peer).map(|(origin, _)| *origin).collect()
    }

    /// How many origins are relayed to us.
    pub(crate) fn len(&self) -> usize {
        self.suppliers.len()
    }

    /// An origin's node is connected anew: its chance begins anew as well.
    pub(crate) fn connected(&mut self, origin: Origin) {
        self.progress.remove(&origin);
    }

    fn progress(&mut self, origin: Origin, have: u64, now_ms: u64) -> &mut Progress {
        let fresh = Progress { have, since_ms: now_ms, bypass: false };
        let progress = self.progress.entry(origin).or_insert(fresh);
        if progress.have != have {
            (progress.have, progress.since_ms) = (have, now_ms);
        }
        progress
    }
}

impl Engine {
    /// Looks again at who supplies what; peers whose part changes hear of it with the next acknowledgement.
    pub(crate) fn choose_suppliers(&mut self, time: Time) {
        let mut relays = std::mem::take(&mut self.relays);
        let offered = self.offered();
        let lacking: BTreeSet<Origin> =
            offered.iter().filter(|(o, n)| *n > self.state.vector.get(*o)).map(|(o, _)| o).collect();
        relays.progress.retain(|origin, _| lacking.contains(origin));
        let mut changed: BTreeSet<String> = BTreeSet::new();
        for origin in lacking {
            self.choose_supplier(&mut relays, origin, time, &mut changed);
        }
        let compact = self.state.lineages.compact(&self.state.vector);
        let gone = |origin: &Origin, supplier: &String| {
            let direct_again = self.direct(*origin).is_some() && !relays.progress.contains_key(origin);
            // What a newer origin implies and nobody has more of is finished.
            let finished = compact.get(*origin) == 0 && !relays.progress.contains_key(origin);
            direct_again || finished || !self.peers.contains_key(supplier)
        };
        let drop: Vec<Origin> = relays.suppliers.iter().filter(|(o, s)| gone(o, s)).map(|(o, _)| *o).collect();
        for origin in drop {
            changed.extend(relays.suppliers.remove(&origin));
        }
        self.relays = relays;
        for peer in changed {
            if let Some(found) = self.peers.get_mut(&peer) {
                found.incoming.ack_due = true;
            }
        }
    }

    fn choose_supplier(&mut self, relays: &mut Relays, origin: Origin, time: Time, changed: &mut BTreeSet<String>) {
        if self.parked_origins.contains_key(&origin) || origin == self.origin {
            return;
        }
        let have = self.state.vector.get(origin);
        let progress = relays.progress(origin, have, time.mono_ms);
        let stalled = time.mono_ms.saturating_sub(progress.since_ms) >= self.config.relay_after_ms;
        let direct = self.direct(origin);
        if direct.is_some() && !stalled && !progress.bypass {
            changed.extend(relays.suppliers.remove(&origin));
            return;
        }
        let offers = |peer: &String| self.peers[peer].incoming.offered.get(origin) > have;
        let current = relays.suppliers.get(&origin).filter(|peer| self.peers.contains_key(*peer)).cloned();
        if let Some(current) = &current
            && offers(current)
            && !stalled
        {
            return;
        }
        let owner = self.state.lineages.get(origin).map(|lineage| lineage.node.clone());
        let candidates: Vec<String> = self.peers.keys().filter(|peer| offers(peer)).cloned().collect();
        let last = current.as_ref().or(direct.as_ref());
        let next = candidates.iter().find(|peer| last.is_none_or(|last| *peer > last));
        let by_owner = candidates.iter().find(|peer| owner.as_ref() == Some(peer) && last.is_none());
        let Some(chosen) = by_owner.or(next).or(candidates.first()).cloned() else { return };
        // Whoever is chosen has its time; after that it is the next one's turn, the node itself among them.
        let bypass = direct.is_some() && direct.as_ref() != Some(&chosen);
        relays.progress.insert(origin, Progress { have, since_ms: time.mono_ms, bypass });
        if direct.as_ref() == Some(&chosen) || current.as_ref() == Some(&chosen) {
            // It was to bring it already, and it does not come: something was lost on the way.
            if let Some(found) = self.peers.get_mut(&chosen) {
                found.incoming.rewind_due = true;
                found.incoming.ack_due = true;
            }
        }
        if direct.as_ref() == Some(&chosen) {
            changed.extend(relays.suppliers.remove(&origin));
        } else {
            changed.extend(relays.suppliers.insert(origin, chosen.clone()));
            changed.insert(chosen);
        }
    }

    /// The connected peer that writes under `origin` now.
    fn direct(&self, origin: Origin) -> Option<String> {
        self.peers.iter().find(|(_, peer)| peer.origin == origin).map(|(name, _)| name.clone())
    }

    /// The most that anybody connected has of each origin.
    fn offered(&self) -> VersionVector {
        let mut offered = VersionVector::new();
        for peer in self.peers.values() {
            offered.join(&peer.incoming.offered);
        }
        offered
    }
}
