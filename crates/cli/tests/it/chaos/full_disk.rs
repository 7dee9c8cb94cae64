//! A disk that is full, and has room again: a small tmpfs that only the node sees.

use crate::support::cluster::Cluster;
use crate::support::command::program;
use crate::support::process::Process;
use crate::support::{eventually, tell};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const SIZE: &str = "size=128m";

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let mut cluster = Cluster::prepare(&["eu"]);
    let (config, data, port) = (cluster.nodes[0].config.clone(), cluster.nodes[0].data.clone(), cluster.nodes[0].http);
    std::fs::create_dir_all(&data).expect("a directory");
    if !can_mount(&data) {
        return tell("chaos: NOT TESTED: a full disk, which needs root, unshare and mount");
    }
    // Mounted where no other process sees it: it is gone with the node.
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-c",
        &format!("mount -t tmpfs -o mode=0700,{SIZE} tmpfs \"$1\" && shift && exec \"$@\""),
        "sh",
    ]);
    command.arg(&data).arg(program().get_program()).args(["serve", "--config"]).arg(&config);
    cluster.nodes[0].process = Some(Process::start_command(command, &config));
    cluster.wait_until_up(0);
    let api = cluster.api.clone();
    api.create(port, "names", "lww");
    api.put(port, "names", "ada", "\"before\"");

    let inside = PathBuf::from(format!("/proc/{}/root", cluster.process(0).pid()))
        .join(data.strip_prefix("/").expect("absolute"));
    let ballast = inside.join("store/ballast");
    fill(&ballast);
    let write = || api.ask(port, "PUT", "/v1/data/names/ada", &[], Some("\"full\"")).expect("an answer");
    let refused = write();
    assert_eq!(refused.status, 503, "{}", refused.value);
    assert_eq!(refused.value["reason"], "disk", "{}", refused.value);
    assert_eq!(api.value(port, "names", "ada"), Some(json!("before")), "reads go on, and nothing is half done");

    std::fs::remove_file(&ballast).expect("removing");
    eventually("it takes writes again by itself", Duration::from_secs(5), || write().status < 300);
    assert_eq!(api.value(port, "names", "ada"), Some(json!("full")));
    tell("chaos: a full disk refused writes, served reads, and recovered");
}

fn can_mount(dir: &std::path::Path) -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("mount -t tmpfs -o {SIZE} tmpfs \"$1\""), "sh"]).arg(dir);
    command.output().is_ok_and(|output| output.status.success())
}

/// Takes all the room there is.
fn fill(path: &std::path::Path) {
    let mut file = std::fs::File::create(path).expect("a file");
    let block = vec![7; 1 << 16];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
}
