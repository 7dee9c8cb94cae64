//! What a write costs as keys grow.

use crate::ours::{cpu, grown, local};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::Database;

const WRITERS: usize = 64;
const SIZES: [(u64, &str); 4] = [
    (10_000, "10,000 keys"),
    (100_000, "100,000 keys"),
    (1_000_000, "1,000,000 keys"),
    (10_000_000, "10,000,000 keys"),
];

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "grow-keys",
        title: "Writes as keys grow",
        what: "Durable local writes, 64 under way at any time, to keys that are there already, in scattered order, in databases of \
               10,000 to 10,000,000 keys of 32 bytes with values of 100 bytes. Each database was filled and merged before the \
               first run and is written to in all of them (filling the largest takes minutes). A write's cost is the time \
               between acknowledgements, and what the process used of the processor, with the threads that write and merge tables.",
        unit: "writes/s",
        goals: vec![
            Goal::new(Of::Ratio("10,000 keys", "10,000,000 keys"), Bound::AtMost(1.5)),
            Goal::new(Of::Ratio("CPU, 10,000,000 keys", "CPU, 10,000 keys"), Bound::AtMost(1.5)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for (keys, name) in SIZES {
        let keys = setting.scaled(keys);
        let db = Database::open(grown::merged(setting, keys)?)?;
        let before = cpu::process();
        let write = |number| {
            let (key, _) = local::distinct(local::scattered(number, keys));
            local::put(key, local::digits(number, 98))
        };
        let commits = local::drive(&db, WRITERS, setting.until(), write)?;
        let used = cpu::process() - before;
        db.close();
        rates.push(Figure::new(name, commits.per_second));
        cpu.push(Figure::other(
            &format!("CPU, {name}"),
            used.as_secs_f64() * 1e6 / commits.count as f64,
            "µs per write",
        ));
    }
    Ok([rates, cpu].concat())
}
