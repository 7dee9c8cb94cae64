//! Resolutions in histories: whoever draws one does not know which conflicts will stand where it is asked for.

use crate::conflict::{Conflict, ConflictId};
use crate::operation::{Keep, Operation, Resolution};

/// What the ids of conflicts begin with that are still to be chosen; then comes which, as a number.
const PLACEHOLDER: &[u8; 8] = b"standing";

/// A resolution of a conflict that stands where it is asked for first, for generators: of the `conflict`th, keeping its options
/// of the numbers in `keep`, each modulo how many there are. Its retries ask for the same. Where none stands it is refused, as
/// resolutions of what is no more are.
///
/// For another value than the options, put a [`Keep::Value`] into it.
#[must_use]
pub fn resolution(conflict: u64, keep: &[usize]) -> Operation {
    let mut id = [0; ConflictId::BYTES];
    id[..8].copy_from_slice(PLACEHOLDER);
    id[8..].copy_from_slice(&conflict.to_be_bytes());
    let keep = Keep::Options(keep.iter().map(ToString::to_string).collect());
    Operation::Resolve(Resolution { conflict: ConflictId(id), keep, by: None, note: None })
}

pub(super) fn is_placeholder(operation: &Operation) -> bool {
    matches!(operation, Operation::Resolve(resolution) if resolution.conflict.0.starts_with(PLACEHOLDER))
}

/// The operation, as somebody asks for it who sees these conflicts.
pub(super) fn fill(operation: &Operation, standing: &[Conflict]) -> Operation {
    let Operation::Resolve(resolution) = operation else { return operation.clone() };
    let number = resolution.conflict.0[8..].try_into().map_or(0, u64::from_be_bytes);
    let count = standing.len().max(1) as u64;
    let Some(conflict) = standing.get((number % count) as usize).filter(|_| is_placeholder(operation)) else {
        return operation.clone();
    };
    let keep = match &resolution.keep {
        Keep::Value(value) => Keep::Value(value.clone()),
        Keep::Options(numbers) => {
            let option = |number: &String| {
                let number: usize = number.parse().ok()?;
                Some(conflict.options.get(number % conflict.options.len().max(1))?.id.clone())
            };
            Keep::Options(numbers.iter().filter_map(option).collect())
        }
    };
    Operation::Resolve(Resolution { conflict: conflict.id, keep, ..resolution.clone() })
}
