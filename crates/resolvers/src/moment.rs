//! Points in time as calendars and people write them.

use anabranch_causality::{DecodeError, Reader, Writer};
use std::fmt;
use std::str::FromStr;

const DAY: i64 = 86_400_000;

/// Milliseconds since 1970, negative before it; years 1 to 9999. Written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// Why a text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected RFC 3339 with a zone and at most milliseconds, such as 2026-03-01T09:30:00Z: {0}")]
pub struct NotAMoment(pub &'static str);

impl Moment {
    /// The first moment of the year 1.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// The last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// That many milliseconds since 1970; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&ms).then_some(Self(ms))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.0
    }

    pub(crate) fn encode(self, writer: &mut Writer) {
        writer.signed(self.0);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_ms(reader.signed("moment")?).ok_or(DecodeError::Invalid("moment"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match of_day % 1_000 {
            0 => f.write_str("Z"),
            millis => write!(f, ".{millis:03}Z"),
        }
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let bytes = text.as_bytes();
        let malformed = NotAMoment("it is malformed");
        let (date_time, rest) = bytes.split_at_checked(19).ok_or(malformed)?;
        let punctuation: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
        if punctuation.iter().any(|(at, of)| !of.contains(&date_time[*at])) {
            return Err(malformed);
        }
        let number = |from: usize, to: usize| digits(&date_time[from..to]).ok_or(malformed);
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if year == 0 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return Err(NotAMoment("there is no such day"));
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(NotAMoment("there is no such time of day"));
        }
        let (millis, zone) = fraction(rest)?;
        let of_day = ((hour * 60 + minute) * 60 + second) * 1_000 + millis;
        let ms = days_before(year, month, day) * DAY + of_day - offset(zone)? * 60_000;
        Self::from_ms(ms).ok_or(NotAMoment("the year is outside 1 to 9999"))
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let digit = |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    bytes.iter().try_fold(0, digit)
}

/// Milliseconds, and what follows them.
fn fraction(rest: &[u8]) -> Result<(i64, &[u8]), NotAMoment> {
    let Some(rest) = rest.strip_prefix(b".") else { return Ok((0, rest)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = rest.split_at(length);
    let (kept, beyond) = fraction.split_at(length.min(3));
    // What would not come back as it was sent is refused.
    if length == 0 || beyond.iter().any(|digit| *digit != b'0') {
        return Err(NotAMoment("a fraction of a second has one to three digits"));
    }
    let scale = 10_i64.pow(3 - kept.len() as u32);
    Ok((digits(kept).unwrap_or_default() * scale, zone))
}

/// Minutes east of Greenwich.
fn offset(zone: &[u8]) -> Result<i64, NotAMoment> {
    match zone {
        b"Z" | b"z" => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2]), digits(&[*m1, *m2]));
            match (hours, minutes) {
                (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => {
                    Ok((hours * 60 + minutes) * if *sign == b'+' { 1 } else { -1 })
                }
                _ => Err(NotAMoment("there is no such zone")),
            }
        }
        b"" => Err(NotAMoment("the zone is missing")),
        _ => Err(NotAMoment("it is malformed")),
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date: years of 400-year eras that begin in March, so that leap days come last (Howard Hinnant,
/// *chrono-compatible low-level date algorithms*).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_before`].
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_and_milliseconds() {
        for (text, ms, back) in [
            ("1970-01-01T00:00:00Z", 0, None),
            ("2000-02-29T00:00:00Z", 951_782_400_000, None),
            ("2024-12-31T23:59:59.001Z", 1_735_689_599_001, None),
            ("1969-12-31T23:59:59.999Z", -1, None),
            ("0001-01-01T00:00:00Z", Moment::MIN.0, None),
            ("9999-12-31T23:59:59.999Z", Moment::MAX.0, None),
            ("2026-03-01T10:30:00.50+01:30", 1_772_355_600_500, Some("2026-03-01T09:00:00.500Z")),
            ("2026-03-01t09:00:00.000000z", 1_772_355_600_000, Some("2026-03-01T09:00:00Z")),
        ] {
            assert_eq!(text.parse(), Ok(Moment(ms)), "{text}");
            assert_eq!(Moment(ms).to_string(), back.unwrap_or(text));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "2026",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.0001Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00Zx",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-01-01T00:00:00\u{e9}",
            "+026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_comes_back(ms in Moment::MIN.0..=Moment::MAX.0) {
            let moment = Moment(ms);
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }
}
