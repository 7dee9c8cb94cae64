//! Members of sets: their JSON, their limits, and their place in the order.

use super::{MAX_MEMBER_BYTES, OperationError, malformed};
use anabranch_causality::DecodeError;
use serde_json::Value;

/// A member of a set, in its order: false, true, integers, strings by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A truth value.
    Bool(bool),
    /// An integer of 64 bits, signed or not.
    Integer(i128),
    /// A string.
    String(String),
}

const SMALLEST: i128 = i64::MIN as i128;
const LARGEST: i128 = u64::MAX as i128;

// First bytes of subkeys, in the order of members. Part of the disk and wire formats.
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NEGATIVE: u8 = 3;
const NATURAL: u8 = 4;
const STRING: u8 = 5;

impl Member {
    /// The member that a JSON value is.
    ///
    /// # Errors
    /// [`OperationError::Malformed`] for anything but a boolean, an integer of 64 bits, or a string of at most
    /// [`MAX_MEMBER_BYTES`].
    pub fn from_json(value: Value) -> Result<Self, OperationError> {
        let member = match value {
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => Self::Integer(integer.into()),
                (None, Some(integer)) => Self::Integer(integer.into()),
                (None, None) => {
                    return malformed(format!("a member that is a number must be an integer of 64 bits, not {number}"));
                }
            },
            Value::String(text) => Self::String(text),
            Value::Null => return malformed("members are strings, integers or booleans, not null"),
            Value::Array(_) => return malformed("members are strings, integers or booleans, not lists"),
            Value::Object(_) => return malformed("members are strings, integers or booleans, not objects"),
        };
        member.check_limits()?;
        Ok(member)
    }

    /// The JSON value. An integer outside 64 bits, which no operation accepts, is clamped.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Integer(integer) => match i64::try_from(*integer) {
                Ok(integer) => integer.into(),
                Err(_) if *integer < 0 => i64::MIN.into(),
                Err(_) => u64::try_from(*integer).unwrap_or(u64::MAX).into(),
            },
            Self::String(text) => Value::String(text.clone()),
        }
    }

    /// The subkey of its rows. Subkeys sort by their bytes as members sort. An integer outside 64 bits is clamped.
    #[must_use]
    pub fn to_subkey(&self) -> Vec<u8> {
        let with = |first: u8, rest: &[u8]| [&[first], rest].concat();
        match self {
            Self::Bool(false) => vec![FALSE],
            Self::Bool(true) => vec![TRUE],
            Self::Integer(integer) if *integer < 0 => {
                // Of two's complements the smaller number has the smaller bytes.
                with(NEGATIVE, &i64::try_from(*integer).unwrap_or(i64::MIN).to_be_bytes())
            }
            Self::Integer(integer) => with(NATURAL, &u64::try_from(*integer).unwrap_or(u64::MAX).to_be_bytes()),
            Self::String(text) => with(STRING, text.as_bytes()),
        }
    }

    /// The member whose subkey this is.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that [`Member::to_subkey`] does not write, or a string that is too long.
    pub fn from_subkey(subkey: &[u8]) -> Result<Self, DecodeError> {
        const BAD: DecodeError = DecodeError::Invalid("member");
        let (first, rest) = subkey.split_first().ok_or(DecodeError::Short("member"))?;
        match (*first, rest.len()) {
            (FALSE, 0) => Ok(Self::Bool(false)),
            (TRUE, 0) => Ok(Self::Bool(true)),
            (NEGATIVE, 8) => match i64::from_be_bytes(rest.try_into().map_err(|_| BAD)?) {
                integer if integer < 0 => Ok(Self::Integer(integer.into())),
                _ => Err(BAD),
            },
            (NATURAL, 8) => Ok(Self::Integer(u64::from_be_bytes(rest.try_into().map_err(|_| BAD)?).into())),
            (STRING, 0..=MAX_MEMBER_BYTES) => Ok(Self::String(std::str::from_utf8(rest).map_err(|_| BAD)?.to_owned())),
            (STRING, _) => Err(DecodeError::TooLarge("member")),
            _ => Err(BAD),
        }
    }

    pub(super) fn check_limits(&self) -> Result<(), OperationError> {
        match self {
            Self::String(text) if text.len() > MAX_MEMBER_BYTES => {
                malformed(format!("a member has at most {MAX_MEMBER_BYTES} bytes, not {}", text.len()))
            }
            Self::Integer(integer) if !(SMALLEST..=LARGEST).contains(integer) => {
                malformed(format!("a member that is a number must be an integer of 64 bits, not {integer}"))
            }
            _ => Ok(()),
        }
    }
}

impl From<&str> for Member {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Member {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Member {
    fn from(number: i64) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Member {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subkeys_sort_as_members_do_and_come_back() {
        let in_order = [
            json!(false),
            json!(true),
            json!(i64::MIN),
            json!(-256),
            json!(-1),
            json!(0),
            json!(1),
            json!(255),
            json!(256),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(""),
            json!("a"),
            json!("a\u{0}"),
            json!("b"),
            json!("ü"),
        ];
        let members: Vec<Member> = in_order.iter().map(|v| Member::from_json(v.clone()).expect("a member")).collect();
        for (pair, values) in members.windows(2).zip(in_order.windows(2)) {
            assert!(pair[0] < pair[1] && pair[0].to_subkey() < pair[1].to_subkey(), "{values:?}");
        }
        for (member, value) in members.iter().zip(&in_order) {
            assert_eq!(Member::from_subkey(&member.to_subkey()), Ok(member.clone()));
            assert_eq!(member.to_json(), *value);
        }
    }

    #[test]
    fn subkeys_have_one_form() {
        let long = [&[STRING][..], &[b'x'; MAX_MEMBER_BYTES + 1]].concat();
        let natural_as_negative = [&[NEGATIVE][..], &5u64.to_be_bytes()].concat();
        for bad in [&[][..], &[0], &[6], &[FALSE, 0], &[NATURAL, 1], &[STRING, 0xff], &natural_as_negative, &long] {
            assert!(Member::from_subkey(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn golden_subkeys() {
        assert_eq!(Member::Bool(false).to_subkey(), [1]);
        assert_eq!(Member::Bool(true).to_subkey(), [2]);
        assert_eq!(Member::Integer(-2).to_subkey(), [3, 255, 255, 255, 255, 255, 255, 255, 254]);
        assert_eq!(Member::Integer(258).to_subkey(), [4, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Member::String("ab".into()).to_subkey(), [5, b'a', b'b']);
    }

    #[test]
    fn what_is_no_member_is_named() {
        let text = |value| Member::from_json(value).expect_err("no member").to_string();
        assert_eq!(text(json!(null)), "members are strings, integers or booleans, not null");
        assert_eq!(text(json!([1])), "members are strings, integers or booleans, not lists");
        assert_eq!(text(json!({})), "members are strings, integers or booleans, not objects");
        assert_eq!(text(json!(1.0)), "a member that is a number must be an integer of 64 bits, not 1.0");
        assert_eq!(text(json!(1e300)), "a member that is a number must be an integer of 64 bits, not 1e+300");
        assert_eq!(text(json!("x".repeat(1_025))), "a member has at most 1024 bytes, not 1025");
        assert!(Member::from_json(json!("x".repeat(1_024))).is_ok());
        assert!(Member::Integer(LARGEST + 1).check_limits().is_err());
    }
}
