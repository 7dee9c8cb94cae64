//! `cart`: items with quantities, which sum.

use crate::json;
use crate::operation::{MAX_ITEM_BYTES, Operation};
use crate::register::check_limits;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Row, Rows};
use anabranch_causality::{Effect, Kind, Reader, Writer};
use serde_json::{Map, Value};
use std::ops::ControlFlow;

/// Items with quantities. One row per surviving add, with its quantity; an item's quantity is the sum of its rows, and
/// shown when above 0. A removal takes the rows it saw, debts included, so that what was added unseen stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cart;

impl Resolver for Cart {
    fn name(&self) -> &'static str {
        "cart"
    }

    fn kind(&self) -> Kind {
        Kind::CART
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        check_limits(operation)?;
        match operation {
            Operation::AddItem { item, quantity } => {
                let mut payload = Writer::new();
                payload.signed(*quantity);
                prepare.add(item.as_bytes(), payload.into_bytes());
                Ok(())
            }
            Operation::RemoveItem { item } => Ok(prepare.supersede_all(Some(item.as_bytes()))?),
            Operation::Clear | Operation::Delete => Ok(prepare.supersede_all(None)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        if effect.kind != Kind::CART {
            return Err(Malformed("not a cart's effect"));
        }
        if !effect.folds.is_empty() {
            return Err(Malformed("a cart keeps no sums"));
        }
        let subkeys = effect.supersedes.iter().map(|group| &group.subkey);
        for subkey in subkeys.chain(effect.adds.iter().map(|add| &add.subkey)) {
            item_of(subkey).ok_or(Malformed("a cart's subkey is an item"))?;
        }
        for add in &effect.adds {
            quantity_of(&add.payload).ok_or(Malformed("a cart's row holds a quantity"))?;
        }
        Ok(())
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        value(rows, most_bytes, None)
    }

    fn value_after(
        &self,
        operation: &Operation,
        rows: &dyn Rows,
        most_bytes: usize,
    ) -> Result<Option<Outcome>, ReadFailed> {
        let touched = match operation {
            Operation::AddItem { item, .. } | Operation::RemoveItem { item } => Some(item.as_str()),
            _ => None,
        };
        value(rows, most_bytes, touched)
    }

    fn show(&self, subkey: &[u8], payload: &[u8]) -> Value {
        match (item_of(subkey), quantity_of(payload)) {
            (Some(item), Some(quantity)) => serde_json::json!({ "item": item, "quantity": quantity }),
            _ => Value::Null,
        }
    }
}

/// `touched` is shown with its true sum, as long as a row of it survives.
fn value(rows: &dyn Rows, most_bytes: usize, touched: Option<&str>) -> Result<Option<Outcome>, ReadFailed> {
    let mut items = Items { touched, current: None, shown: Map::new(), used: 2, most_bytes, overflow: false };
    let mut stop = None;
    rows.rows(None, &mut |row| match items.visit(&row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(why) => {
            stop = Some(why);
            ControlFlow::Break(())
        }
    })?;
    if stop.is_none() && items.current.is_none() {
        return Ok(None);
    }
    const REASON: &str = "for each item, the sum of the adds that survive";
    let finished = stop.map_or_else(|| items.finish(), Err);
    match finished {
        Ok(()) => {
            let overflow = items.overflow;
            Ok(Some(Outcome { overflow, ..Outcome::plain(Value::Object(items.shown), REASON) }))
        }
        Err(Stop::TooLarge) => Ok(Some(Outcome { truncated: true, ..Outcome::plain(Value::Null, REASON) })),
        Err(Stop::Bad) => Err(ReadFailed),
    }
}

/// Sums up rows in the order of items, until the text of the object would be too long.
struct Items<'a> {
    touched: Option<&'a str>,
    current: Option<(String, i128)>,
    shown: Map<String, Value>,
    used: usize,
    most_bytes: usize,
    overflow: bool,
}

enum Stop {
    TooLarge,
    Bad,
}

impl Items<'_> {
    fn visit(&mut self, row: &Row<'_>) -> Result<(), Stop> {
        let quantity = i128::from(quantity_of(row.payload).ok_or(Stop::Bad)?);
        match &mut self.current {
            Some((item, sum)) if item.as_bytes() == row.subkey => *sum = sum.wrapping_add(quantity),
            _ => {
                self.finish_item()?;
                self.current = Some((item_of(row.subkey).ok_or(Stop::Bad)?.to_owned(), quantity));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Stop> {
        self.finish_item()?;
        if self.used > self.most_bytes { Err(Stop::TooLarge) } else { Ok(()) }
    }

    fn finish_item(&mut self) -> Result<(), Stop> {
        let Some((item, sum)) = self.current.take() else {
            return Ok(());
        };
        if sum <= 0 && self.touched != Some(item.as_str()) {
            return Ok(());
        }
        let quantity = sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        self.overflow |= i128::from(quantity) != sum;
        // The item with its quotes, a colon, the quantity, and a comma before all but the first.
        let item = Value::String(item);
        let name = json::length(&item, self.most_bytes).ok_or(Stop::TooLarge)?;
        self.used += name + 1 + quantity.to_string().len() + usize::from(!self.shown.is_empty());
        if self.used > self.most_bytes {
            return Err(Stop::TooLarge);
        }
        if let Value::String(item) = item {
            self.shown.insert(item, quantity.into());
        }
        Ok(())
    }
}

fn item_of(subkey: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_ITEM_BYTES).contains(&subkey.len());
    std::str::from_utf8(subkey).ok().filter(|_| fits)
}

fn quantity_of(payload: &[u8]) -> Option<i64> {
    let mut reader = Reader::new(payload);
    let quantity = reader.signed("quantity").ok()?;
    reader.finish("quantity").ok()?;
    (quantity != 0).then_some(quantity)
}
