//! What must hold, one file each. A checker is a function of what it is shown, and says in words what is wrong.

pub(crate) mod acknowledged;
pub(crate) mod causality;
pub(crate) mod conflicts;
pub(crate) mod counters;
pub(crate) mod created;
pub(crate) mod digest;
pub(crate) mod freshness;
pub(crate) mod spec;
pub(crate) mod values;
pub(crate) mod visible;
