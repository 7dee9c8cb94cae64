//! I3, the half that is seen from outside: durable before visible. Nothing leaves a node that is not on its disk.

use crate::history::History;
use crate::ledger::Ledger;
use anabranch_causality::{ShardId, Transaction, VersionVector};
use anabranch_engine::{Refusal, Written};
use anabranch_protocol::Message;

/// Checks a message at the moment at which a node whose disk holds `durable` sends it.
/// Transactions go in the order in which they were applied there.
pub(crate) fn check_message(
    durable: &VersionVector,
    message: &Message,
    history: &mut History,
    ledger: &Ledger,
) -> Result<(), String> {
    let (what, vector) = match message {
        Message::Transactions(list) => {
            let mut last = None;
            for bytes in list {
                let dot = Transaction::peek(bytes).map_err(|error| error.to_string())?;
                if durable.get(dot.origin) < dot.seq {
                    return Err(format!("{dot} was sent before it was on disk"));
                }
                history.note(bytes)?;
                let place = ledger.place(dot);
                if place <= last {
                    return Err(format!("{dot} is sent after what was applied after it"));
                }
                last = place;
            }
            return Ok(());
        }
        Message::Ack(ack) => ("acknowledgement", &ack.vector),
        Message::Heartbeat(heartbeat) => ("heartbeat", &heartbeat.vector),
    };
    if durable.covers(vector) {
        return Ok(());
    }
    Err(format!("an {what} says {vector}, on disk is {durable}"))
}

/// Checks an answer at the moment at which a node whose disk holds `durable` gives it. `created`: the transaction that
/// the request made here, if it made one.
pub(crate) fn check_reply(
    durable: &VersionVector,
    answer: &Result<Written, Refusal>,
    created: Option<anabranch_causality::Dot>,
    history: &History,
) -> Result<(), String> {
    let written = match (answer, created) {
        (Err(refusal), Some(dot)) => return Err(format!("refused ({refusal}), yet {dot} was made of it")),
        (Err(_), None) => return Ok(()),
        (Ok(written), _) => written,
    };
    let dot = written.dot;
    if dot.shard != ShardId(0) || durable.get(dot.origin) < dot.seq {
        return Err(format!("{dot} was acknowledged before it was on disk"));
    }
    if (!written.repeated).then_some(dot) != created {
        return Err(format!("the answer says {dot}, repeated: {}; made was {created:?}", written.repeated));
    }
    match history.get(dot) {
        Some(transaction) if transaction.operation == written.operation => Ok(()),
        _ => Err(format!("{dot} was acknowledged as {}, which it is not", written.operation)),
    }
}
