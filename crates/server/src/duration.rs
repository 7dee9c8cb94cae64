//! Durations as headers and the config file write them: an integer with a unit, `250ms` or `2s`.

use std::time::Duration;

/// The duration that a text is; `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = if number.len() > 15 { return None } else { number.parse().ok()? };
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_with_a_unit_and_nothing_else() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for bad in ["", "2", "s", "1.5s", "-1s", "+1s", "2 s", "2S", "2m", "99999999999999999999s", "2sx"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
