//! Lets items into a document when everything is there that they need, and keeps the others until then.
//!
//! The document could wait for what is missing by itself. Here it never has to: an item goes in when all former items of
//! its client and its neighbours are in, a deletion when what it deletes is. So the document has no state but what is
//! in it, and what waits can be written down as it came.

use super::update::{Cut, Deletes, Draft, Item, Unit, Update, joined};
use std::collections::{BTreeMap, BTreeSet};

/// What is in, and what waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Of each client, how many units are in.
    state: BTreeMap<u64, u32>,
    waiting: BTreeMap<u64, BTreeMap<u32, Waiting>>,
    /// Which clients' next items need a unit that is not in.
    needed: BTreeMap<Unit, BTreeSet<u64>>,
    deletes: Deletes,
}

#[derive(Debug)]
struct Waiting {
    end: u32,
    needs: [Option<Unit>; 2],
    is_plain: bool,
    bytes: Vec<u8>,
}

/// An item that is in.
struct Entered {
    client: u64,
    clock: u32,
    item: Waiting,
}

/// What goes into the document now.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Updates, to be applied in this order. Everything that they need is in, or in them.
    pub(super) updates: Vec<Vec<u8>>,
    /// Whether all that comes with them is plain.
    pub(super) is_plain: bool,
}

impl Gate {
    /// A gate to a document that has these units, for which nothing waits.
    pub(super) fn new(state: BTreeMap<u64, u32>) -> Self {
        Self { state, ..Self::default() }
    }

    /// How many units of a client are in.
    pub(super) fn clock(&self, client: u64) -> u32 {
        self.state.get(&client).copied().unwrap_or(0)
    }

    pub(super) fn state(&self) -> &BTreeMap<u64, u32> {
        &self.state
    }

    /// Takes note that a client made units by editing the document itself.
    pub(super) fn advance(&mut self, client: u64, to: u32) {
        self.state.insert(client, to);
    }

    /// Takes in an update, and says what may go on.
    pub(super) fn take(&mut self, update: &Update<'_>) -> Ready {
        let mut touched = BTreeSet::new();
        for (client, items) in &update.items {
            let have = self.clock(*client);
            for item in items.iter().filter(|item| item.end() > have) {
                self.wait(*client, item);
                touched.insert(*client);
            }
        }
        for (client, ranges) in &update.deletes {
            let waiting = self.deletes.entry(*client).or_default();
            waiting.extend(ranges.iter().cloned());
            *waiting = joined(std::mem::take(waiting));
        }
        let mut progressed: BTreeSet<u64> = update.deletes.keys().copied().collect();
        let entered = self.enter(touched, &mut progressed);
        let deletes = self.deletes_of(&progressed);
        let is_plain = entered.iter().all(|entered| entered.item.is_plain);
        Ready { updates: encode(&entered, &deletes), is_plain }
    }

    /// Of two items that begin alike, the longer one waits; of two as long, always the same one.
    fn wait(&mut self, client: u64, item: &Item<'_>) {
        let new = Waiting { end: item.end(), needs: item.needs, is_plain: item.is_plain, bytes: item.bytes.to_vec() };
        let queue = self.waiting.entry(client).or_default();
        match queue.get_mut(&item.clock) {
            Some(old) if (old.end, &old.bytes) >= (new.end, &new.bytes) => {}
            Some(old) => *old = new,
            None => drop(queue.insert(item.clock, new)),
        }
    }

    /// Lets in whatever can come in, beginning with these clients' items. Each client is looked at again only when what
    /// its next item needed has come.
    fn enter(&mut self, mut look: BTreeSet<u64>, progressed: &mut BTreeSet<u64>) -> Vec<Entered> {
        let mut entered = Vec::new();
        while let Some(client) = look.pop_first() {
            let before = self.clock(client);
            while let Some(next) = self.next(client) {
                entered.push(next);
            }
            let now = self.clock(client);
            if now > before {
                progressed.insert(client);
                let mut met = self.needed.split_off(&(client, 0));
                self.needed.append(&mut met.split_off(&(client, now)));
                look.extend(met.into_values().flatten());
            }
        }
        entered
    }

    fn next(&mut self, client: u64) -> Option<Entered> {
        let have = self.clock(client);
        let queue = self.waiting.get_mut(&client)?;
        let (clock, end, needs) = loop {
            let Some((clock, first)) = queue.first_key_value() else {
                self.waiting.remove(&client);
                return None;
            };
            if first.end > have {
                break (*clock, first.end, first.needs);
            }
            queue.pop_first();
        };
        if clock > have {
            return None;
        }
        let missing = needs.into_iter().flatten().find(|(of, unit)| self.clock(*of) <= *unit);
        if let Some(missing) = missing {
            self.needed.entry(missing).or_default().insert(client);
            return None;
        }
        let (_, mut item) = self.waiting.get_mut(&client)?.pop_first()?;
        if clock < have {
            // Its first units came before, perhaps as something else: what follows is cut off here, so that the document
            // never has to.
            let cut = Cut::of(&item.bytes, client, clock, have - clock)?;
            (item.needs, item.bytes) = (cut.needs, cut.bytes);
        }
        self.state.insert(client, end);
        Some(Entered { client, clock: have, item })
    }

    /// Takes out the deletions that these clients' units are in for.
    fn deletes_of(&mut self, clients: &BTreeSet<u64>) -> Deletes {
        let mut ready = Deletes::new();
        for client in clients {
            let Some(ranges) = self.deletes.remove(client) else { continue };
            let have = self.clock(*client);
            let (mut now, mut later) = (Vec::new(), Vec::new());
            for range in ranges {
                if range.start < have {
                    now.push(range.start..range.end.min(have));
                }
                if range.end > have {
                    later.push(range.start.max(have)..range.end);
                }
            }
            ready.extend((!now.is_empty()).then_some((*client, now)));
            self.deletes.extend((!later.is_empty()).then_some((*client, later)));
        }
        ready
    }

    /// What waits, as updates: items that overlap are in different ones.
    pub(super) fn waiting(&self) -> Vec<Vec<u8>> {
        let all = self.waiting.iter().flat_map(|(client, queue)| queue.iter().map(move |item| (*client, item)));
        let items = all.map(|(client, (clock, item))| (client, *clock, item.end, item.bytes.as_slice()));
        encode_items(items, &self.deletes)
    }

    /// Adds to a draft what waits beyond a client's units there and does not overlap; the deletions too.
    pub(super) fn add_waiting<'a>(&'a self, have: &BTreeMap<u64, u32>, draft: &mut Draft<'a>) -> &'a Deletes {
        for (client, queue) in &self.waiting {
            let have = have.get(client).copied().unwrap_or(0);
            for (clock, item) in queue.iter().filter(|(clock, _)| **clock >= self.clock(*client)) {
                if item.end > have {
                    draft.push(*client, *clock, item.end, &item.bytes);
                }
            }
        }
        &self.deletes
    }
}

fn encode(entered: &[Entered], deletes: &Deletes) -> Vec<Vec<u8>> {
    let item = |entered: &'_ Entered| (entered.client, entered.clock, entered.item.end);
    encode_items(
        entered.iter().map(|entered| {
            let (client, clock, end) = item(entered);
            (client, clock, end, entered.item.bytes.as_slice())
        }),
        deletes,
    )
}

fn encode_items<'a>(items: impl Iterator<Item = (u64, u32, u32, &'a [u8])>, deletes: &Deletes) -> Vec<Vec<u8>> {
    let (mut updates, mut draft) = (Vec::new(), Draft::default());
    for (client, clock, end, bytes) in items {
        if !draft.push(client, clock, end, bytes) {
            updates.push(std::mem::take(&mut draft).encode(&Deletes::new()));
            draft.push(client, clock, end, bytes);
        }
    }
    if !draft.is_empty() || !deletes.is_empty() {
        updates.push(draft.encode(deletes));
    }
    updates
}
