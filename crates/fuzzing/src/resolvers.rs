//! Resolvers on model replicas, against the naive specifications: the law checker, with the input in place of chance.

use crate::input::Input;
use crate::specs;
use anabranch_causality::{Reader, hash64};
use anabranch_resolvers::laws::{self, Naive, Options, Random};
use anabranch_resolvers::{Cart, Escalate, GCounter, KeepAll, Lww, Map, Operation, OrSet, PnCounter, Resolver};
use serde_json::Value;

/// The most operations of a history.
const MOST: usize = 32;

type Generator = fn(&mut Random) -> Operation;
type Specification = fn(&Naive) -> Option<Value>;

/// The first byte says which resolver, the next four decide schedule and replicas, the rest is operations: two bytes that
/// draw one of the kind, or one spelled out in its own bytes.
///
/// # Panics
/// On a violation, with its story.
pub fn body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (resolver, generator, spec): (&dyn Resolver, Generator, Specification) = match input.byte() % 8 {
        0 => (&Lww, specs::any_register_operation, specs::lww),
        1 => (&KeepAll, specs::any_register_operation, specs::keep_all),
        2 => (&Escalate, specs::any_register_operation, specs::lww),
        3 => (&GCounter, specs::any_g_operation, specs::counter),
        4 => (&PnCounter, specs::any_pn_operation, specs::counter),
        5 => (&OrSet, specs::any_set_operation, specs::or_set),
        6 => (&Map::new(), specs::any_map_operation, specs::map),
        _ => (&Cart, specs::any_cart_operation, specs::cart),
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
    {
        return spelled;
    }
    generator(&mut Random::new(u64::from(first) << 8 | u64::from(input.byte())))
}
