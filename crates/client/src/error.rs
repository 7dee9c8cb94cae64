//! What can go wrong, what then still holds, and what to do next.

use anabranch_causality::Dot;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It was refused, as every replica would refuse it: nothing of it took effect. Change the request.
    #[error("refused ({code}): {detail}{}", if *earlier_unknown { EARLIER } else { "" })]
    Refused {
        /// What is wrong, as programs tell it apart: a code of the HTTP API.
        code: String,
        /// The same for people.
        detail: String,
        /// An earlier attempt of the same write, in this call or in one that it repeats, may have got no answer, and have taken
        /// effect all the same.
        earlier_unknown: bool,
    },
    /// The replicas that were asked did not get what the session has read or written in time: nothing was shown or
    /// written. It is on its way: ask again, or allow a longer wait.
    #[error("what this session has read or written has not arrived there yet, so nothing was done: {0}")]
    TokenNotReached(String),
    /// The write is durable at its leader and will replicate, but was not acknowledged as widely as was asked in time. Do
    /// not write it again.
    #[error("written as {dot}, but acknowledged in time only by: {}", if acked.is_empty() { "nobody else".into() } else { acked.join(", ") })]
    AckNotReached {
        /// Where it was sequenced.
        dot: Dot,
        /// The regions where it is known to be on disk.
        acked: Vec<String>,
    },
    /// No replica is known to be as fresh as was asked: nothing was shown. Ask again, or allow more.
    #[error("no replica that was asked is as fresh as that: {0}")]
    Stale(String),
    /// The replicas have too much to do: nothing of it took effect. Try again in a moment.
    #[error("too much to do there, so nothing was done: {0}; try again in a moment")]
    Busy(String),
    /// No leader that was asked takes writes now: nothing of it took effect. Reads go on.
    #[error("no writes are taken there now, so nothing was written: {0}")]
    NotWritable(String),
    /// The replicas that were asked cannot answer now: nothing of it took effect. Try again in a moment.
    #[error("no answer can be given there now, so nothing was done: {0}")]
    NotReady(String),
    /// No replica could be asked, or, for a read, none answered in time: nothing took effect.
    #[error("no replica could be reached in time, so nothing was done: {0}")]
    Unreachable(String),
    /// A write was sent and got no answer in time: it may have taken effect, or may still. Write the same again with
    /// `write_as` and this counter: however often it arrives, it takes effect once.
    #[error(
        "no answer in time: the write may have taken effect ({detail}); repeat it with `write_as({counter}, …)`, which takes effect once"
    )]
    Unknown {
        /// The counter to repeat it under.
        counter: u64,
        /// What is known.
        detail: String,
    },
    /// The request breaks a rule or a limit: it was not sent.
    #[error("this cannot be asked: {0}")]
    Invalid(String),
    /// There is no replica of that name among those the client was given.
    #[error("no replica named {0} was given to this client")]
    NoSuchReplica(String),
    /// The value found is not of the type asked for.
    #[error("the value of {key} is not of the type asked for: {error}")]
    Type {
        /// The key.
        key: String,
        /// What is wrong.
        error: String,
    },
}

const EARLIER: &str = "; an earlier attempt that got no answer may have taken effect";

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No UDP port can be used, or there is no tokio runtime.
    #[error(transparent)]
    Bind(#[from] anabranch_transport::BindError),
    /// There is nobody to ask.
    #[error("no replica was given: name at least one, as host:port")]
    NoReplica,
    /// Two replicas have one name, or one address without names.
    #[error("two replicas are called {0}")]
    Twice(String),
}
