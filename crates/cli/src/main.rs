//! The `anabranch` command: a node, its clients, certificates and a demonstration.

mod app;
mod args;
mod commands;
mod demo;
mod failure;
mod http;
mod logging;
mod output;

fn main() -> std::process::ExitCode {
    app::run(<args::Cli as clap::Parser>::parse())
}
