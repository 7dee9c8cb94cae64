//! `anabranch bench`: that it measures what it says. How fast it is, is no test's business.

use crate::support::command::run;

/// Of the four families, those three that make little data first: more takes too long here.
#[test]
fn each_workload_stands_beside_its_raw_part() {
    for only in ["writes, 64", "tokens, over HTTP", "replication, 64 writers, beside QUIC"] {
        let scratch = tempfile::tempdir().expect("a directory");
        let dir = scratch.path().to_str().expect("a path");
        let ended =
            run(&["bench", "--seconds", "1", "--runs", "1", "--dir", dir, "--json", "--only", only]).with_code(0);
        let report = ended.json();
        let rows = report["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), 1, "{report}");
        for figure in ["per_second", "raw_per_second", "ratio"] {
            assert!(rows[0][figure].as_f64().is_some_and(|value| value > 0.0), "{figure} in {report}");
        }
        assert_eq!(std::fs::read_dir(dir).expect("the directory").count(), 0, "nothing is left behind");
    }
}
