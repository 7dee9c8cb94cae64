//! New inputs from old ones, without knowing what they do: what the ordinary tests try for a second.

use anabranch_resolvers::laws::Random;

/// The longest input that is made.
const LONGEST: usize = 4_096;
/// Numbers at which code tends to be wrong.
const INTERESTING: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];
/// Bytes that mean something in texts.
const SIGNS: &[u8] = b"\"\\{}[]:,.-+eE0123456789/%&=~; \n\t\0";

/// Makes inputs out of others.
#[derive(Debug)]
pub struct Mutator<'a> {
    random: Random,
    seeds: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    /// Equal seeds and numbers, equal inputs.
    #[must_use]
    pub fn new(seeds: &'a [Vec<u8>], number: u64) -> Self {
        Self { random: Random::new(number), seeds }
    }

    /// The next input.
    pub fn make(&mut self) -> Vec<u8> {
        let mut bytes = self.random.pick(self.seeds).cloned().unwrap_or_default();
        for _ in 0..=self.random.below(1 << self.random.clone().below(4)) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.index(bytes.len());
        let until = at + random.index((bytes.len() - at).min(64) + 1);
        match random.below(11) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 if !bytes.is_empty() => bytes[at] = bytes[at].wrapping_add([1, 0xff][random.index(2)]),
            3 if !bytes.is_empty() => bytes[at] = SIGNS[random.index(SIGNS.len())],
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..until)),
            6 => {
                let again = bytes[at..until].to_vec();
                let times = 1 + random.index(4);
                bytes.splice(at..at, again.repeat(times));
            }
            7 => {
                let fresh: Vec<u8> = (0..1 + random.index(8)).map(|_| random.next() as u8).collect();
                bytes.splice(at..at, fresh);
            }
            8 => {
                let number = INTERESTING[random.index(INTERESTING.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.index(4)];
                let end = bytes.len().min(at + width);
                bytes.splice(at..end, number[..width].iter().copied());
            }
            9 => {
                let number = varint(INTERESTING[random.index(INTERESTING.len())]);
                let end = bytes.len().min(at + 1);
                bytes.splice(at..end, number);
            }
            _ => {
                let other = random.pick(self.seeds).cloned().unwrap_or_default();
                let from = random.index(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
