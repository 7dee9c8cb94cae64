//! What a region shows, and how it differs from what must come out.

use anabranch::{Operation, ReadError, View};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Counters: how many of a product are left.
pub(super) const STOCK: &str = "stock";
/// Carts: what an invoice lists.
pub(super) const CARTS: &str = "carts";
/// Sets: the customers of a country.
pub(super) const CUSTOMERS: &str = "customers";

/// How many keys are read at a time.
const PAGE: usize = 1_000;

/// The smallest thing that has a value of its own: a counter, an item of a cart, a member of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    /// The collection.
    pub(super) collection: &'static str,
    /// The key.
    pub(super) key: String,
    /// The item or member; empty for a counter.
    pub(super) part: String,
}

impl Cell {
    pub(super) fn new(collection: &'static str, key: &str, part: &str) -> Self {
        Self { collection, key: key.to_owned(), part: part.to_owned() }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.part.is_empty() { "" } else { "/" };
        write!(f, "{}/{}{slash}{}", self.collection, self.key, self.part)
    }
}

/// Cells and their values, in the order of their bytes: sums of counters, quantities of items, 1 for members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    cells: BTreeMap<Cell, i64>,
}

/// A cell that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Which.
    pub(super) cell: Cell,
    /// What must come out; `None` when it must not exist.
    pub(super) expected: Option<i64>,
    /// What is shown.
    pub(super) shown: Option<i64>,
}

impl Difference {
    /// Whether something is missing; else something is there that should not be.
    pub(super) fn is_loss(&self) -> bool {
        match (self.expected, self.shown) {
            (_, None) => true,
            (None, _) => false,
            (Some(expected), Some(shown)) => shown.unsigned_abs() < expected.unsigned_abs(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: Option<i64>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        write!(f, "{} shows {}, must be {}", self.cell, show(self.shown), show(self.expected))
    }
}

impl Contents {
    pub(super) fn add(&mut self, cell: Cell, change: i64) {
        let value = self.cells.entry(cell).or_default();
        // Lines have quantities of 32 bits: no machine holds enough of them to get there.
        *value = value.saturating_add(change);
    }

    pub(super) fn put(&mut self, cell: Cell, value: i64) {
        self.cells.insert(cell, value);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Cell, i64)> {
        self.cells.iter().map(|(cell, value)| (cell, *value))
    }

    /// The cells of one collection.
    pub(super) fn of(&self, collection: &str) -> impl Iterator<Item = (&Cell, i64)> {
        self.iter().filter(move |(cell, _)| cell.collection == collection)
    }

    /// All that a view shows.
    pub(super) fn shown(view: &View) -> Result<Self, ReadError> {
        let mut contents = Self::default();
        each(view, STOCK, |key, value| {
            if let Some(sum) = value.as_i64() {
                contents.put(Cell::new(STOCK, key, ""), sum);
            }
        })?;
        each(view, CARTS, |key, value| {
            for (item, quantity) in value.as_object().into_iter().flatten() {
                contents.put(Cell::new(CARTS, key, item), quantity.as_i64().unwrap_or_default());
            }
        })?;
        each(view, CUSTOMERS, |key, value| {
            for member in value.as_array().into_iter().flatten() {
                let member = member.as_str().map_or_else(|| member.to_string(), str::to_owned);
                contents.put(Cell::new(CUSTOMERS, key, &member), 1);
            }
        })?;
        Ok(contents)
    }

    /// Adds what a cart does not show: items of which more went back than came. A lost write must not hide there.
    pub(super) fn with_debts(mut self, view: &View, expected: &Self) -> Result<Self, ReadError> {
        for (cell, _) in expected.of(CARTS).filter(|(_, quantity)| *quantity <= 0) {
            let add = Operation::AddItem { item: cell.part.clone(), quantity: 1 };
            let outcome = match view.value_after(CARTS, &cell.key, Some(&add), usize::MAX) {
                Err(ReadError::NoSuchCollection(_)) => None,
                outcome => outcome?,
            };
            let debt = outcome.and_then(|outcome| outcome.value.get(&cell.part).and_then(Value::as_i64));
            if let Some(debt) = debt {
                self.put(cell.clone(), debt);
            }
        }
        Ok(self)
    }

    /// Where `shown` is not what this says.
    pub(super) fn differences(&self, shown: &Self) -> Vec<Difference> {
        let missing_or_other = self.iter().filter_map(|(cell, expected)| {
            let found = shown.cells.get(cell).copied();
            (found != Some(expected)).then(|| Difference { cell: cell.clone(), expected: Some(expected), shown: found })
        });
        let extra = shown.iter().filter(|(cell, _)| !self.cells.contains_key(cell));
        let extra = extra.map(|(cell, value)| Difference { cell: cell.clone(), expected: None, shown: Some(value) });
        missing_or_other.chain(extra).collect()
    }
}

fn each(view: &View, collection: &str, mut visit: impl FnMut(&str, &Value)) -> Result<(), ReadError> {
    let mut after: Option<String> = None;
    loop {
        let page = match view.scan(collection, "", after.as_deref(), PAGE) {
            // Nobody has written to it.
            Err(ReadError::NoSuchCollection(_)) => return Ok(()),
            page => page?,
        };
        for entry in &page.entries {
            visit(&entry.key, &entry.outcome.value);
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::workload::{Line, Workload};
    use super::*;
    use anabranch::{Database, Write};

    #[test]
    fn differences_are_lost_or_duplicated() {
        let mut expected = Contents::default();
        expected.put(Cell::new(STOCK, "a", ""), -5);
        expected.put(Cell::new(STOCK, "b", ""), -5);
        expected.put(Cell::new(CARTS, "1", "a"), 2);
        let mut shown = Contents::default();
        shown.put(Cell::new(STOCK, "a", ""), -6);
        shown.put(Cell::new(STOCK, "b", ""), -4);
        shown.put(Cell::new(CUSTOMERS, "France", "7"), 1);
        let found = expected.differences(&shown);
        let told: Vec<_> = found.iter().map(|found| (found.cell.to_string(), found.is_loss())).collect();
        let expected_told = [("carts/1/a", true), ("stock/a", false), ("stock/b", true), ("customers/France/7", false)];
        assert_eq!(told, expected_told.map(|(cell, loss)| (cell.to_owned(), loss)));
        assert_eq!(found[0].to_string(), "carts/1/a shows nothing, must be 2");
        assert_eq!(expected.differences(&expected), []);
    }

    #[test]
    fn a_database_shows_what_was_written() {
        let line = |invoice: &str, quantity, customer: Option<&str>| Line {
            invoice: invoice.to_owned(),
            stock_code: "a".to_owned(),
            quantity,
            customer: customer.map(str::to_owned),
            country: "France".to_owned(),
        };
        let lines = [line("1", 3, Some("7")), line("C2", -4, None), line("3", 5, None), line("3", -5, Some("8"))];
        let workload = Workload::spread(lines, 1, u64::MAX);
        let db = Database::builder().open_in_memory().expect("a database");
        assert_eq!(Contents::shown(&db.view()).expect("readable"), Contents::default());
        for task in workload.tasks.iter().flatten() {
            db.apply(Write { changes: vec![task.change()], key: None }).expect("written");
        }
        let view = db.view();
        let shown = Contents::shown(&view).expect("readable");
        assert_eq!(shown.of(CARTS).count(), 1, "debts are not shown");
        let shown = shown.with_debts(&view, &workload.expected).expect("readable");
        assert_eq!(workload.expected.differences(&shown), []);
    }
}
