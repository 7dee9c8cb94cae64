//! Who did what, when and why.

use super::rows::What;
use super::state::{Calendar, Read};
use crate::conflict::ConflictId;
use crate::operation::Span;
use crate::resolver::{ReadFailed, Rows};
use anabranch_causality::{Hlc, Tag};

/// One operation on a calendar that took effect. None is ever forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on the clock of its leader.
    pub stamp: Hlc,
    /// The operation, and where in its request.
    pub tag: Tag,
    /// Who; a resolution need not tell.
    pub by: Option<String>,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A booking came.
    Booked {
        /// Its id.
        booking: String,
        /// When it is to be.
        span: Span,
        /// What for.
        title: String,
    },
    /// A booking went to another time.
    Moved {
        /// Its id.
        booking: String,
        /// The new time.
        span: Span,
    },
    /// A booking was cancelled.
    Cancelled {
        /// Its id.
        booking: String,
    },
    /// A conflict was ended.
    Resolved {
        /// Which.
        conflict: ConflictId,
        /// Which bookings stayed, and when they are.
        kept: Vec<(String, Span)>,
        /// Which lost their time.
        bumped: Vec<String>,
        /// Which had been cancelled by somebody, and stay so.
        cancelled: Vec<String>,
        /// Why.
        note: Option<String>,
    },
}

/// All that ever happened to a calendar's key, oldest first.
///
/// # Errors
/// [`ReadFailed`] when the rows cannot be read.
pub fn history(rows: &dyn Rows) -> Result<Vec<Event>, ReadFailed> {
    let Calendar { bookings, decisions } = Calendar::read(rows, Read::Everything)?;
    let mut events = Vec::new();
    for (id, booking) in bookings {
        for (tag, (stamp, claim)) in booking.claims {
            let what = Happened::Booked { booking: id.clone(), span: claim.span, title: claim.title };
            events.push(Event { stamp, tag, by: Some(claim.by), what });
        }
        for (tag, (stamp, change)) in booking.changes {
            let what = match change.what {
                What::Moved(span) => Happened::Moved { booking: id.clone(), span },
                _ => Happened::Cancelled { booking: id.clone() },
            };
            events.push(Event { stamp, tag, by: change.by, what });
        }
    }
    for ((conflict, tag), (stamp, decision)) in decisions {
        let kept = decision.kept.into_iter().map(|kept| (kept.booking, kept.span)).collect();
        let (bumped, cancelled, note) = (decision.bumped, decision.cancelled, decision.note);
        let what = Happened::Resolved { conflict, kept, bumped, cancelled, note };
        events.push(Event { stamp, tag, by: decision.by, what });
    }
    events.sort_by_key(|event| (event.stamp, event.tag));
    Ok(events)
}
