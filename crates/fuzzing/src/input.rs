//! Bytes as a source of decisions, for bodies that act. Small bytes are small numbers, so that mutations make small changes.

/// Numbers at which code tends to be wrong.
const EDGES: [u64; 8] = [0, 1, 0xffff, u32::MAX as u64, i64::MAX as u64, u64::MAX - 2, u64::MAX - 1, u64::MAX];

/// What is left of an input. At its end every decision is the first.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Mostly small; sometimes at an edge.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=199 => u64::from(small),
            200..=239 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            edge => EDGES[usize::from(edge) % EDGES.len()],
        }
    }

    /// A length in one byte, then that many bytes, or as many as there are.
    pub(crate) fn chunk(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.rest.len());
        let (chunk, rest) = self.rest.split_at(length);
        self.rest = rest;
        chunk
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}
