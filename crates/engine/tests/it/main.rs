//! The engine as a state machine: what goes in, what comes out.

mod conflicts;
mod contract;
mod copies;
mod fields;
mod followers;
mod freshness;
mod golden;
mod hostile;
mod parking;
mod piles;
mod replica;
mod resolvers;
mod supply;
mod walk;
