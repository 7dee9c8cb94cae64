//! What must hold, one file each. A checker is a function of what it is shown, and says in words what is wrong.
//!
//! | invariant | where |
//! |---|---|
//! | I1 vectors are gap-free prefixes; transactions are applied whole | [`causality`], [`rows`] |
//! | I2 dependencies first | [`causality`] |
//! | I3 acknowledged means on disk, and stays | [`visible`], [`acknowledged`], [`crate::ledger`] when a node starts |
//! | I4 state is a function of the set of transactions | [`spec`], [`values`], [`counters`], [`texts`], [`conflicts`], [`decided`], no resurrection in [`rows`] |
//! | I5 equal vectors, equal digests, and those of the rows | [`digest`] |
//! | I6 I7 tokens, and what sessions were promised | [`crate::histories`] |
//! | I8 a dot names one transaction | [`crate::history`] |
//! | I9 nothing is skipped: what is parked catches up | [`spec`] after upgrades, and that all replicas become one, `settle` |
//! | I10 what others can fill is bounded | [`bounds`] |

pub(crate) mod acknowledged;
pub(crate) mod bounds;
pub(crate) mod causality;
pub(crate) mod conflicts;
pub(crate) mod counters;
pub(crate) mod created;
pub(crate) mod decided;
pub(crate) mod digest;
pub(crate) mod freshness;
pub(crate) mod rows;
pub(crate) mod spec;
pub(crate) mod texts;
pub(crate) mod values;
pub(crate) mod visible;
