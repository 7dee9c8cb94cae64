//! The demonstration, as a user runs it.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.arg("demo").args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The columns of the lines after the header; there are no quotes in them.
fn rows(file: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).expect("a dump");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn the_regions_come_to_one_state() {
    let dir = tempfile::tempdir().expect("a directory");
    let dump = dir.path().join("out");
    let data = dir.path().join("data");
    let (dump_arg, data_arg) = (dump.display().to_string(), data.display().to_string());
    let args = ["--writes", "2000", "--seed", "5", "--json", "--dump", &dump_arg, "--data-dir", &data_arg];
    let output = demo(&args);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));

    let summary: Value = serde_json::from_str(text(&output.stdout).lines().last().expect("a line")).expect("JSON");
    assert_eq!(summary["converged"], true);
    assert_eq!((&summary["writes"], &summary["lost"], &summary["duplicated"]), (&2000.into(), &0.into(), &0.into()));
    let regions = summary["regions"].as_array().expect("regions");
    let names: Vec<_> = regions.iter().filter_map(|region| region["region"].as_str()).collect();
    assert_eq!(names, ["us-east", "eu-west", "ap-south"]);
    assert!(regions.iter().all(|region| region["digest"] == regions[0]["digest"] && region["http"].is_null()));
    assert!(regions.iter().all(|region| region["version_vector"] == regions[0]["version_vector"]));
    // One origin for each region, and another for the one that was opened again.
    assert!(regions[0]["version_vector"].as_object().is_some_and(|vector| vector.len() >= 3));

    let stock = rows(&dump.join("stock.csv"));
    let carts = rows(&dump.join("carts.csv"));
    assert!(!rows(&dump.join("customers.csv")).is_empty());
    for sorted in [&stock, &carts] {
        assert!(sorted.is_sorted());
    }
    let quantities = carts.iter().map(|row| row[2].parse::<i64>().expect("a number"));
    assert!(quantities.clone().all(|quantity| quantity > 0));

    let again = demo(&args);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("exists already"), "{}", text(&again.stderr));
}

#[test]
fn a_bad_trace_is_refused_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let trace = dir.path().join("bad.csv");
    fs::write(&trace, "invoice,stock_code,quantity,customer_id,country\n1,a,2,7,EIRE\n1,a,two,7,EIRE\n")
        .expect("written");
    let output = demo(&["--trace", &trace.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("line 3: quantity \"two\""), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}
