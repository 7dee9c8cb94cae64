//! What a person decides about a conflict.

use super::fields::{Fields, texts};
use super::{OperationError, check_value, malformed};
use crate::conflict::ConflictId;
use crate::json;
use anabranch_causality::{DecodeError, Reader, Writer};
use serde_json::{Map, Value};

/// The most options that one resolution keeps.
pub const MAX_KEPT: usize = 1_000;
/// The longest name of an option, in bytes.
pub const MAX_OPTION_BYTES: usize = 256;
/// The longest name of a person, in bytes.
pub const MAX_PERSON_BYTES: usize = 256;
/// The longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 4_096;

/// A person's decision. It supersedes all options that the conflict's id names, and adds what is kept anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The conflict as that person saw it.
    pub conflict: ConflictId,
    /// What shall be.
    pub keep: Keep,
    /// Who decides.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// What shall be after a resolution.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    /// Some of the options.
    Options(Vec<String>),
    /// Something else: registers and fields of maps.
    Value(Value),
}

impl Resolution {
    /// A decision that says neither who nor why.
    #[must_use]
    pub fn new(conflict: ConflictId, keep: Keep) -> Self {
        Self { conflict, keep, by: None, note: None }
    }

    /// Says who decides.
    #[must_use]
    pub fn by(mut self, person: &str) -> Self {
        self.by = Some(person.to_owned());
        self
    }

    /// Says why.
    #[must_use]
    pub fn note(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }
}

const OPTIONS: u8 = 0;
const VALUE: u8 = 1;

impl Resolution {
    pub(super) fn check_limits(&self) -> Result<(), OperationError> {
        match &self.keep {
            Keep::Value(value) => check_value(value)?,
            Keep::Options(options) if options.len() > MAX_KEPT => {
                return malformed(format!("keep takes at most {MAX_KEPT} options, not {}", options.len()));
            }
            Keep::Options(options) => options.iter().try_for_each(|option| match option.len() {
                1..=MAX_OPTION_BYTES => Ok(()),
                length => malformed(format!("an option has 1 to {MAX_OPTION_BYTES} bytes, not {length}")),
            })?,
        }
        self.by.as_deref().map_or(Ok(()), check_person)?;
        match &self.note {
            Some(note) if !(1..=MAX_NOTE_BYTES).contains(&note.len()) => {
                malformed(format!("a note has 1 to {MAX_NOTE_BYTES} bytes, not {}", note.len()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.conflict.0);
        match &self.keep {
            Keep::Options(options) => {
                writer.u8(OPTIONS).varint(options.len() as u64);
                for option in options {
                    writer.bytes(option.as_bytes());
                }
            }
            Keep::Value(value) => drop(writer.u8(VALUE).bytes(&json::canonical(value))),
        }
        // Neither is ever empty when it is there.
        for text in [&self.by, &self.note] {
            writer.bytes(text.as_deref().unwrap_or_default().as_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let conflict = ConflictId(reader.array("conflict id")?);
        let keep = match reader.u8("keep")? {
            OPTIONS => {
                let count = reader.count(MAX_KEPT, 2, "options")?;
                let mut options = Vec::with_capacity(count);
                for _ in 0..count {
                    options.push(reader.str(MAX_OPTION_BYTES, "option")?.to_owned());
                }
                Keep::Options(options)
            }
            VALUE => Keep::Value(super::bytes::decode_value(reader)?),
            _ => return Err(DecodeError::Invalid("keep")),
        };
        let mut text =
            |most, what| reader.str(most, what).map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        let (by, note) = (text(MAX_PERSON_BYTES, "by")?, text(MAX_NOTE_BYTES, "note")?);
        Ok(Self { conflict, keep, by, note })
    }
}

pub(super) fn check_person(by: &str) -> Result<(), OperationError> {
    match by.len() {
        1..=MAX_PERSON_BYTES => Ok(()),
        length => malformed(format!("by has 1 to {MAX_PERSON_BYTES} bytes, not {length}")),
    }
}

/// What a body says, with the conflict's id in it.
pub(super) fn from_json(content: Value) -> Result<Resolution, OperationError> {
    let mut fields = Fields::new("resolve", FORM, content)?;
    let conflict = parse_id(&fields.text("conflict")?)?;
    rest(conflict, fields)
}

const FORM: &str = r#"{"conflict":id,"keep":[options] or "value":value,"by":string?,"note":string?}"#;

impl Resolution {
    /// The resolution of `conflict` that a body `{"keep":[options]}` or `{"value":value}`, with `by` and `note`, asks for.
    ///
    /// # Errors
    /// [`OperationError::Malformed`], saying what was expected.
    pub fn from_json(conflict: ConflictId, body: Value) -> Result<Self, OperationError> {
        rest(
            conflict,
            Fields::new("resolve", r#"{"keep":[options] or "value":value,"by":string?,"note":string?}"#, body)?,
        )
    }
}

fn rest(conflict: ConflictId, mut fields: Fields) -> Result<Resolution, OperationError> {
    let (keep, value) = (fields.take("keep"), fields.take("value"));
    let (by, note) = (fields.optional_text("by")?, fields.optional_text("note")?);
    fields.end()?;
    let keep = match (keep, value) {
        (Some(keep), None) => Keep::Options(texts("keep expects a list of options", "an option", keep)?),
        (None, Some(value)) => Keep::Value(value),
        _ => return malformed("resolve expects either keep or value"),
    };
    let resolution = Resolution { conflict, keep, by, note };
    resolution.check_limits()?;
    Ok(resolution)
}

fn parse_id(text: &str) -> Result<ConflictId, OperationError> {
    let digits = 2 * ConflictId::BYTES;
    text.parse().or_else(|_| malformed(format!("a conflict's id has {digits} hexadecimal digits")))
}

pub(super) fn to_json(resolution: &Resolution) -> Value {
    let mut fields = Map::new();
    fields.insert("conflict".to_owned(), resolution.conflict.to_string().into());
    match &resolution.keep {
        Keep::Options(options) => drop(fields.insert("keep".to_owned(), options.clone().into())),
        Keep::Value(value) => drop(fields.insert("value".to_owned(), value.clone())),
    }
    for (name, text) in [("by", &resolution.by), ("note", &resolution.note)] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), text.as_str().into());
        }
    }
    Value::Object(fields)
}
