//! The `anabranch` command: a node, its clients, certificates and a demonstration.

mod app;
mod args;
mod commands;
mod demo;
mod failure;
mod http;
mod logging;
mod output;

/// Requests, transactions and rows are made by one thread and dropped by another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::run(<args::Cli as clap::Parser>::parse())
}
