//! The built-in resolvers and the law checker, from outside.

mod calendar_model;
mod calendars;
mod check;
mod counters;
mod customs;
#[cfg(feature = "text")]
mod hostile_texts;
mod laws;
mod map_fields;
mod maps;
mod registers;
mod sets;
mod specs;
#[cfg(feature = "text")]
mod texts;
mod truncation;
mod world;
mod wrong;
