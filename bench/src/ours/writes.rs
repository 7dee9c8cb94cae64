//! Writes of 132 bytes, key and value together.

use super::local::put;
use super::node::talk::Values;
use super::prose::prose;
use crate::numbers::mixed;
use anabranch::Write;

/// Key and value of a write.
pub const PAYLOAD: usize = 132;
/// How many different keys [`write`] has.
pub const KEYS: u64 = 100_000;
/// A JSON string of 100 bytes has two quotes.
const VALUE_LETTERS: usize = 98;
const KEY_LETTERS: usize = 32;
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/// The write with that number, of one of 100,000 keys.
pub fn write(number: u64, values: Values) -> Write {
    let key = mixed(number) % KEYS;
    match values {
        Values::Random => put(letters(key, KEY_LETTERS), letters(number ^ 1 << 63, VALUE_LETTERS)),
        Values::Text => put(format!("order/2026-11/customer/{key:09}"), text(number)),
    }
}

/// The write of the key with that number.
pub fn keyed(number: u64) -> Write {
    put(format!("{number:032}"), letters(number, VALUE_LETTERS))
}

/// An object of 100 bytes, a third of it words that differ from object to object.
fn text(number: u64) -> serde_json::Value {
    const STATES: [&str; 4] = ["ordered", "packed", "shipped", "delivered"];
    const CITIES: [&str; 16] = [
        "Berlin", "Lyon", "Porto", "Oslo", "Krakow", "Vienna", "Cork", "Turin", "Ghent", "Malmo", "Basel", "Bilbao",
        "Leeds", "Riga", "Patras", "Tampere",
    ];
    // Not what its key is drawn with, which a compressor would find again in the price.
    let drawn = mixed(!number);
    let state = STATES[(drawn >> 8) as usize % STATES.len()];
    let city = CITIES[(drawn >> 16) as usize % CITIES.len()];
    let mut value = serde_json::json!({
        "city": city, "items": drawn % 12 + 1, "note": "", "price": drawn % 100_000, "state": state,
    });
    let missing = 100usize.saturating_sub(value.to_string().len());
    value["note"] = prose(drawn, missing).into();
    value
}

fn letters(seed: u64, count: usize) -> String {
    let mut text = String::with_capacity(count);
    let (mut drawn, mut left) = (0, 0);
    for at in 0..count as u64 {
        if left == 0 {
            (drawn, left) = (mixed(seed.wrapping_mul(31).wrapping_add(at)), 10);
        }
        text.push(char::from(ALPHABET[drawn as usize % ALPHABET.len()]));
        (drawn, left) = (drawn >> 6, left - 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch::{Change, Operation};

    #[test]
    fn every_write_has_the_payload_that_is_said() {
        for (number, values) in (0..1_000).flat_map(|number| [(number, Values::Random), (number, Values::Text)]) {
            let write = write(number, values);
            let [Change::Operate { key, operation: Operation::Put(value), .. }] = &write.changes[..] else {
                panic!("{write:?}");
            };
            assert_eq!((key.len(), value.to_string().len()), (32, 100), "{write:?}");
        }
    }
}
