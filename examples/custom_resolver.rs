//! Resolvers of one's own: a price list where of concurrent prices the lower one counts, in one function; and a register that only
//! grows, as a full `Resolver`.
//!
//! Both are run through the public law checker, which any team can do with theirs; a third, which breaks a law, shows how
//! the checker says so: with the shortest story that it could find.
//!
//! `cargo run --release --example custom_resolver`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::resolvers::custom::{Custom, Merged, Surviving};
use anabranch::resolvers::laws::{self, Law, Options, Random};
use anabranch::resolvers::{Malformed, Operation, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch::{Database, Effect, Kind};
use serde_json::Value;
use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

/// Of prices that were set without seeing each other, the lower counts. What is no price is for a person.
fn lowest_price() -> Custom {
    Custom::new("lowest-price", |versions: &[Surviving]| {
        let prices: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
        prices.and_then(|prices| prices.into_iter().min()).map_or(Merged::Escalate, |price| Merged::Value(price.into()))
    })
}

/// The largest number that was ever written: it never goes down, not even for who has seen it.
struct MaxRegister;

impl Resolver for MaxRegister {
    fn name(&self) -> &'static str {
        "max-register"
    }

    fn kind(&self) -> Kind {
        Kind::REGISTER
    }

    /// A write supersedes the smaller numbers that it sees; its own row comes in any case, for a replica that prepares it
    /// again elsewhere may see less.
    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        let Operation::Put(value) = operation else {
            return Err(Rejection::NotSupported("a max-register only takes numbers".to_owned()));
        };
        let number = value.as_i64().ok_or_else(|| Rejection::Rejected(format!("{value} is no integer")))?;
        let rows = prepare.rows();
        rows.rows(Some(&[]), &mut |row| {
            if read(row.payload).is_ok_and(|other| other <= number) {
                prepare.supersede(&row);
            }
            ControlFlow::Continue(())
        })?;
        prepare.add([], number.to_string());
        Ok(())
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        let sound = effect.kind == Kind::REGISTER && effect.folds.is_empty();
        let numbers = effect.adds.iter().all(|add| add.subkey.is_empty() && read(&add.payload).is_ok());
        if sound && numbers { Ok(()) } else { Err(Malformed("a max-register holds integers")) }
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let (mut largest, mut versions, mut bad) = (None, Vec::new(), false);
        rows.rows(Some(&[]), &mut |row| {
            match read(row.payload) {
                Ok(number) => largest = largest.max(Some(number)),
                Err(_) => bad = true,
            }
            versions.push(row.tag);
            ControlFlow::Continue(())
        })?;
        if bad {
            return Err(ReadFailed);
        }
        versions.sort_unstable();
        Ok(largest.map(|number: i64| {
            let truncated = number.to_string().len() > most_bytes;
            let value = if truncated { Value::Null } else { number.into() };
            Outcome { versions, truncated, ..Outcome::plain(value, "the largest number that was written") }
        }))
    }
}

fn read(payload: &[u8]) -> Result<i64, Malformed> {
    serde_json::from_slice(payload).map_err(|_| Malformed("not an integer"))
}

fn main() -> ExitCode {
    support::verdict(prove())
}

fn prove() -> Result<bool, Box<dyn Error>> {
    Ok(laws_hold()? && a_wrong_one_is_caught() && a_price_list_works()?)
}

fn number(random: &mut Random) -> Operation {
    Operation::Put((random.below(100) as i64 - 50).into())
}

fn laws_hold() -> Result<bool, Box<dyn Error>> {
    let options = Options { cases: 200, ..Options::default() };
    let price = laws::check(&lowest_price(), number, None, &options)?;
    // Its value, written without the resolver: nothing smaller can supersede the largest.
    let largest = |naive: &laws::Naive| {
        let asked = naive.requests.values().flatten();
        let numbers = asked.filter_map(|operation| match operation {
            Operation::Put(value) => value.as_i64(),
            _ => None,
        });
        numbers.max().map(Value::from)
    };
    let max = laws::check(&MaxRegister, number, Some(&largest), &options)?;
    println!("lowest-price keeps the laws in {} histories of {} operations", price.cases, price.operations);
    println!("max-register keeps the laws in {} histories of {} operations", max.cases, max.operations);
    Ok(price.operations > 0 && max.retries > 0)
}

/// It is no function of the versions: each call says something else.
fn a_wrong_one_is_caught() -> bool {
    let calls = std::sync::atomic::AtomicI64::new(0);
    let forgetful = Custom::new("every-call-another", move |_: &[Surviving]| {
        Merged::Value(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into())
    });
    match laws::check(&forgetful, number, None, &Options { cases: 50, ..Options::default() }) {
        Ok(_) => false,
        Err(violation) => {
            println!("\na resolver that is no function of what it is shown is caught:\n{violation}\n");
            violation.law == Law::ValueIsPure
        }
    }
}

fn a_price_list_works() -> Result<bool, Box<dyn Error>> {
    let open = || -> Result<Database, Box<dyn Error>> {
        let builder = Database::builder().resolver(Arc::new(lowest_price()))?.resolver(Arc::new(MaxRegister))?;
        Ok(builder.open_in_memory()?)
    };
    let shop = open()?;
    let prices = shop.register::<i64>("prices", "lowest-price")?;
    let records = shop.register::<i64>("records", "max-register")?;
    prices.put("sku-42", &1_299)?;
    let seen = prices.get_in(&shop.view(), "sku-42")?.ok_or("no price")?;
    // Two people change the price they both saw.
    prices.put_seen("sku-42", &999, seen.context.clone())?;
    prices.put_seen("sku-42", &1_099, seen.context)?;
    for visitors in [120, 80, 310, 200] {
        records.put("visitors", &visitors)?;
    }
    let (price, record) = (prices.get("sku-42")?, records.get("visitors")?);
    println!("two concurrent prices, 999 and 1099: {price:?}; the record of 120, 80, 310, 200 visitors: {record:?}");
    Ok(price == Some(999) && record == Some(310))
}
