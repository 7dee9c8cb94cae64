//! Resolvers on model replicas, against the naive specifications: the law checker, with the input in place of chance.

use crate::definition::Defined;
use crate::input::Input;
use crate::{calendar_model, drawn, specs};
use anabranch_causality::{Reader, hash64};
use anabranch_resolvers::laws::{self, Naive, Options, Random};
use anabranch_resolvers::{
    Calendar, Cart, Escalate, GCounter, KeepAll, Lww, Map, Operation, OrSet, PnCounter, Resolver, Text,
};
use serde_json::Value;
use std::sync::LazyLock;

/// The most operations of a history.
const MOST: usize = 32;
/// How many resolvers there are; the first byte says which.
pub(crate) const RESOLVERS: u8 = 11;

/// A map of which some fields keep all, escalate, or are the lowest number.
static MIXED: LazyLock<Map> = LazyLock::new(|| specs::mixed(["a", "ab", "n"]));

type Generator = fn(&mut Random) -> Operation;
type Specification = fn(&Naive) -> Option<Value>;

/// The first byte says which resolver, the next four decide schedule and replicas, the rest is operations: two bytes that
/// draw one of the kind, or one spelled out in its own bytes.
///
/// # Panics
/// On a violation, with its story.
pub fn body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (resolver, generator, spec): (&dyn Resolver, Generator, Specification) = match input.byte() % RESOLVERS {
        0 => (&Lww, specs::any_register_operation, specs::lww),
        1 => (&KeepAll, specs::any_decided_register_operation, specs::keep_all),
        2 => (&Escalate, specs::any_decided_register_operation, specs::lww),
        3 => (&GCounter, specs::any_g_operation, specs::counter),
        4 => (&PnCounter, specs::any_pn_operation, specs::counter),
        5 => (&OrSet, specs::any_set_operation, specs::or_set),
        6 => (&Map::new(), specs::any_map_operation, specs::map),
        7 => (&Cart, specs::any_cart_operation, specs::cart),
        8 => (&*MIXED, specs::any_decided_map_operation, specs::mixed_map),
        9 => (&Calendar, calendar_model::any_calendar_operation, calendar_model::calendar),
        _ => (&Text, drawn::any_text_operation, text),
    };
    let schedule: [u8; 4] = std::array::from_fn(|_| input.byte());
    let mut operations: Vec<Operation> = Vec::new();
    while !input.is_empty() && operations.len() < MOST {
        operations.push(operation(&mut input, generator));
    }
    let count = operations.len().max(1);
    let mut operations = operations.into_iter();
    let options = Options {
        seed: hash64("anabranch fuzzing", &[&schedule]),
        cases: 1,
        replicas: 2..=4,
        operations: count,
        orders: 1,
    };
    let next = |random: &mut Random| operations.next().unwrap_or_else(|| generator(random));
    if let Err(violation) = laws::check(resolver, next, Some(&spec), &options) {
        panic!("{violation}");
    }
}

fn operation(input: &mut Input<'_>, generator: Generator) -> Operation {
    let first = input.byte();
    if first >= 240
        && let Ok(spelled) = Operation::decode(&mut Reader::new(input.chunk()))
        // Editors who use another's client id may see different texts, each in its own order.
        && !matches!(spelled, Operation::Yjs(_))
    {
        return spelled;
    }
    generator(&mut Random::new(u64::from(first) << 8 | u64::from(input.byte())))
}

/// That of an empty document that is given all updates, whatever order they came in.
fn text(naive: &Naive) -> Option<Value> {
    let outcome = Text.value(&Defined::of(naive, &Text), usize::MAX).expect("what editors send can be read");
    outcome.map(|outcome| outcome.value)
}
