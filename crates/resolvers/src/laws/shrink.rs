//! Cutting a history down: leave out whatever it also breaks the law without.

use super::script::{Script, Step};
use crate::operation::Operation;

/// How often a history is tried again at most.
const MOST_RUNS: usize = 20_000;

/// The shortest history found that still `fails`, as `script` does.
pub(super) fn shrink(script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut shrinker = Shrinker { best: script, fails, runs: 0 };
    loop {
        let before = shrinker.size();
        shrinker.drop_steps();
        shrinker.simplify_steps();
        shrinker.simplify_requests();
        if shrinker.size() == before || shrinker.runs >= MOST_RUNS {
            return shrinker.best;
        }
    }
}

struct Shrinker<F> {
    best: Script,
    fails: F,
    runs: usize,
}

impl<F: Fn(&Script) -> bool> Shrinker<F> {
    /// What must go down in every round.
    fn size(&self) -> (usize, usize, usize) {
        let contexts =
            self.best.steps.iter().filter(|step| matches!(step, Step::Write { context: Some(_), .. })).count();
        let members = self.best.requests.iter().flat_map(|request| &request.operations).map(members).sum();
        (self.best.steps.len() + contexts, self.best.operations(), members)
    }

    fn attempt(&mut self, script: Script) -> bool {
        if self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let is_better = (self.fails)(&script);
        if is_better {
            self.best = script;
        }
        is_better
    }

    /// Large pieces first, then smaller ones.
    fn drop_steps(&mut self) {
        let mut piece = self.best.steps.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < self.best.steps.len() {
                let mut script = self.best.clone();
                script.steps.drain(at..(at + piece).min(script.steps.len()));
                if !self.attempt(script) {
                    at += piece;
                }
            }
            if piece == 1 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }

    fn simplify_steps(&mut self) {
        for at in 0..self.best.steps.len() {
            let mut script = self.best.clone();
            match &mut script.steps[at] {
                Step::Write { context: context @ Some(_), .. } => *context = None,
                Step::Send { most, .. } if *most != usize::MAX => *most = usize::MAX,
                _ => continue,
            }
            self.attempt(script);
        }
    }

    fn simplify_requests(&mut self) {
        for request in 0..self.best.requests.len() {
            let mut at = 0;
            while at < self.best.requests[request].operations.len() {
                let mut script = self.best.clone();
                script.requests[request].operations.remove(at);
                let is_last = script.requests[request].operations.is_empty();
                if is_last || !self.attempt(script) {
                    self.drop_members(request, at);
                    at += 1;
                }
            }
        }
    }

    fn drop_members(&mut self, request: usize, operation: usize) {
        let mut at = 0;
        while at < members(&self.best.requests[request].operations[operation]) {
            let mut script = self.best.clone();
            match &mut script.requests[request].operations[operation] {
                Operation::AddMembers(members) | Operation::RemoveMembers(members) if members.len() > 1 => {
                    members.remove(at);
                }
                _ => return,
            }
            if !self.attempt(script) {
                at += 1;
            }
        }
    }
}

fn members(operation: &Operation) -> usize {
    match operation {
        Operation::AddMembers(members) | Operation::RemoveMembers(members) => members.len(),
        _ => 0,
    }
}
