//! A node of the cluster that is measured, as a process of its own: this program, started again. It is told what to do by
//! lines of JSON on its standard input, and answers each with one on its standard output.

pub mod cluster;
mod handle;
mod observe;
mod pace;
mod serve;
pub mod talk;

pub use handle::Node;
pub use serve::serve;
