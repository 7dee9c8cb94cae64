//! `text`: a document that many edit at once, as Yjs has it.
//!
//! A text is the union of its Yjs updates: what of the document named by the key is shown is the string of its part named
//! `text`. Parts of other names are kept, handed out with the rest, and otherwise ignored; what no text is made of
//! (nested types, subdocuments) is refused.

mod document;
mod gate;
mod update;

use crate::json;
use crate::operation::Operation;
use crate::pile::{Pile, PileHead, PilePart, mark};
use crate::register::check_limits;
use crate::resolver::{Exported, Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Actor, Effect, Kind, Origin};
use document::Document;
use serde_json::Value;
use std::ops::ControlFlow;
use update::{MAX_CLIENT, Update};

/// The most bytes that a text's updates may have, merged and not yet merged, for more to be written. Concurrent writes can
/// still make more.
pub const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// A document of characters: concurrent edits all count, and what is typed at one place stays together. One pile of Yjs
/// updates per key, under the empty subkey.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Resolver for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn kind(&self) -> Kind {
        Kind::TEXT
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        check_limits(operation)?;
        match operation {
            Operation::Yjs(update) => {
                check_update(update).map_err(|error| Rejection::Rejected(error.0.to_owned()))?;
                check_room(prepare.rows().pile(&[])?, update.len())?;
                prepare.fold([], update.as_slice());
                Ok(())
            }
            Operation::InsertText { at, text } => edit(prepare, text.len(), |document| insert(document, *at, text)),
            Operation::DeleteText { at, length } => edit(prepare, 0, |document| delete(document, *at, *length)),
            Operation::Delete => edit(prepare, 0, |document| match document.length() {
                0 => Ok(None),
                _ => Ok(Some(document.clear().map_err(|_| ReadFailed)?)),
            }),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        if effect.kind != Kind::TEXT {
            return Err(Malformed("not a text's effect"));
        }
        if !(effect.adds.is_empty() && effect.supersedes.is_empty()) {
            return Err(Malformed("a text has no rows"));
        }
        for fold in &effect.folds {
            if !fold.subkey.is_empty() {
                return Err(Malformed("a text has no subkeys"));
            }
            check_update(&fold.payload)?;
        }
        Ok(())
    }

    fn pile(&self) -> Option<&dyn Pile> {
        Some(self)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        const REASON: &str = "the union of all updates";
        let Some((document, _)) = open(rows, READER)? else { return Ok(None) };
        let text = document.string();
        if text.is_empty() {
            return Ok(None);
        }
        let value = Value::String(text);
        Ok(Some(match json::length(&value, most_bytes) {
            Some(_) => Outcome::plain(value, REASON),
            None => Outcome { truncated: true, ..Outcome::plain(Value::Null, REASON) },
        }))
    }

    /// The updates as one; `since` is a state vector.
    fn export(&self, rows: &dyn Rows, since: Option<&[u8]>) -> Result<Exported, ReadFailed> {
        if let Some(Err(error)) = since.map(update::parse_state) {
            return Ok(Exported::BadSince(error));
        }
        let Some((document, _)) = open(rows, READER)? else { return Ok(Exported::Nothing) };
        document.update(since).map(Exported::Bytes).map_err(|_| ReadFailed)
    }
}

impl Pile for Text {
    fn merge(&self, snapshot: Option<&[u8]>, changes: &[Vec<u8>]) -> Result<Vec<u8>, Malformed> {
        let mut document = Document::new(READER);
        if let Some(snapshot) = snapshot {
            document.load(snapshot)?;
        }
        changes.iter().try_for_each(|change| document.take(change))?;
        Ok(document.snapshot())
    }

    fn canonical(&self, snapshot: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut document = Document::new(READER);
        document.load(snapshot)?;
        document.canonical()
    }
}

/// The client of documents in which nobody edits.
const READER: u64 = 1;

/// Everything that could go wrong with an update later is found here: applying never refuses.
fn check_update(update: &[u8]) -> Result<(), Malformed> {
    Update::parse(update)?;
    document::check_library_reads(update)
}

fn check_room(head: Option<PileHead>, more: usize) -> Result<(), Rejection> {
    let used = head.map_or(0, |head| head.snapshot + head.bytes);
    if used + more as u64 <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    let what =
        format!("the text's updates have {used} bytes, and {MAX_DOCUMENT_BYTES} are allowed: begin another text");
    Err(Rejection::Rejected(what))
}

fn insert(document: &mut Document, at: u64, text: &str) -> Result<Option<Vec<u8>>, Rejection> {
    let length = document.length();
    if at > length {
        return Err(Rejection::Rejected(format!("cannot insert at {at}: the text has {length} characters")));
    }
    Ok(Some(document.insert(at, text).map_err(|_| ReadFailed)?))
}

fn delete(document: &mut Document, at: u64, count: u64) -> Result<Option<Vec<u8>>, Rejection> {
    let length = document.length();
    if at.checked_add(count).is_none_or(|end| end > length) {
        let what = format!("cannot delete {count} characters at {at}: the text has {length} characters");
        return Err(Rejection::Rejected(what));
    }
    Ok(Some(document.delete(at, count).map_err(|_| ReadFailed)?))
}

/// A document as it was kept open, and how far it is.
struct Kept {
    document: Document,
    head: PileHead,
}

/// Edits the document as the leader has it; what comes of it is an update.
fn edit(
    prepare: &mut Prepare<'_>,
    more: usize,
    edit: impl FnOnce(&mut Document) -> Result<Option<Vec<u8>>, Rejection>,
) -> Result<(), Rejection> {
    let client = client_of(prepare)?;
    let rows = prepare.rows();
    let head = rows.pile(&[])?;
    check_room(head, more)?;
    let (mut document, mut head) = match kept(prepare, client, head)? {
        Some(kept) => (kept.document, kept.head),
        None => open(rows, client)?.unwrap_or_else(|| (Document::new(client), PileHead::default())),
    };
    let edited = edit(&mut document);
    if let Ok(Some(update)) = &edited {
        // From here on the document is one change ahead. If that is not applied, the marks will differ.
        head.push(update);
    }
    let memory = document.memory();
    // A document that failed in the middle of an edit is nothing to go on with.
    if !matches!(edited, Err(Rejection::Read(_)))
        && let Some(memo) = prepare.memo()
    {
        memo.keep(Box::new(Kept { document, head }), memory);
    }
    if let Some(update) = edited? {
        prepare.fold([], update);
    }
    Ok(())
}

/// The client id of a leader's own edits, from its origin: never used again after a restart, and an integer that
/// JavaScript can hold.
fn client_of(prepare: &Prepare<'_>) -> Result<u64, Rejection> {
    match prepare.operation().actor {
        Actor::Leader(Origin(origin)) => Ok((origin & MAX_CLIENT).max(1)),
        Actor::Session(_) => Err(Rejection::NotSupported(
            "edits by position depend on the state of the leader that hears them, so they cannot be retried elsewhere: \
             send them without a counter, or send a Yjs update, {\"yjs\":base64}"
                .to_owned(),
        )),
    }
}

/// The document that was kept open, brought up to date; `None` when there is none that can be.
fn kept(prepare: &mut Prepare<'_>, client: u64, head: Option<PileHead>) -> Result<Option<Kept>, ReadFailed> {
    let rows = prepare.rows();
    let (Some(memo), Some(head)) = (prepare.memo(), head) else { return Ok(None) };
    let Some(mut kept) = memo.take::<Kept>() else { return Ok(None) };
    if kept.document.client() != client || kept.head.next > head.next {
        return Ok(None);
    }
    let mut now = kept.head.mark;
    let mut failed = false;
    if kept.head.next < head.next {
        rows.pile_parts(&[], Some(kept.head.next), &mut |part| {
            if let PilePart::Change(change) = part {
                now = mark(now, change);
                failed |= kept.document.take(change).is_err();
            }
            if failed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    kept.head = head;
    Ok(Some(*kept).filter(|_| now == head.mark && !failed))
}

/// The document from its pile, with how far it is; `None` when nothing was ever piled up.
fn open(rows: &dyn Rows, client: u64) -> Result<Option<(Document, PileHead)>, ReadFailed> {
    let Some(head) = rows.pile(&[])? else { return Ok(None) };
    let mut document = Document::new(client);
    let mut taken = Ok(());
    rows.pile_parts(&[], None, &mut |part| {
        taken = match part {
            PilePart::Snapshot(snapshot) => document.load(snapshot),
            PilePart::Change(change) => document.take(change),
        };
        if taken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    taken.map_err(|_| ReadFailed)?;
    Ok(Some((document, head)))
}
