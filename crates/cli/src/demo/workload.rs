//! What is written, where, and what must come out of it.

use super::contents::{CARTS, CUSTOMERS, Cell, Contents, STOCK};
use super::random::Random;
use super::regions::COUNT;
use anabranch::resolvers::Member;
use anabranch::{Change, Kind, Operation};
use std::collections::{BTreeSet, VecDeque};

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) invoice: String,
    pub(super) stock_code: String,
    /// How many were sold; negative when they came back.
    pub(super) quantity: i32,
    pub(super) customer: Option<String>,
    pub(super) country: String,
}

/// One write of one client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// The stock of a product changes.
    Stock { code: String, change: i64 },
    /// A cart gets more of an item, or less.
    Cart { invoice: String, item: String, quantity: i64 },
    /// A country has this customer: said with the first line of theirs.
    Customer { country: String, customer: String },
}

impl Task {
    /// The write, for the engine.
    pub(super) fn change(&self) -> Change {
        let operate = |collection: &str, kind, key: &str, operation| Change::Operate {
            collection: collection.to_owned(),
            kind,
            key: key.to_owned(),
            operation,
            context: None,
        };
        match self {
            Self::Stock { code, change } => operate(STOCK, Kind::PN_COUNTER, code, Operation::Add(*change)),
            Self::Cart { invoice, item, quantity } => {
                let add = Operation::AddItem { item: item.clone(), quantity: *quantity };
                operate(CARTS, Kind::CART, invoice, add)
            }
            Self::Customer { country, customer } => {
                let add = Operation::AddMembers(vec![Member::String(customer.clone())]);
                operate(CUSTOMERS, Kind::OR_SET, country, add)
            }
        }
    }

    /// What the write does to the contents.
    fn tell(&self, expected: &mut Contents) {
        match self {
            Self::Stock { code, change } => expected.add(Cell::new(STOCK, code, ""), *change),
            Self::Cart { invoice, item, quantity } => expected.add(Cell::new(CARTS, invoice, item), *quantity),
            Self::Customer { country, customer } => expected.put(Cell::new(CUSTOMERS, country, customer), 1),
        }
    }
}

/// All writes, by the region whose clients do them, and what they come to.
#[derive(Debug, Default)]
pub(super) struct Workload {
    /// In the order in which they are done.
    pub(super) tasks: [VecDeque<Task>; COUNT],
    /// How many there are.
    pub(super) total: u64,
    /// What every region must show in the end.
    pub(super) expected: Contents,
}

impl Workload {
    /// Gives every line to a region that the seed picks, until there are as many writes as wanted.
    pub(super) fn spread(lines: impl IntoIterator<Item = Line>, seed: u64, most: u64) -> Self {
        // Its own chance: the shop made from a seed does not decide where it is written.
        let mut random = Random::new(seed ^ 0x7265_6769_6f6e);
        let (mut workload, mut noted) = (Self::default(), BTreeSet::new());
        for line in lines {
            let region = random.place(COUNT);
            for task in tasks_of(&line) {
                if workload.total == most {
                    return workload;
                }
                // Once each: who adds what is there supersedes it, and crossing retries of such adds can erase each other
                // (ARCHITECTURE.md, known limits).
                if matches!(task, Task::Customer { .. }) && !noted.insert(task.clone()) {
                    continue;
                }
                task.tell(&mut workload.expected);
                workload.total += 1;
                workload.tasks[region].push_back(task);
            }
        }
        workload
    }
}

/// The writes of a line: three keys of three collections, each its own.
fn tasks_of(line: &Line) -> Vec<Task> {
    let quantity = i64::from(line.quantity);
    let mut tasks = vec![Task::Stock { code: line.stock_code.clone(), change: -quantity }];
    // A cart takes no quantity of 0: there is nothing to add.
    if quantity != 0 {
        let (invoice, item) = (line.invoice.clone(), line.stock_code.clone());
        tasks.push(Task::Cart { invoice, item, quantity });
    }
    if let Some(customer) = &line.customer {
        tasks.push(Task::Customer { country: line.country.clone(), customer: customer.clone() });
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(invoice: &str, code: &str, quantity: i32, customer: Option<&str>) -> Line {
        let customer = customer.map(str::to_owned);
        Line { invoice: invoice.into(), stock_code: code.into(), quantity, customer, country: "France".into() }
    }

    #[test]
    fn lines_sum() {
        let lines = [line("1", "a", 3, Some("7")), line("1", "a", -5, None), line("2", "a", 0, Some("7"))];
        let workload = Workload::spread(lines, 1, u64::MAX);
        assert_eq!(workload.total, 3 + 2 + 1, "a customer is noted once");
        assert_eq!(workload.tasks.iter().map(VecDeque::len).sum::<usize>(), 6);
        let cells: Vec<_> = workload.expected.iter().map(|(cell, value)| (cell.to_string(), value)).collect();
        let expected = [("carts/1/a".into(), -2), ("customers/France/7".into(), 1), ("stock/a".into(), 2)];
        assert_eq!(cells, expected);
    }

    #[test]
    fn as_many_as_wanted() {
        let lines = std::iter::repeat_with(|| line("1", "a", 1, Some("7")));
        assert_eq!(Workload::spread(lines, 1, 100).total, 100);
    }

    #[test]
    fn a_seed_decides_the_regions() {
        let lines: Vec<_> = (0..50).map(|n| line(&n.to_string(), "a", 1, None)).collect();
        let spread = |seed| Workload::spread(lines.clone(), seed, u64::MAX).tasks;
        assert_eq!(spread(1), spread(1));
        assert_ne!(spread(1), spread(2));
        assert!(spread(1).iter().all(|tasks| !tasks.is_empty()));
    }
}
