//! Transactions in the making.

use crate::error::ClientError;
use anabranch_causality::{Context, Kind, names};
use anabranch_protocol::MAX_FRAME;
use anabranch_resolvers::{Change, MAX_DECLARED_FIELD, Member, Operation, Write};
use serde::Serialize;
use std::cell::RefCell;

/// What a request takes beside its changes: the token, the operation id and what surrounds them, in bytes.
const REQUEST_ROOM: usize = 256 << 10;

/// A transaction in the making: what is added to it is written together, in order, or not at all.
#[derive(Default)]
pub struct Tx {
    changes: RefCell<Vec<Change>>,
}

impl Tx {
    /// Adds an operation on a key of a collection of that kind, with what was seen of the key, if that is to be superseded
    /// exactly.
    pub fn operate(&self, collection: &str, kind: Kind, key: &str, operation: Operation, context: Option<Context>) {
        let (collection, key) = (collection.to_owned(), key.to_owned());
        self.changes.borrow_mut().push(Change::Operate { collection, kind, key, operation, context });
    }

    /// A collection comes into being, or a register collection gets another resolver.
    pub fn declare(&self, collection: &str, kind: Kind, resolver: &str) {
        let (collection, resolver) = (collection.to_owned(), resolver.to_owned());
        self.changes.borrow_mut().push(Change::Declare { collection, kind, resolver });
    }

    /// A field of a collection of maps gets a register resolver of its own, such as `escalate`.
    pub fn declare_field(&self, collection: &str, field: &str, resolver: &str) {
        let (collection, field, resolver) = (collection.to_owned(), field.to_owned(), resolver.to_owned());
        self.changes.borrow_mut().push(Change::Field { collection, field, resolver });
    }

    /// Registers: the value becomes this, superseding what its leader has.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] when it cannot be written as JSON.
    pub fn put(&self, collection: &str, key: &str, value: &impl Serialize) -> Result<(), ClientError> {
        self.put_over(collection, key, value, None)
    }

    /// Registers: the value becomes this, superseding exactly what `context` saw.
    ///
    /// # Errors
    /// As [`Tx::put`].
    pub fn put_seen(
        &self,
        collection: &str,
        key: &str,
        value: &impl Serialize,
        context: Context,
    ) -> Result<(), ClientError> {
        self.put_over(collection, key, value, Some(context))
    }

    fn put_over(
        &self,
        collection: &str,
        key: &str,
        value: &impl Serialize,
        context: Option<Context>,
    ) -> Result<(), ClientError> {
        let value = serde_json::to_value(value)
            .map_err(|error| ClientError::Invalid(format!("the value of {key} cannot be written as JSON: {error}")))?;
        self.operate(collection, Kind::REGISTER, key, Operation::Put(value), context);
        Ok(())
    }

    /// Registers: the value goes, as far as its leader has it.
    ///
    /// # Errors
    /// None now; the write itself says more.
    pub fn delete(&self, collection: &str, key: &str) -> Result<(), ClientError> {
        self.operate(collection, Kind::REGISTER, key, Operation::Delete, None);
        Ok(())
    }

    /// Sums that only grow.
    #[must_use]
    pub fn g_counter<'a>(&'a self, collection: &'a str) -> CounterTx<'a> {
        CounterTx { tx: self, collection, kind: Kind::G_COUNTER }
    }

    /// Sums.
    #[must_use]
    pub fn pn_counter<'a>(&'a self, collection: &'a str) -> CounterTx<'a> {
        CounterTx { tx: self, collection, kind: Kind::PN_COUNTER }
    }

    /// Sets where an add wins over a concurrent remove.
    #[must_use]
    pub fn set<'a>(&'a self, collection: &'a str) -> SetTx<'a> {
        SetTx { tx: self, collection }
    }

    /// Carts: items with quantities.
    #[must_use]
    pub fn cart<'a>(&'a self, collection: &'a str) -> CartTx<'a> {
        CartTx { tx: self, collection }
    }

    /// The changes, if every node would at least read them: a node closes the connection on what breaks a limit of the
    /// protocol.
    pub(crate) fn into_changes(self) -> Result<Vec<Change>, ClientError> {
        let changes = self.changes.into_inner();
        match changes.len() {
            0 => return Err(ClientError::Invalid("a write has at least one change".into())),
            1..=Write::MAX_CHANGES => {}
            more => {
                let most = Write::MAX_CHANGES;
                return Err(ClientError::Invalid(format!("a write has at most {most} changes, not {more}")));
            }
        }
        let mut bytes = anabranch_causality::Writer::new();
        for change in &changes {
            check(change).map_err(ClientError::Invalid)?;
            change.encode(&mut bytes);
            if bytes.as_bytes().len() > MAX_FRAME - REQUEST_ROOM {
                return Err(ClientError::Invalid("the write is too large: write less at a time".into()));
            }
        }
        Ok(changes)
    }
}

fn check(change: &Change) -> Result<(), String> {
    names::check_collection(change.collection()).map_err(|error| error.to_string())?;
    match change {
        Change::Operate { key, operation, .. } => {
            names::check_key(key).map_err(|error| error.to_string())?;
            operation.check_limits().map_err(|error| error.to_string())
        }
        Change::Declare { resolver, .. } | Change::Field { resolver, .. } if resolver.len() > names::MAX_COLLECTION => {
            Err(format!("a resolver's name has at most {} bytes", names::MAX_COLLECTION))
        }
        Change::Field { field, .. } if !(1..=MAX_DECLARED_FIELD).contains(&field.len()) => {
            Err(format!("a field with a resolver has 1 to {MAX_DECLARED_FIELD} bytes"))
        }
        Change::Declare { .. } | Change::Field { .. } => Ok(()),
    }
}

/// Counters as part of a transaction.
pub struct CounterTx<'a> {
    tx: &'a Tx,
    collection: &'a str,
    kind: Kind,
}

impl CounterTx<'_> {
    /// Adds `n`; negative for `pn-counter` only.
    ///
    /// # Errors
    /// None now; the write itself says more.
    pub fn add(&self, key: &str, n: i64) -> Result<(), ClientError> {
        self.tx.operate(self.collection, self.kind, key, Operation::Add(n), None);
        Ok(())
    }
}

/// Sets as part of a transaction.
pub struct SetTx<'a> {
    tx: &'a Tx,
    collection: &'a str,
}

impl SetTx<'_> {
    /// Adds a member.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn add(&self, key: &str, member: impl Into<Member>) -> Result<(), ClientError> {
        self.operate(key, Operation::AddMembers(vec![member.into()]))
    }

    /// Removes a member, as far as its leader has it.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn remove(&self, key: &str, member: impl Into<Member>) -> Result<(), ClientError> {
        self.operate(key, Operation::RemoveMembers(vec![member.into()]))
    }

    /// Removes all members that its leader has.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn clear(&self, key: &str) -> Result<(), ClientError> {
        self.operate(key, Operation::Delete)
    }

    fn operate(&self, key: &str, operation: Operation) -> Result<(), ClientError> {
        self.tx.operate(self.collection, Kind::OR_SET, key, operation, None);
        Ok(())
    }
}

/// Carts as part of a transaction.
pub struct CartTx<'a> {
    tx: &'a Tx,
    collection: &'a str,
}

impl CartTx<'_> {
    /// Adds `quantity` of an item, which is not 0; negative takes away.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn add(&self, key: &str, item: &str, quantity: i64) -> Result<(), ClientError> {
        self.operate(key, Operation::AddItem { item: item.to_owned(), quantity })
    }

    /// Removes an item, as far as its leader has it, debts included.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn remove(&self, key: &str, item: &str) -> Result<(), ClientError> {
        self.operate(key, Operation::RemoveItem { item: item.to_owned() })
    }

    /// Removes all items that its leader has.
    ///
    /// # Errors
    /// As [`CounterTx::add`].
    pub fn clear(&self, key: &str) -> Result<(), ClientError> {
        self.operate(key, Operation::Clear)
    }

    fn operate(&self, key: &str, operation: Operation) -> Result<(), ClientError> {
        self.tx.operate(self.collection, Kind::CART, key, operation, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_keep_their_order_and_kind() -> Result<(), ClientError> {
        let tx = Tx::default();
        tx.put("profiles", "ann", &"hello")?;
        tx.g_counter("likes").add("post", 1)?;
        tx.set("tags").add("post", "new")?;
        tx.cart("carts").add("ann", "sku", 2)?;
        tx.delete("profiles", "bob")?;
        tx.declare("notes", Kind::REGISTER, "keep-all");
        tx.declare_field("people", "bio", "escalate");
        let kinds = tx.into_changes().expect("sound").into_iter().map(|change| match change {
            Change::Operate { kind, .. } | Change::Declare { kind, .. } => kind,
            Change::Field { .. } => Kind::MAP,
        });
        let expected =
            [Kind::REGISTER, Kind::G_COUNTER, Kind::OR_SET, Kind::CART, Kind::REGISTER, Kind::REGISTER, Kind::MAP];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        Ok(())
    }

    #[test]
    fn what_breaks_a_limit_is_not_sent() {
        type Build<'a> = &'a dyn Fn(&Tx) -> Result<(), ClientError>;
        let refused = |build: Build<'_>| {
            let tx = Tx::default();
            build(&tx).expect("nothing is looked at yet");
            matches!(tx.into_changes(), Err(ClientError::Invalid(_)))
        };
        assert!(refused(&|_| Ok(())));
        assert!(refused(&|tx| (0..1_001).try_for_each(|n| tx.g_counter("c").add("k", n))));
        assert!(refused(&|tx| tx.g_counter("no/such").add("k", 1)));
        assert!(refused(&|tx| tx.g_counter("c").add("", 1)));
        assert!(refused(&|tx| tx.cart("c").add("k", "i", 0)));
        assert!(refused(&|tx| {
            tx.declare("c", Kind::REGISTER, &"r".repeat(129));
            Ok(())
        }));
        let large = "x".repeat(1 << 19);
        assert!(refused(&|tx| (0..10).try_for_each(|_| tx.put("c", "k", &large))));
        assert!(!refused(&|tx| (0..4).try_for_each(|_| tx.put("c", "k", &large))));
    }

    #[test]
    fn values_that_are_no_json_are_refused() {
        let keys_are_lists = std::collections::BTreeMap::from([(vec![1], 1)]);
        assert!(matches!(Tx::default().put("c", "k", &keys_are_lists), Err(ClientError::Invalid(_))));
    }
}
