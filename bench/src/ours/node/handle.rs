//! A node's process, as whoever measures holds it.

use super::talk::{Answer, Ask, Reached, Seen, Traffic, Written};
use crate::ours::process;
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A process, ended when this is dropped.
pub struct Node {
    pub name: String,
    pub addr: String,
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    /// Starts a process; nothing is opened yet.
    pub fn spawn(name: &str) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        let mut process = command.arg("node").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = process.stdin.take().context("a node's input")?;
        let answers = BufReader::new(process.stdout.take().context("a node's output")?);
        Ok(Self { name: name.to_owned(), addr: String::new(), process, asks, answers })
    }

    /// Tells it what to do, without waiting for it. Each call needs an answer taken.
    pub fn tell(&mut self, ask: &Ask) -> anyhow::Result<()> {
        let line = serde_json::to_string(ask)? + "\n";
        self.asks.write_all(line.as_bytes())?;
        Ok(self.asks.flush()?)
    }

    /// The answer to the oldest that has none.
    pub fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match serde_json::from_str(&line).with_context(|| format!("node {} ended", self.name))? {
            Answer::Failed(problem) => bail!("node {}: {problem}", self.name),
            answer => Ok(answer),
        }
    }

    /// Tells it what to do and waits until it is done.
    pub fn ask(&mut self, ask: &Ask) -> anyhow::Result<Answer> {
        self.tell(ask)?;
        self.answer()
    }

    /// As [`Node::answer`], of writes.
    pub fn written(&mut self) -> anyhow::Result<Written> {
        match self.answer()? {
            Answer::Written(written) => Ok(written),
            other => bail!("node {}: {other:?}", self.name),
        }
    }

    /// As [`Node::answer`], of waiting.
    pub fn reached(&mut self) -> anyhow::Result<Reached> {
        match self.answer()? {
            Answer::Reached(reached) => Ok(reached),
            other => bail!("node {}: {other:?}", self.name),
        }
    }

    /// How late writes were seen since it observes; that ends.
    pub fn seen(&mut self) -> anyhow::Result<Seen> {
        match self.ask(&Ask::Observed)? {
            Answer::Seen(seen) => Ok(seen),
            other => bail!("node {}: {other:?}", self.name),
        }
    }

    /// Bytes sent and received.
    pub fn traffic(&mut self) -> anyhow::Result<Traffic> {
        match self.ask(&Ask::Traffic)? {
            Answer::Traffic(traffic) => Ok(traffic),
            other => bail!("node {}: {other:?}", self.name),
        }
    }

    /// Processor time so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.process.id())
    }

    /// Memory in MiB.
    pub fn memory(&self) -> anyhow::Result<f64> {
        process::memory(self.process.id())
    }

    /// The most memory so far, in MiB.
    pub fn peak_memory(&self) -> anyhow::Result<f64> {
        process::peak_memory(self.process.id())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended by itself already, if these fail.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
