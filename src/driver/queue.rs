//! What the writer thread is asked to do.

use crate::error::WriteError;
use anabranch_causality::Origin;
use anabranch_engine::{Role, Status, Write, Written};
use anabranch_protocol::Message;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most local writes that wait at a time.
const MAX_WRITES: usize = 16_384;

/// How long somebody is waited for who wrote a moment ago and is likely to write again: less than a sync takes, and about as
/// long as it takes to fall asleep and be woken.
const GATHER: Duration = Duration::from_micros(50);

/// What is called with the answer to a write, on the writer thread: it must be quick.
pub(crate) type Done = Box<dyn FnOnce(Result<Written, WriteError>) + Send>;

/// What is called with the status, likewise.
pub(crate) type StatusDone = Box<dyn FnOnce(Status) + Send>;

/// Tells one connection to a peer from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The way to a connected peer. Its connection ends when this is dropped, however slowly the peer takes what it was sent.
pub(crate) struct Outbox {
    /// Bounded: when it is full, the connection is dropped.
    pub(crate) messages: tokio::sync::mpsc::Sender<Message>,
    /// Ends the connection because the peer does not follow the protocol, and tells it why.
    pub(crate) misconduct: tokio::sync::oneshot::Sender<String>,
}

/// One thing to do.
pub(crate) enum Command {
    Write {
        write: Write,
        done: Done,
    },
    Connected {
        peer: String,
        region: String,
        role: Role,
        origin: Origin,
        id: ConnectionId,
        outbox: Outbox,
    },
    /// A peer belongs to the cluster; `expected`: its silence makes what this replica shows old.
    Member {
        peer: String,
        region: Option<String>,
        expected: bool,
    },
    Disconnected {
        peer: String,
        id: ConnectionId,
    },
    /// The permit bounds how much of one connection waits here.
    Message {
        peer: String,
        id: ConnectionId,
        message: Message,
        permit: tokio::sync::OwnedSemaphorePermit,
    },
    Status {
        done: StatusDone,
    },
    Adopt {
        cluster: String,
        region: String,
        node: String,
        done: Box<dyn FnOnce(Result<(), String>) + Send>,
    },
    /// Stop; when `clean`, after what came before has been done and written.
    Stop {
        clean: bool,
    },
}

/// The database is closed: the command was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsClosed;

/// Commands in the order in which they came.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    /// Whether there are commands: a hint for who looks often, without the lock.
    filled: AtomicBool,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    writes: usize,
    closed: bool,
    /// The writer sleeps. Waking nobody costs a system call, too.
    asleep: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), filled: AtomicBool::new(false) }
    }

    /// A panic of another thread leaves the list of commands whole: each change to it is one call.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a command; `Err` when the database is closed. Commands that other limits bound.
    pub(crate) fn push(&self, command: Command) -> Result<(), IsClosed> {
        let state = self.lock();
        if state.closed {
            return Err(IsClosed);
        }
        self.append(state, command);
        Ok(())
    }

    /// Appends a local write, or answers it at once when there is no room or no database.
    pub(crate) fn push_write(&self, write: Write, done: Done) {
        let mut state = self.lock();
        let refusal = match (state.closed, state.writes >= MAX_WRITES) {
            (true, _) => Some(WriteError::Closed),
            (false, true) => Some(WriteError::Busy),
            (false, false) => None,
        };
        if let Some(refusal) = refusal {
            drop(state);
            return done(Err(refusal));
        }
        state.writes += 1;
        self.append(state, Command::Write { write, done });
    }

    fn append(&self, mut state: MutexGuard<'_, State>, command: Command) {
        state.commands.push_back(command);
        let asleep = std::mem::take(&mut state.asleep);
        self.filled.store(true, Ordering::Relaxed);
        drop(state);
        if asleep {
            self.arrived.notify_one();
        }
    }

    /// All commands there are, waiting until `deadline` for the first. When somebody is `expected`, the writer stays awake
    /// for a moment: a thread that sleeps is late by as much as a sync takes on a fast disk.
    pub(crate) fn take(&self, deadline: Instant, expected: bool) -> VecDeque<Command> {
        if expected {
            self.linger();
        }
        let mut state = self.lock();
        while state.commands.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            state.asleep = true;
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.empty(state)
    }

    /// The commands that came since the last were taken, for the same batch. When more writers are `expected` than have
    /// come, for they wrote together of late, they are waited for a moment: so they share a sync instead of the first
    /// having one of its own.
    pub(crate) fn take_more(&self, expected: bool) -> VecDeque<Command> {
        if expected {
            self.linger();
        }
        if !self.filled.load(Ordering::Relaxed) {
            return VecDeque::new();
        }
        self.empty(self.lock())
    }

    fn linger(&self) {
        let patience = Instant::now() + GATHER;
        while !self.filled.load(Ordering::Relaxed) && Instant::now() < patience {
            std::thread::yield_now();
        }
    }

    fn empty(&self, mut state: MutexGuard<'_, State>) -> VecDeque<Command> {
        state.writes = 0;
        state.asleep = false;
        self.filled.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.commands)
    }

    /// Takes no more commands. Those that wait are dropped, and with them what would have answered.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = self.empty(state);
        for command in dropped {
            if let Command::Write { done, .. } = command {
                done(Err(WriteError::Closed));
            }
        }
    }
}
