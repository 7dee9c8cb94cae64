//! What the acknowledgement of a write means: on this disk, or on others' as well.

use crate::app::App;
use crate::problem::{Code, Problem};
use anabranch::{AckLevel, Dot};
use serde_json::Value;
use std::time::Instant;

/// Whether this node can ever acknowledge so, as far as it knows its cluster.
///
/// # Errors
/// 400.
pub(crate) fn check(app: &App, level: AckLevel) -> Result<(), Problem> {
    match level {
        AckLevel::Follower if !app.database.has_follower() => {
            Err(Problem::bad_request("this region has no follower: ask for local, regions:N or all"))
        }
        AckLevel::Regions(count) if !(1..=app.regions()).contains(&usize::from(count)) => {
            Err(Problem::bad_request(format!("regions:N is from 1 to the {} known regions", app.regions())))
        }
        _ => Ok(()),
    }
}

/// Waits until a write that is durable here is where it was asked to be.
///
/// # Errors
/// 504 at the deadline: the write stays, and replicates.
pub(crate) async fn wait(app: &App, dot: Dot, level: AckLevel, deadline: Instant) -> Result<(), Problem> {
    let reached = app.database.acknowledged(dot, level, deadline).await;
    reached.map_err(|error| {
        let problem = Problem::new(Code::AckNotReached, error.to_string());
        let acked: Vec<Value> = error.regions.into_iter().map(Value::from).collect();
        problem.with("written", true).with("dot", dot.to_string()).with("acked", acked)
    })
}
