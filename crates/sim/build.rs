//! Notes which revision this is: a seed repeats a run only with the code that made it.

use std::path::Path;
use std::process::Command;

fn main() {
    // The second changes with every commit, the first when another branch is taken.
    for file in ["../../.git/HEAD", "../../.git/logs/HEAD"].into_iter().filter(|file| Path::new(file).exists()) {
        println!("cargo:rerun-if-changed={file}");
    }
    // Whether the code is that of the commit.
    println!("cargo:rerun-if-changed=..");
    let described =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).output();
    let revision = described.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let revision = revision.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| text.trim().to_owned());
    let version = || format!("v{}", env!("CARGO_PKG_VERSION"));
    let revision = revision.filter(|text| !text.is_empty()).unwrap_or_else(version);
    println!("cargo:rustc-env=ANABRANCH_SIM_REVISION={revision}");
}
