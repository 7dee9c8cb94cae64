//! One node of an Anabranch cluster: its config file, its HTTP API, its metrics, and how it stops.
//!
//! [`run`] is a whole node for a process, [`Serve`] one with resolvers of its own; [`Node`] is one of several in a process; [`serve_http`] serves a database that
//! somebody else opened.

mod accept;
mod acknowledge;
mod answer;
mod app;
mod call;
mod catch;
mod changes;
mod clock;
mod config;
mod cors;
mod duration;
mod error;
mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod headers;
mod inbox;
mod json;
mod lag;
mod last_token;
mod metrics;
mod native;
mod node;
mod notices;
mod path;
mod problem;
mod reach;
mod reads;
mod routes;
mod run;
mod serve;
mod serving;

pub use accept::{HttpServer, serve_http};
pub use app::HttpConfig;
pub use config::{Config, ConfigError, Overrides, TlsFiles};
pub use error::ServerError;
pub use node::Node;
pub use run::{run, shutdown_signal};
pub use serving::Serve;
