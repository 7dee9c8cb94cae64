//! A note on two devices without a network. Both write into it, at the same place and at the same time; then they meet.
//!
//! As a text, the note has what both wrote, each word whole. As a value where the last writer wins, it has one of the two, and
//! what the other wrote must be found among the versions that lost.
//!
//! `cargo run --release --example notes`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::Database;
use std::process::ExitCode;
use support::{Failure, World};

const BEFORE: &str = "Trip to the sea\n- tickets\n";
const PHONE: &str = "- sunscreen for everybody\n";
const LAPTOP: &str = "- the large tent, and pegs\n";
const TITLE: &str = "Trip to the sea";

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    // Two devices, each the leader of its own data; nothing between them yet.
    let mut world = World::start(&[("phone", None), ("laptop", None)], |_, _| None).await?;
    let device = |name| world.node_named(name).map(|node| node.database.clone()).ok_or("a device is missing");
    let (phone, laptop) = (device("phone")?, device("laptop")?);
    begin(&phone, &laptop)?;
    write_alone(&phone, PHONE, " in June")?;
    write_alone(&laptop, LAPTOP, ", with Grandma")?;
    world.connect(0, 1, 20)?;
    world.connected(|_| 1).await?;
    world.converged().await?;
    let proved = judge_text(&phone, &laptop)? & judge_last_writer(&phone, &laptop)?;
    world.stop().await;
    Ok(proved)
}

/// Both have the same note, handed over when they last met.
fn begin(phone: &Database, laptop: &Database) -> Result<(), Failure> {
    phone.text("notes")?.insert("trip", 0, BEFORE)?;
    let state = phone.text("notes")?.state("trip", None)?.ok_or("the note has no state")?;
    laptop.text("notes")?.apply_update("trip", &state)?;
    Ok(())
}

/// Types a line at the end of the note, key by key, and a few words behind its title. Beside it, keeps the note as one value.
fn write_alone(device: &Database, line: &str, words: &str) -> Result<(), Failure> {
    let notes = device.text("notes")?;
    let end = notes.get("trip")?.chars().count();
    for (at, key) in (end..).zip(line.chars()) {
        notes.insert("trip", at as u64, &key.to_string())?;
    }
    for (at, key) in (TITLE.chars().count()..).zip(words.chars()) {
        notes.insert("trip", at as u64, &key.to_string())?;
    }
    device.lww::<String>("pages")?.put("trip", &notes.get("trip")?)?;
    Ok(())
}

fn judge_text(phone: &Database, laptop: &Database) -> Result<bool, Failure> {
    let (one, other) = (phone.text("notes")?.get("trip")?, laptop.text("notes")?.get("trip")?);
    println!("as a text, on both devices:\n{}", indented(&one));
    let has = |part: &str| one.matches(part).count() == 1;
    let all = [PHONE, LAPTOP, " in June", ", with Grandma", TITLE, "- tickets\n"];
    let written: usize = [BEFORE, PHONE, LAPTOP, " in June", ", with Grandma"].map(str::len).iter().sum();
    let whole = all.iter().all(|part| has(part)) && one.len() == written;
    println!(
        "equal: {}; everything that was typed, each run of it whole, once, and nothing else: {whole}",
        one == other
    );
    Ok(whole && one == other)
}

fn judge_last_writer(phone: &Database, laptop: &Database) -> Result<bool, Failure> {
    let pages = phone.lww::<String>("pages")?;
    let shown = pages.get("trip")?.ok_or("the page is gone")?;
    let same = laptop.lww::<String>("pages")?.get("trip")?.as_ref() == Some(&shown);
    let lost: Vec<&str> = [PHONE, LAPTOP].into_iter().filter(|line| !shown.contains(line)).collect();
    println!("where the last writer wins, the page lacks: {}", lost.concat().trim_end());
    Ok(same && lost.len() == 1)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
