//! Two people edit the same function in two regions at once. Nothing is lost and nobody is overruled by a clock: both versions
//! stand side by side until somebody decides, as in a code review, and says why. Two reviewers who decide differently at once
//! have a conflict again, with both outcomes.
//!
//! `cargo run --release --example merge_conflict`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::conflicts::OpenConflict;
use anabranch::{Database, Refusal, Rejection, WriteError};
use std::process::ExitCode;
use support::{Delay, Failure, World};

const FILE: &str = "src/price.rs";

const BEFORE: &str = "\
pub fn total(items: &[Item]) -> u64 {
    items.iter().map(|item| item.price).sum()
}";

/// Somebody in Europe minds the quantity.
const QUANTITY: &str = "\
pub fn total(items: &[Item]) -> u64 {
    items.iter().map(|item| item.price * item.quantity).sum()
}";

/// Somebody in America minds overflow.
const CHECKED: &str = "\
/// `None` when it does not fit.
pub fn total(items: &[Item]) -> Option<u64> {
    items.iter().try_fold(0_u64, |sum, item| sum.checked_add(item.price))
}";

/// What the reviewer makes of both.
const BOTH: &str = "\
/// `None` when it does not fit.
pub fn total(items: &[Item]) -> Option<u64> {
    items.iter().try_fold(0_u64, |sum, item| sum.checked_add(item.price.checked_mul(item.quantity)?))
}";

/// Far enough apart that neither hears of the other in time.
fn wide_area(from: &str, to: &str) -> Option<Delay> {
    match (from, to) {
        ("eu", "us") => Some(60),
        ("eu", "ap") | ("us", "ap") => Some(100),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let world = World::start(&[("eu", None), ("us", None), ("ap", None)], wide_area).await?;
    world.connected(|_| 2).await?;
    let [eu, us, ap] = [database(&world, "eu")?, database(&world, "us")?, database(&world, "ap")?];
    eu.escalate::<String>("code")?.put(FILE, &BEFORE.to_owned())?;
    world.converged().await?;

    // Both have seen the same version, and change it within less time than it takes to hear of each other.
    put(eu, QUANTITY)?;
    put(us, CHECKED)?;
    world.converged().await?;
    let conflict = the_conflict(ap)?;
    println!("Two people changed {FILE} at once. In Asia, a reviewer sees:\n\n{conflict}");
    let both_are_there = values(&conflict) == sorted([QUANTITY, CHECKED]);

    let decision = conflict.settle(BOTH.into()).by("ann").note("keep the check, and count the quantity");
    ap.resolve(decision)?;
    world.converged().await?;
    let decided = [eu, us, ap].iter().all(|db| is_decided(db, &conflict, BOTH).unwrap_or(false));
    println!("ann decided for both, with a note; text and history are the same everywhere: {decided}");
    let late = us.resolve(conflict.settle(CHECKED.into()).by("bob"));
    let told =
        matches!(late, Err(WriteError::Refused(Refusal::Rejected { rejection: Rejection::AlreadyResolved(_), .. })));
    println!("who decides about it later is told that it was decided: {told}");

    let again = decide_at_once(&world, (eu, us)).await?;
    println!("two reviewers who decided differently at once have a conflict again: {again}");
    world.stop().await;
    Ok(both_are_there && decided && told && again)
}

/// Two reviewers decide about another conflict without hearing of each other: differently, then alike.
async fn decide_at_once(world: &World, (eu, us): (&Database, &Database)) -> Result<bool, Failure> {
    put(eu, QUANTITY)?;
    put(us, CHECKED)?;
    world.converged().await?;
    let conflict = the_conflict(eu)?;
    eu.resolve(conflict.settle(QUANTITY.into()).by("ann").note("small"))?;
    us.resolve(conflict.settle(CHECKED.into()).by("bob").note("safe"))?;
    world.converged().await?;
    let again = the_conflict(us)?;
    println!("\nann and bob decided differently:\n\n{again}");
    let both = again.id != conflict.id && values(&again) == sorted([QUANTITY, CHECKED]);
    let who: Vec<_> = eu.view().ended(conflict.id)?.into_iter().filter_map(|past| past.by).collect();

    // This time they agree: options of equal value are one, and there is nothing left to decide.
    eu.resolve(again.settle(BOTH.into()).by("ann").note("bob is right"))?;
    us.resolve(again.settle(BOTH.into()).by("bob").note("ann is right"))?;
    world.converged().await?;
    let settled = eu.conflicts()?.next().is_none() && us.conflicts()?.next().is_none();
    Ok(both
        && settled
        && who.len() == 2
        && who.iter().any(|name| name == "ann")
        && who.iter().any(|name| name == "bob"))
}

fn database<'a>(world: &'a World, name: &str) -> Result<&'a Database, Failure> {
    Ok(&world.node_named(name).ok_or("a node is missing")?.database)
}

fn put(db: &Database, text: &str) -> Result<(), Failure> {
    db.escalate::<String>("code")?.put(FILE, &text.to_owned())?;
    Ok(())
}

/// The only one that is open.
fn the_conflict(db: &Database) -> Result<OpenConflict, Failure> {
    let mut open = db.conflicts()?;
    let first = open.next().ok_or("there is no conflict")?;
    if open.next().is_some() {
        return Err("there is more than one conflict".into());
    }
    Ok(first)
}

fn values(conflict: &OpenConflict) -> Vec<String> {
    sorted(conflict.options.iter().map(|option| option.value.as_str().unwrap_or_default()))
}

fn sorted<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    texts.sort();
    texts
}

/// Whether nothing is open, the text is that, and the history says who decided and why.
fn is_decided(db: &Database, conflict: &OpenConflict, text: &str) -> Result<bool, Failure> {
    let view = db.view();
    let value = view.get("code", FILE)?.map(|outcome| outcome.value);
    let history = view.resolutions(Some("code"), Some(FILE), None, 10)?.decisions;
    let [past] = &history[..] else { return Ok(false) };
    let said = past.by.as_deref() == Some("ann") && past.note.as_deref().is_some_and(|note| note.contains("quantity"));
    let told = past.conflict == conflict.id && past.region.as_deref() == Some("ap") && said;
    Ok(told && value.is_some_and(|value| value == text) && db.conflicts()?.next().is_none())
}
