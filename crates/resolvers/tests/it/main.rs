//! The built-in resolvers and the law checker, from outside.

mod calendar_model;
mod calendars;
mod check;
mod counters;
mod customs;
mod laws;
mod map_fields;
mod maps;
mod registers;
mod sets;
mod specs;
mod truncation;
mod world;
mod wrong;
