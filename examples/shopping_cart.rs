//! A shopping cart on a phone and on a desktop, both offline, both in use. Each is a whole database in its app; later both sync.
//!
//! As a `cart`, all that was done counts: quantities add up, and a removal takes away what it saw. Beside it, each action also
//! changes the same cart as one value that is read, changed and written back, where the last writer wins: one device's
//! shopping is gone, which is printed.
//!
//! `cargo run --release --example shopping_cart`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::Database;
use anabranch::collections::{Cart, Register};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use support::{Failure, World};

const USER: &str = "user:101";

/// What is in a cart.
type Items = BTreeMap<String, i64>;

/// The same shopping, kept in both ways.
struct Device {
    name: &'static str,
    database: Database,
    cart: Cart,
    value: Register<Items>,
}

/// What somebody does with a cart.
enum Action {
    Add(&'static str, i64),
    Remove(&'static str),
}

impl Device {
    fn new(name: &'static str, database: Database) -> Result<Self, Failure> {
        let (cart, value) = (database.cart("carts")?, database.lww("carts-as-values")?);
        Ok(Self { name, database, cart, value })
    }

    /// Both ways in one transaction.
    fn act(&self, action: &Action) -> Result<(), Failure> {
        let mut items = self.as_value()?;
        match action {
            Action::Add(item, quantity) => *items.entry((*item).to_owned()).or_default() += quantity,
            Action::Remove(item) => drop(items.remove(*item)),
        }
        self.database.write(|tx| {
            match action {
                Action::Add(item, quantity) => self.cart.in_tx(tx).add(USER, item, *quantity)?,
                Action::Remove(item) => self.cart.in_tx(tx).remove(USER, item)?,
            }
            self.value.in_tx(tx).put(USER, &items)
        })?;
        Ok(())
    }

    fn as_cart(&self) -> Result<Items, Failure> {
        Ok(self.cart.get(USER)?)
    }

    fn as_value(&self) -> Result<Items, Failure> {
        Ok(self.value.get(USER)?.unwrap_or_default())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let mut world = World::start(&[("eu", None)], |_, _| None).await?;
    let phone = Device::new("phone", world.device("phone")?)?;
    let desktop = Device::new("desktop", world.device("desktop")?)?;
    let devices = [&phone, &desktop];
    phone.act(&Action::Add("milk", 1))?;
    phone.act(&Action::Add("bread", 1))?;
    sync(&mut world, &devices).await?;
    println!("both have, synced: {:?}", desktop.as_cart()?);

    // No network from here on: nobody syncs.
    for action in [Action::Add("milk", 1), Action::Add("coffee", 2), Action::Remove("bread")] {
        phone.act(&action)?;
    }
    for action in [Action::Add("milk", 2), Action::Add("tea", 1), Action::Add("bread", 1)] {
        desktop.act(&action)?;
    }
    let mut as_values = BTreeSet::new();
    for device in devices {
        println!("{} offline: {:?}", device.name, device.as_cart()?);
        as_values.insert(device.as_value()?);
    }
    sync(&mut world, &devices).await?;

    // The phone's removal took away the bread that it saw, not the desktop's.
    let all = [("milk", 4), ("coffee", 2), ("tea", 1), ("bread", 1)];
    let all: Items = all.map(|(item, quantity)| (item.to_owned(), quantity)).into();
    let server = Device::new("eu", world.node_named("eu").ok_or("no server")?.database.clone())?;
    let mut proved = as_values.len() == 2;
    for device in [&phone, &desktop, &server] {
        let (cart, value) = (device.as_cart()?, device.as_value()?);
        let lost: Vec<String> = lost(&all, &value);
        println!("{}: as a cart {cart:?}", device.name);
        println!(
            "{}  as a value, the last writer's, {value:?}: lost {}",
            " ".repeat(device.name.len()),
            lost.join(", ")
        );
        // One device's is left, the other's is not.
        proved &= cart == all && as_values.contains(&value) && !lost.is_empty();
        proved &= value == phone.as_value()?;
    }
    world.stop().await;
    Ok(proved)
}

/// Both devices sync until all three replicas hold the same, and are then offline again.
async fn sync(world: &mut World, devices: &[&Device; 2]) -> Result<(), Failure> {
    let mut syncing = Vec::new();
    for device in devices {
        syncing.push(world.sync(&device.database, "eu")?);
    }
    for sync in &syncing {
        sync.caught_up().await?;
    }
    let server = world.node_named("eu").ok_or("no server")?.database.clone();
    let holds = |database: &Database| database.status().map(|status| (status.vector, status.digest));
    support::until("all three hold the same", || devices.iter().all(|device| holds(&device.database) == holds(&server)))
        .await
}

/// What is missing of what was put in.
fn lost(all: &Items, of: &Items) -> Vec<String> {
    let missing = |(item, quantity): (&String, &i64)| {
        let missing = quantity - of.get(item).copied().unwrap_or(0);
        (missing > 0).then(|| format!("{missing} {item}"))
    };
    all.iter().filter_map(missing).collect()
}
