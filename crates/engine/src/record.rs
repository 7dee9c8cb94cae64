//! Log records: a transaction, and what applying it here came to.

use crate::digest::Deltas;
use crate::store::StoreError;
use anabranch_causality::{DecodeError, Reader, Transaction, Writer};

const VERSION: u8 = 1;

/// A log record. Carrying what the transaction did to the digest makes the digest recoverable from the log, without a
/// row of its own in every batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whether the operation had been applied before, from another leader.
    pub copy: bool,
    /// What it did to the digest.
    pub deltas: Deltas,
    /// The transaction's bytes.
    pub transaction: &'a [u8],
}

impl<'a> Record<'a> {
    /// The bytes to log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.transaction.len() + 64);
        writer.u8(VERSION).u8(u8::from(self.copy));
        self.deltas.encode(&mut writer);
        writer.raw(self.transaction);
        writer.into_bytes()
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// [`StoreError`] when the bytes cannot be that.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        Self::read(bytes).map_err(|error| StoreError::corrupt(format!("a log record: {error}")))
    }

    fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8("version")? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "log record", version }),
        }
        let copy = match reader.u8("copy")? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Invalid("copy")),
        };
        let deltas = Deltas::decode(&mut reader)?;
        Ok(Self { copy, deltas, transaction: reader.rest() })
    }

    /// The transaction, decoded.
    ///
    /// # Errors
    /// [`StoreError`] when the bytes cannot be one.
    pub fn decode_transaction(&self) -> Result<Transaction, StoreError> {
        Transaction::decode(self.transaction)
            .map_err(|error| StoreError::corrupt(format!("a transaction in the log: {error}")))
    }
}
