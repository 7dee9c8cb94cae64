//! Numbers, compared as decimals: one that would come back changed is refused.

use serde_json::Number;

/// The longest number that is looked at, in characters.
const MAX_LENGTH: usize = 512;

/// The number that a text is.
///
/// # Errors
/// Why not: no JSON number, or one that 64 bits (integer or floating point) do not hold exactly.
pub(super) fn parse(text: &str) -> Result<Number, &'static str> {
    const CHANGED: &str = "this number would not come back as it was sent: send it as a string";
    if text.len() > MAX_LENGTH {
        return Err("this number is too long: send it as a string");
    }
    let sent = Decimal::parse(text).ok_or("this is not a number")?;
    let integer = if sent.is_integer_text { text.parse::<i64>().map(Number::from).ok() } else { None };
    let natural = || if sent.is_integer_text { text.parse::<u64>().map(Number::from).ok() } else { None };
    // Minus zero is kept as floating point, which has one.
    let integer = integer.filter(|_| !(sent.negative && sent.digits.is_empty()));
    let float = || text.parse::<f64>().ok().and_then(Number::from_f64);
    let number = integer.or_else(natural).or_else(float).ok_or(CHANGED)?;
    let kept = Decimal::parse(&number.to_string()).ok_or(CHANGED)?;
    if kept.same_value(&sent) { Ok(number) } else { Err(CHANGED) }
}

/// 0.digits times ten to the power of `exponent`; no zeros at either end of the digits.
#[derive(Debug)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
    is_integer_text: bool,
}

impl Decimal {
    /// Follows the grammar of RFC 8259 to the letter.
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, Some(power)),
            None => (rest, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let starts_well = whole == "0" || !whole.starts_with('0');
        if !is_digits(whole) || !starts_well || !fraction.is_none_or(is_digits) {
            return None;
        }
        let shift = match power {
            None => 0,
            Some(power) => {
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if !is_digits(digits) {
                    return None;
                }
                // Out of 64 bits it is out of anything: only the direction counts.
                let sign = if power.starts_with('-') { -1 } else { 1 };
                sign * digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
            }
        };
        let all = [whole, fraction.unwrap_or_default()].concat();
        let digits = all.trim_start_matches('0');
        let leading = (all.len() - digits.len()) as i64;
        let digits = digits.trim_end_matches('0').to_owned();
        let exponent = if digits.is_empty() { 0 } else { whole.len() as i64 - leading + shift };
        Some(Self { negative, digits, exponent, is_integer_text: fraction.is_none() && power.is_none() })
    }

    fn same_value(&self, other: &Self) -> bool {
        (self.negative, &self.digits, self.exponent) == (other.negative, &other.digits, other.exponent)
    }
}
