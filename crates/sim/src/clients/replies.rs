//! What nodes may answer to requests.

use crate::builds::Build;
use crate::world::{Checked, World};
use anabranch_causality::{Actor, OperationId};
use anabranch_engine::{Refusal, Written};

impl World {
    pub(super) fn check_operation(&mut self, node: usize, number: usize, written: &Written) -> Checked {
        if !self.nodes[node].is_leader() {
            return Err(self.violation("answers", format!("follower {node} wrote request {number}: {written:?}")));
        }
        let request = &self.clients.requests[number];
        let right = match request.write.key {
            None => matches!(written.operation.actor, Actor::Leader(_)),
            Some((session, counter)) => {
                let expected = OperationId { actor: Actor::Session(session), counter, hash: request.write.hash() };
                expected == written.operation
            }
        };
        if right {
            Ok(())
        } else {
            Err(self.violation("answers", format!("request {number} was answered as {written:?}")))
        }
    }

    /// Which refusals are possible depends on what clients and clocks do.
    pub(super) fn check_refusal(&mut self, node: usize, number: usize, refusal: &Refusal) -> Checked {
        let follows = !self.nodes[node].is_leader();
        let name = match refusal {
            Refusal::NotWritable { reason: "leader", .. } if follows => "refused: no leader",
            other if follows => {
                return Err(
                    self.violation("answers", format!("follower {node} answered request {number} with {other}"))
                );
            }
            Refusal::NotWritable { reason: "clock", .. } if self.plan.clocks || self.plan.is_slow() => "refused: clock",
            Refusal::ResolverMismatch { .. } if self.plan.mixed > 0 => "refused: other kind",
            Refusal::SessionExpired if self.plan.clocks || self.plan.days > 0 => "refused: session expired",
            Refusal::BadIdempotencyKey(_) if self.plan.clocks || self.plan.skip_counters > 0 => "refused: bad key",
            Refusal::IdempotencyKeyReused if self.plan.reuse_counters > 0 => "refused: counter reused",
            Refusal::NoSuchResolver(_) if self.nodes[node].build == Build::WithoutKind => "refused: unknown kind",
            Refusal::Parked { .. } if self.nodes[node].build < Build::Newest => "refused: parked",
            Refusal::Rejected { .. } => "refused: rejected",
            other => return Err(self.violation("answers", format!("request {number} was refused: {other}"))),
        };
        self.coverage.note(name);
        Ok(())
    }
}
