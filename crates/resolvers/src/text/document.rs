//! A document: what a text's updates come to.

use super::gate::Gate;
use super::update::{Deletes, Draft, Update, joined, parse_state};
use crate::resolver::Malformed;
use anabranch_causality::{DecodeError, Reader, Writer};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use yrs::updates::decoder::Decode as _;
use yrs::{ClientID, Doc, GetString as _, OffsetKind, Options, Out, ReadTxn as _, StateVector, Text as _, TextRef};
use yrs::{Transact as _, WriteTxn as _};

/// The part of the document that is the text. Parts of other names are kept and not looked at.
pub(super) const ROOT: &str = "text";
const VERSION: u8 = 1;
/// About how many bytes of memory one byte of an update takes: most are items of a few bytes.
const MEMORY_FACTOR: usize = 10;

const BROKEN: Malformed = Malformed("the document could not take in a change");

/// An open document.
pub(super) struct Document {
    doc: Doc,
    text: TextRef,
    client: u64,
    gate: Gate,
    /// Whether each unit of the text is a character. `None`: not known.
    is_plain: Option<bool>,
    /// How many bytes went in.
    bytes: usize,
}

impl Document {
    /// An empty document, in which this client edits.
    pub(super) fn new(client: u64) -> Self {
        let doc = Doc::with_options(Options {
            client_id: ClientID::new(client),
            // Nothing is drawn at random: a document is its updates.
            guid: "".into(),
            collection_id: None,
            offset_kind: OffsetKind::Utf16,
            skip_gc: false,
            auto_load: false,
            should_load: false,
            // Would edit on its own account what others have written.
            cleanup_formatting: false,
        });
        let text = doc.transact_mut().get_or_insert_text(ROOT);
        Self { doc, text, client, gate: Gate::default(), is_plain: Some(true), bytes: 0 }
    }

    /// The client that edits here.
    pub(super) fn client(&self) -> u64 {
        self.client
    }

    /// About how many bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        self.bytes.saturating_mul(MEMORY_FACTOR)
    }

    /// Takes in a snapshot. Only as the first thing.
    pub(super) fn load(&mut self, snapshot: &[u8]) -> Result<(), Malformed> {
        let parts = read_snapshot(snapshot).map_err(|_| Malformed("not a text's snapshot"))?;
        let (first, waiting) = parts.split_first().ok_or(BROKEN)?;
        self.apply(first)?;
        self.bytes += first.len();
        let state = self.doc.transact().state_vector();
        self.gate = Gate::new(state.iter().map(|(client, clock)| (client.get(), *clock)).collect());
        self.is_plain = None;
        waiting.iter().try_for_each(|update| self.take(update))
    }

    /// Takes in an update: at once what can be, the rest when what it needs has come. Updates that were taken in before
    /// change nothing.
    pub(super) fn take(&mut self, update: &[u8]) -> Result<(), Malformed> {
        let ready = self.gate.take(&Update::parse(update)?);
        self.bytes += update.len();
        if !ready.is_plain {
            self.is_plain = None;
        }
        ready.updates.iter().try_for_each(|update| self.apply(update))
    }

    fn apply(&mut self, update: &[u8]) -> Result<(), Malformed> {
        let mut apply = || {
            let update = yrs::Update::decode_v1(update).map_err(|_| BROKEN)?;
            let mut transaction = self.doc.transact_mut();
            transaction.apply_update(update).map_err(|_| BROKEN)?;
            debug_assert!(!transaction.has_missing_updates(), "the gate let in what is not ready");
            Ok(())
        };
        // The last line, behind `Update::parse` and the gate: if the library still stumbles over items that are each as
        // they should be, this text cannot be shown, and the others can.
        catch_unwind(AssertUnwindSafe(&mut apply)).unwrap_or(Err(BROKEN))
    }

    /// The text.
    pub(super) fn string(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }

    /// How many characters it has.
    pub(super) fn length(&mut self) -> u64 {
        let units = u64::from(self.text.len(&self.doc.transact()));
        if self.is_plain() { units } else { self.string().chars().count() as u64 }
    }

    fn is_plain(&mut self) -> bool {
        if let Some(known) = self.is_plain {
            return known;
        }
        let units = self.text.len(&self.doc.transact()) as usize;
        let is_plain = units == self.string().chars().count();
        self.is_plain = Some(is_plain);
        is_plain
    }

    /// Where in the document's units a character begins. The end of the text counts as one.
    fn unit(&mut self, at: u64) -> u32 {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        if self.is_plain() {
            return at;
        }
        let (mut characters, mut units) = (0, 0);
        for part in self.text.diff(&self.doc.transact(), |_| ()) {
            match part.insert {
                Out::Any(yrs::Any::String(text)) => {
                    for character in text.chars() {
                        if characters == at {
                            return units;
                        }
                        characters += 1;
                        units += character.len_utf16() as u32;
                    }
                }
                // Embedded: a unit without a character.
                _ => units += 1,
            }
        }
        units
    }

    /// Inserts text before a character, and says what changed, as an update.
    pub(super) fn insert(&mut self, at: u64, text: &str) -> Result<Vec<u8>, Malformed> {
        let unit = self.unit(at);
        let is_plain = text.chars().all(|character| character.len_utf16() == 1);
        let update = self.edit(|content, transaction| content.insert(transaction, unit, text))?;
        if !is_plain {
            self.is_plain = None;
        }
        Ok(update)
    }

    /// Deletes characters, and says what changed, as an update.
    pub(super) fn delete(&mut self, at: u64, length: u64) -> Result<Vec<u8>, Malformed> {
        let (start, end) = (self.unit(at), self.unit(at.saturating_add(length)));
        self.edit(|content, transaction| content.remove_range(transaction, start, end - start))
    }

    /// Deletes everything that is visible.
    pub(super) fn clear(&mut self) -> Result<Vec<u8>, Malformed> {
        let units = self.text.len(&self.doc.transact());
        self.edit(|content, transaction| content.remove_range(transaction, 0, units))
    }

    fn edit(&mut self, edit: impl FnOnce(&TextRef, &mut yrs::TransactionMut<'_>)) -> Result<Vec<u8>, Malformed> {
        let (doc, text, client) = (&self.doc, &self.text, ClientID::new(self.client));
        let edited = catch_unwind(AssertUnwindSafe(|| {
            let mut transaction = doc.transact_mut();
            edit(text, &mut transaction);
            let update = transaction.encode_update_v1();
            transaction.commit();
            (update, transaction.state_vector().get(&client))
        }));
        // As in `apply`: the last line.
        let (update, clock) = edited.map_err(|_| BROKEN)?;
        if clock > 0 {
            self.gate.advance(self.client, clock);
        }
        self.bytes += update.len();
        Ok(update)
    }

    /// What everything taken in so far comes to.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let update = self.doc.transact().encode_diff_v1(&StateVector::default());
        let waiting = self.gate.waiting();
        let mut writer = Writer::with_capacity(update.len() + 16);
        writer.u8(VERSION).bytes(&update).varint(waiting.len() as u64);
        for update in &waiting {
            writer.bytes(update);
        }
        writer.into_bytes()
    }

    /// Everything taken in, as one update; only what is not in `since`, a state vector, when given. What waits is in it.
    pub(super) fn update(&self, since: Option<&[u8]>) -> Result<Vec<u8>, Malformed> {
        let since = since.map(parse_state).transpose()?.unwrap_or_default();
        let mut known = StateVector::default();
        for (client, clock) in &since {
            // No more than there is: what a document does with less is well trodden.
            let clock = self.gate.clock(*client).min(*clock);
            if clock > 0 {
                known.set_max(ClientID::new(*client), clock);
            }
        }
        let update = self.doc.transact().encode_diff_v1(&known);
        let parsed = Update::parse(&update)?;
        let mut draft = Draft::default();
        for (client, items) in &parsed.items {
            for item in items {
                draft.push(*client, item.clock, item.end(), item.bytes);
            }
        }
        let mut deletes = parsed.deletes;
        for (client, ranges) in self.gate.add_waiting(&since, &mut draft) {
            let all = deletes.entry(*client).or_default();
            all.extend(ranges.iter().cloned());
            *all = joined(std::mem::take(all));
        }
        Ok(draft.encode(&deletes))
    }

    /// Equal bytes for equal content: the text, which units there are, which of them are deleted, and what waits.
    pub(super) fn canonical(&self) -> Result<Vec<u8>, Malformed> {
        let update = self.doc.transact().encode_diff_v1(&StateVector::default());
        let deletes: Deletes = Update::parse(&update)?.deletes;
        let mut writer = Writer::new();
        writer.bytes(self.string().as_bytes());
        let state: &BTreeMap<u64, u32> = self.gate.state();
        for (client, clock) in state {
            writer.varint(*client).varint(u64::from(*clock));
        }
        writer.bytes(&Draft::default().encode(&deletes));
        for waiting in self.gate.waiting() {
            writer.bytes(&waiting);
        }
        Ok(writer.into_bytes())
    }
}

/// The document's update, then those that wait.
fn read_snapshot(bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut reader = Reader::new(bytes);
    match reader.u8("version")? {
        VERSION => {}
        version => return Err(DecodeError::Version { what: "snapshot", version }),
    }
    let mut parts = vec![reader.bytes(bytes.len(), "update")?];
    for _ in 0..reader.count(bytes.len(), 1, "waiting")? {
        parts.push(reader.bytes(bytes.len(), "update")?);
    }
    reader.finish("snapshot")?;
    Ok(parts)
}

/// Whether the library reads an update that was found to be in order.
pub(super) fn check_library_reads(update: &[u8]) -> Result<(), Malformed> {
    yrs::Update::decode_v1(update).map(|_| ()).map_err(|_| Malformed("not a Yjs update (version 1)"))
}
