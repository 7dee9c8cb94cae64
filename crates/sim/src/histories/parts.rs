//! What the trees of sets are made of: parts that are kept once each, and which of them came of which two.

use xxhash_rust::xxh3::xxh3_64;

/// Parts of `N` words, each under a number; number 0 is all zeros.
#[derive(Debug)]
pub(crate) struct Parts<const N: usize> {
    parts: Vec<[u64; N]>,
    /// Numbers of parts plus one, where their hashes lead or after; 0 where there is none. Never more than half full.
    places: Vec<u32>,
}

impl<const N: usize> Parts<N> {
    pub(crate) fn new() -> Self {
        let mut parts = Self { parts: Vec::new(), places: vec![0; 1 << 6] };
        parts.number([0; N]);
        parts
    }

    pub(crate) fn get(&self, number: u32) -> &[u64; N] {
        &self.parts[number as usize]
    }

    /// The number of that part.
    pub(crate) fn number(&mut self, part: [u64; N]) -> u32 {
        let place = self.place(&part);
        if let Some(known) = self.places[place].checked_sub(1) {
            return known;
        }
        let number = self.parts.len() as u32;
        self.parts.push(part);
        self.places[place] = number + 1;
        if 2 * self.parts.len() > self.places.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        self.places = vec![0; 2 * self.places.len()];
        for number in 0..self.parts.len() {
            let place = self.place(&self.parts[number]);
            self.places[place] = number as u32 + 1;
        }
    }

    /// Where that part is noted, or is to be.
    fn place(&self, part: &[u64; N]) -> usize {
        let mut bytes = [[0; 8]; N];
        for (bytes, word) in bytes.iter_mut().zip(part) {
            *bytes = word.to_le_bytes();
        }
        let mask = self.places.len() - 1;
        let mut place = xxh3_64(bytes.as_flattened()) as usize & mask;
        while self.places[place].checked_sub(1).is_some_and(|number| self.parts[number as usize] != *part) {
            place = (place + 1) & mask;
        }
        place
    }
}

/// Remembers what came of two parts, as long as nothing else takes the place.
#[derive(Debug)]
pub(crate) struct Memo {
    places: Vec<(u64, u32, u32)>,
}

impl Memo {
    /// For sets of so many numbers.
    pub(crate) fn new(count: usize) -> Self {
        Self { places: vec![(0, 0, 0); count.next_power_of_two().clamp(1 << 6, 1 << 14)] }
    }

    pub(crate) fn get(&self, level: u32, one: u32, other: u32) -> Option<u32> {
        let (pair, of_level, joined) = self.places[self.place(level, one, other)];
        (pair == key(one, other) && of_level == level).then_some(joined)
    }

    /// Levels are at least 1.
    pub(crate) fn put(&mut self, level: u32, one: u32, other: u32, joined: u32) {
        let place = self.place(level, one, other);
        self.places[place] = (key(one, other), level, joined);
    }

    fn place(&self, level: u32, one: u32, other: u32) -> usize {
        let mixed = (key(one, other) ^ u64::from(level)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.places.len() - 1)
    }
}

fn key(one: u32, other: u32) -> u64 {
    u64::from(one) << 32 | u64::from(other)
}
