//! A data directory that goes back in time.

use crate::support::cluster::Cluster;
use crate::support::directories::copy;
use serde_json::json;

const EACH: usize = 20;

#[test]
fn a_directory_restored_from_a_copy_loses_nothing_and_diverges_nowhere() {
    let mut cluster = Cluster::start(&["eu", "us"]);
    let ports = cluster.http_ports();
    cluster.api.create(ports[0], "names", "lww");
    cluster.api.create(ports[0], "likes", "g-counter");
    write(&cluster, ports[0], "before");
    cluster.verify("5s").with_code(0);

    // The copy is taken of a node that was killed: nothing had time to be tidy.
    cluster.kill(0);
    let data = cluster.nodes[0].data.clone();
    let aside = cluster.dir().join("aside");
    copy(&data, &aside);
    cluster.start_node(0);
    write(&cluster, ports[0], "past the copy");
    cluster.verify("5s").with_code(0);

    // Back in time, and cut off: us is down while the restored node writes anew, dots and all.
    cluster.kill(0);
    cluster.stop(1);
    std::fs::remove_dir_all(&data).expect("removing");
    copy(&aside, &data);
    cluster.start_node(0);
    assert_eq!(cluster.api.value(ports[0], "likes", "post"), Some(json!(EACH)), "the copy is from before");
    write(&cluster, ports[0], "alone");

    cluster.start_node(1);
    cluster.verify("10s").with_code(0);
    for port in ports {
        assert_eq!(cluster.api.value(port, "likes", "post"), Some(json!(3 * EACH)));
        for phase in ["before", "past the copy", "alone"] {
            for number in 0..EACH {
                let key = key(phase, number);
                assert_eq!(cluster.api.value(port, "names", &key), Some(json!(phase)), "{key} at {port}");
            }
        }
    }
}

fn key(phase: &str, number: usize) -> String {
    format!("{}-{number}", phase.replace(' ', "-"))
}

fn write(cluster: &Cluster, port: u16, phase: &str) {
    for number in 0..EACH {
        cluster.api.put(port, "names", &key(phase, number), &format!("{phase:?}"));
        cluster.api.operate(port, "likes", "post", r#"{"add":1}"#);
    }
}
