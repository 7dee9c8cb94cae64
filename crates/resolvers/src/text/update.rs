//! Yjs updates, read before anything else reads them.
//!
//! The document behind a text is a library's, made for honest editors. So an update is taken apart here first, in its
//! first encoding (lib0 version 1), and only what a text can be made of goes on: numbers within their limits, counts
//! that the bytes can hold, text that is UTF-8. What a text has no use for is refused: nested types, subdocuments,
//! collected and moved items, and content of outdated forms.

use crate::json::read_json;
use crate::resolver::Malformed;
use anabranch_causality::{DecodeError, Reader, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Clocks and lengths stay below this, for they are counted in 32 signed bits by some who read them.
const MAX_CLOCK: u64 = i32::MAX as u64;
/// Ids of clients are integers that JavaScript can hold.
pub(super) const MAX_CLIENT: u64 = (1 << 53) - 1;
/// How deep values inside of a document may be nested.
const MAX_DEPTH: usize = 64;

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;
const CONTENT: u8 = 0x1f;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const VALUES: u8 = 8;
const SKIP: u8 = 10;

/// One unit of a document: who made it, and which of theirs.
pub(super) type Unit = (u64, u32);
/// Units that are deleted, by client: ranges in order, neither overlapping nor touching.
pub(super) type Deletes = BTreeMap<u64, Vec<Range<u32>>>;

/// An update, taken apart.
#[derive(Debug, Default)]
pub(super) struct Update<'a> {
    /// What each client made, in the order of its clock.
    pub(super) items: Vec<(u64, Vec<Item<'a>>)>,
    pub(super) deletes: Deletes,
}

/// A run of units of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) clock: u32,
    pub(super) length: u32,
    /// What must be there before it: its neighbours when it was made.
    pub(super) needs: [Option<Unit>; 2],
    /// Whether all of its visible units are characters of one unit each.
    pub(super) is_plain: bool,
    pub(super) bytes: &'a [u8],
}

impl Item<'_> {
    pub(super) fn end(&self) -> u32 {
        self.clock + self.length
    }
}

/// What is left of an item behind its first units, as everybody cuts: its left neighbour is the unit before.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) needs: [Option<Unit>; 2],
    pub(super) bytes: Vec<u8>,
}

impl Cut {
    /// Cuts an item of a client. `None` when its bytes are no item, or it has no units there.
    pub(super) fn of(bytes: &[u8], client: u64, clock: u32, units: u32) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let start = start(&mut reader).ok()?;
        let before = clock.checked_add(units)?.checked_sub(1)?;
        let mut writer = Writer::with_capacity(bytes.len());
        let right = start.needs[1];
        writer.u8((start.info & CONTENT) | HAS_ORIGIN | if right.is_some() { HAS_RIGHT_ORIGIN } else { 0 });
        for (client, clock) in [Some((client, before)), right].into_iter().flatten() {
            writer.varint(client).varint(u64::from(clock));
        }
        cut_content(&mut reader, &mut writer, start.info & CONTENT, units)?;
        Some(Self { needs: [Some((client, before)), right], bytes: writer.into_bytes() })
    }
}

/// Writes what is left of a content behind its first units.
fn cut_content(reader: &mut Reader<'_>, writer: &mut Writer, form: u8, units: u32) -> Option<()> {
    match form {
        DELETED => {
            let left = reader.varint("length").ok()?.checked_sub(u64::from(units)).filter(|left| *left > 0)?;
            writer.varint(left);
        }
        STRING => {
            let text: Vec<u16> = string(reader).ok()?.encode_utf16().skip(units as usize).collect();
            // Half a character is what everybody shows of it.
            let text = String::from_utf16_lossy(&text);
            writer.bytes(Some(text).filter(|text| !text.is_empty())?.as_bytes());
        }
        VALUES => {
            let left = reader.varint("values").ok()?.checked_sub(u64::from(units)).filter(|left| *left > 0)?;
            (0..units).try_for_each(|_| any(reader, MAX_DEPTH)).ok()?;
            writer.varint(left).raw(reader.rest());
        }
        _ => return None,
    }
    Some(())
}

type Read<T> = Result<T, DecodeError>;

impl<'a> Update<'a> {
    /// Takes an update apart; all of its bytes must be one.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(bytes).map_err(|error| match error {
            DecodeError::Invalid(REFUSED) => Malformed(REFUSED),
            _ => Malformed("not a Yjs update (version 1)"),
        })
    }

    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut reader = Reader::new(bytes);
        let mut seen = BTreeSet::new();
        let clients = reader.count(bytes.len(), 3, "clients")?;
        let mut items = Vec::with_capacity(clients);
        for _ in 0..clients {
            let (client, of_client) = client_items(&mut reader)?;
            if !seen.insert(client) {
                return Err(DecodeError::Invalid("client"));
            }
            items.push((client, of_client));
        }
        let mut deletes = Deletes::new();
        for _ in 0..reader.count(bytes.len(), 3, "deletes")? {
            let (client, ranges) = client_deletes(&mut reader)?;
            if deletes.insert(client, ranges).is_some() {
                return Err(DecodeError::Invalid("client"));
            }
        }
        reader.finish("update")?;
        Ok(Self { items, deletes })
    }
}

const REFUSED: &str = "a text is made of characters, formats and embedded values, not of nested types or documents";

fn number(reader: &mut Reader<'_>, most: u64, what: &'static str) -> Read<u64> {
    let number = reader.varint(what)?;
    if number <= most { Ok(number) } else { Err(DecodeError::TooLarge(what)) }
}

fn length(reader: &mut Reader<'_>, from: u32) -> Read<u32> {
    match number(reader, MAX_CLOCK - u64::from(from), "length")? {
        0 => Err(DecodeError::Invalid("length")),
        length => Ok(length as u32),
    }
}

fn unit(reader: &mut Reader<'_>) -> Read<Unit> {
    Ok((number(reader, MAX_CLIENT, "client")?, number(reader, MAX_CLOCK - 1, "clock")? as u32))
}

fn string<'a>(reader: &mut Reader<'a>) -> Read<&'a str> {
    let most = reader.rest().len();
    reader.str(most, "string")
}

fn buffer(reader: &mut Reader<'_>) -> Read<()> {
    let most = reader.rest().len();
    reader.bytes(most, "buffer").map(|_| ())
}

fn client_items<'a>(reader: &mut Reader<'a>) -> Read<(u64, Vec<Item<'a>>)> {
    let most = reader.rest().len();
    let count = reader.count(most, 2, "items")?;
    let client = number(reader, MAX_CLIENT, "client")?;
    let mut clock = number(reader, MAX_CLOCK, "clock")? as u32;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        if reader.rest().first() == Some(&SKIP) {
            reader.u8("info")?;
            clock += length(reader, clock)?;
            continue;
        }
        let item = item(reader, client, clock)?;
        clock = item.end();
        items.push(item);
    }
    Ok((client, items))
}

fn item<'a>(reader: &mut Reader<'a>, client: u64, clock: u32) -> Read<Item<'a>> {
    let all = reader.rest();
    let Start { info, needs } = start(reader)?;
    if needs.iter().flatten().any(|need| need.0 == client && need.1 >= clock) {
        return Err(DecodeError::Invalid("origin"));
    }
    let (length, is_plain) = content(reader, info & CONTENT, clock)?;
    if u64::from(clock) + u64::from(length) > MAX_CLOCK {
        return Err(DecodeError::TooLarge("clock"));
    }
    let bytes = &all[..all.len() - reader.rest().len()];
    Ok(Item { clock, length, needs, is_plain, bytes })
}

/// What an item begins with.
struct Start {
    info: u8,
    needs: [Option<Unit>; 2],
}

fn start(reader: &mut Reader<'_>) -> Read<Start> {
    let info = reader.u8("info")?;
    let origin = if info & HAS_ORIGIN != 0 { Some(unit(reader)?) } else { None };
    let right_origin = if info & HAS_RIGHT_ORIGIN != 0 { Some(unit(reader)?) } else { None };
    if origin.is_none() && right_origin.is_none() {
        if reader.varint("parent")? != 1 {
            return Err(DecodeError::Invalid(REFUSED));
        }
        string(reader)?;
        if info & HAS_PARENT_SUB != 0 {
            string(reader)?;
        }
    }
    Ok(Start { info, needs: [origin, right_origin] })
}

/// How many units the content has, and whether they are plain.
fn content(reader: &mut Reader<'_>, form: u8, clock: u32) -> Read<(u32, bool)> {
    match form {
        DELETED => Ok((length(reader, clock)?, true)),
        // A buffer.
        3 => buffer(reader).map(|()| (1, false)),
        STRING => {
            let text = string(reader)?;
            let (units, characters) = (text.encode_utf16().count(), text.chars().count());
            match u32::try_from(units) {
                Ok(units) if units > 0 => Ok((units, units as usize == characters)),
                _ => Err(DecodeError::Invalid("string")),
            }
        }
        // An embedded value, as JSON.
        5 => json(reader).map(|()| (1, false)),
        // A format: its name, and its value as JSON.
        6 => {
            string(reader)?;
            json(reader).map(|()| (1, true))
        }
        VALUES => {
            let most = reader.rest().len();
            let count = reader.count(most, 1, "values")?;
            (0..count).try_for_each(|_| any(reader, MAX_DEPTH))?;
            let count = u32::try_from(count).ok().filter(|count| *count > 0);
            Ok((count.ok_or(DecodeError::Invalid("values"))?, false))
        }
        0 | 2 | 7 | 9 | 11 => Err(DecodeError::Invalid(REFUSED)),
        _ => Err(DecodeError::Invalid("content")),
    }
}

fn json(reader: &mut Reader<'_>) -> Read<()> {
    let text = string(reader)?;
    // Its depth is limited by the parser.
    read_json(text.as_bytes()).map(|_| ()).map_err(|_| DecodeError::Invalid("json"))
}

fn any(reader: &mut Reader<'_>, depth: usize) -> Read<()> {
    let inner = || depth.checked_sub(1).ok_or(DecodeError::TooLarge("depth"));
    match reader.u8("value")? {
        127 | 126 | 121 | 120 => Ok(()),
        125 => signed(reader),
        124 => reader.raw(4, "value").map(|_| ()),
        123 | 122 => reader.raw(8, "value").map(|_| ()),
        119 => string(reader).map(|_| ()),
        118 => {
            let (most, depth) = (reader.rest().len(), inner()?);
            (0..reader.count(most, 2, "fields")?).try_for_each(|_| {
                string(reader)?;
                any(reader, depth)
            })
        }
        117 => {
            let (most, depth) = (reader.rest().len(), inner()?);
            (0..reader.count(most, 1, "values")?).try_for_each(|_| any(reader, depth))
        }
        116 => buffer(reader),
        _ => Err(DecodeError::Invalid("value")),
    }
}

/// A signed number in lib0's form: a continuation bit, a sign, six bits, then seven at a time. At most 53 bits.
fn signed(reader: &mut Reader<'_>) -> Read<()> {
    for _ in 0..8 {
        if reader.u8("value")? & 0x80 == 0 {
            return Ok(());
        }
    }
    Err(DecodeError::TooLarge("value"))
}

fn client_deletes(reader: &mut Reader<'_>) -> Read<(u64, Vec<Range<u32>>)> {
    let client = number(reader, MAX_CLIENT, "client")?;
    let most = reader.rest().len();
    let mut ranges = Vec::with_capacity(reader.clone().count(most, 2, "ranges")?);
    for _ in 0..reader.count(most, 2, "ranges")? {
        let start = number(reader, MAX_CLOCK, "clock")? as u32;
        ranges.push(start..start + length(reader, start)?);
    }
    Ok((client, joined(ranges)))
}

/// Ranges in order; those that overlap or touch become one.
pub(super) fn joined(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// A state vector, as `since` brings it.
pub(super) fn parse_state(bytes: &[u8]) -> Result<BTreeMap<u64, u32>, Malformed> {
    let read = || {
        let mut reader = Reader::new(bytes);
        let mut state = BTreeMap::new();
        for _ in 0..reader.count(bytes.len(), 2, "clients")? {
            let client = number(&mut reader, MAX_CLIENT, "client")?;
            state.insert(client, number(&mut reader, MAX_CLOCK, "clock")? as u32);
        }
        reader.finish("state vector")?;
        Ok::<_, DecodeError>(state)
    };
    read().map_err(|_| Malformed("not a Yjs state vector (version 1)"))
}

/// Items of one client: where each begins and ends, and its bytes.
type Run<'a> = Vec<(u32, u32, &'a [u8])>;

/// Items that one update can hold: of each client a run, with gaps but without overlaps.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    items: BTreeMap<u64, Run<'a>>,
}

impl<'a> Draft<'a> {
    /// Adds an item of a client, later ones after earlier ones. `false` when it overlaps with the last one: then it
    /// belongs into another update.
    pub(super) fn push(&mut self, client: u64, clock: u32, end: u32, bytes: &'a [u8]) -> bool {
        let run = self.items.entry(client).or_default();
        if run.last().is_some_and(|(_, before, _)| *before > clock) {
            return false;
        }
        run.push((clock, end, bytes));
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The update. Higher clients come first, as everybody writes it.
    pub(super) fn encode(&self, deletes: &Deletes) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.varint(self.items.len() as u64);
        for (client, run) in self.items.iter().rev() {
            let gaps = run.windows(2).filter(|pair| pair[0].1 < pair[1].0).count();
            writer.varint((run.len() + gaps) as u64).varint(*client);
            writer.varint(run.first().map_or(0, |first| u64::from(first.0)));
            let mut at = None;
            for (clock, end, bytes) in run {
                if let Some(gap) = at.map(|at| clock - at).filter(|gap| *gap > 0) {
                    writer.u8(SKIP).varint(u64::from(gap));
                }
                writer.raw(bytes);
                at = Some(*end);
            }
        }
        writer.varint(deletes.len() as u64);
        for (client, ranges) in deletes.iter().rev() {
            writer.varint(*client).varint(ranges.len() as u64);
            for range in ranges {
                writer.varint(u64::from(range.start)).varint(u64::from(range.end - range.start));
            }
        }
        writer.into_bytes()
    }
}
