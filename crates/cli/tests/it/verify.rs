//! `anabranch verify`: what it says when not all is well.

use crate::support::cluster::Cluster;
use crate::support::command::run;

#[test]
fn equal_missing_and_misnamed_regions_are_told_apart() {
    let mut cluster = Cluster::start(&["eu", "us"]);
    cluster.api.create(cluster.nodes[0].http, "likes", "g-counter");
    let done = cluster.verify("5s").with_code(0);
    assert!(done.stdout.contains("eu") && done.stdout.contains("us"), "{}", done.stdout);

    let (eu, us) = (cluster.url(0), cluster.url(1));
    let named = format!("eu={eu},us={us}");
    run(&["verify", "--regions", &named, "--timeout", "5s", "-o", "json"]).with_code(0);
    let crossed = format!("eu={us},us={eu}");
    run(&["verify", "--regions", &crossed, "--timeout", "500ms"]).with_code(3).says(&["is of region"]);
    run(&["verify", "--url", &eu]).with_code(2).says(&["nothing to compare"]);
    run(&["verify", "--url", &eu, "--url", &eu]).with_code(2).says(&["named twice"]);
    run(&["verify", "--url", &eu, "--url", &us, "--timeout", "soon"]).with_code(2).says(&["30s"]);

    cluster.kill(1);
    cluster.verify("500ms").with_code(3).says(&[&us, "is missing", "state:", "next:"]);
    cluster.api.operate(cluster.nodes[0].http, "likes", "post", r#"{"add":1}"#);
    cluster.start_node(1);
    cluster.verify("10s").with_code(0);
}

#[test]
fn another_cluster_is_never_equal() {
    let (mut shop, mut bank) = (Cluster::prepare(&["eu"]), Cluster::prepare_named("bank", &["us"]));
    shop.start_node(0);
    bank.start_node(0);
    let (shop, bank) = (shop.url(0), bank.url(0));
    run(&["verify", "--url", &shop, "--url", &bank, "--timeout", "500ms"]).with_code(1).says(&["shop", "bank"]);
}
