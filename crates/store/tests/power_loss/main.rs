//! The store under power loss: a process is recorded, and from its trace the disks are built that a crash may leave.
//!
//! Each seed records a writer once and then crashes it at many points. What was synced is there; of what was not, each
//! write is there, absent or torn, each file as long as some of its writes made it, each directory with its names up to
//! some change. Each image must open by itself, with everything acknowledged before the cut, whole and coherent. Some
//! images are opened under the recorder again, and crash again there.
//!
//! `cargo test -p anabranch-store --release --test power_loss -- --ignored --nocapture` makes more than 1,000 images.
//! `ANABRANCH_POWER_SEED=N` begins at that seed, `ANABRANCH_POWER_IMAGES=N` says how many images to make.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), feature = "disk"))]

mod content;
mod crashes;
mod disk;
mod image;
mod random;
mod recorder;
mod replica;
mod trace;
mod verdict;
mod writer;

use crashes::Crashes;

fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[expect(clippy::print_stderr, reason = "figures for whoever runs it with --nocapture")]
fn tell(what: &str) {
    eprintln!("{what}");
}

#[test]
fn crashes_lose_nothing_acknowledged() {
    let mut crashes = Crashes::new();
    for seed in 1..=2 {
        crashes.run(seed, 24);
    }
    tell(&crashes.summary());
    crashes.must_be_good(40);
}

#[test]
fn a_sync_that_fails_once_loses_nothing_acknowledged() {
    let mut crashes = Crashes::new();
    for seed in 1..=3 {
        crashes.fail_a_sync(seed, 4);
    }
    tell(&crashes.summary());
    crashes.must_be_good(8);
    assert!(crashes.failed_syncs > 1, "few syncs failed");
}

#[test]
fn a_disk_that_lies_is_found_out() {
    let mut crashes = Crashes::on_a_lying_disk();
    crashes.run(3, 8);
    assert!(!crashes.findings.is_empty(), "losing what was synced goes unnoticed: the checks prove nothing");
}

#[test]
#[ignore = "minutes: the long form"]
fn many_crashes() {
    let (first, images) = (given("ANABRANCH_POWER_SEED", 100), given("ANABRANCH_POWER_IMAGES", 1_000));
    let mut crashes = Crashes::new();
    for seed in first.. {
        crashes.run(seed, 40);
        crashes.fail_a_sync(seed, 5);
        if crashes.images as u64 >= images {
            break;
        }
    }
    tell(&crashes.summary());
    crashes.must_be_good(usize::try_from(images).expect("a small number"));
}

#[test]
#[ignore = "hundreds of megabytes: the long form"]
fn crashes_while_large_segments_are_filled() {
    let mut crashes = Crashes::new();
    crashes.rotate(given("ANABRANCH_POWER_SEED", 1), 30);
    tell(&crashes.summary());
    crashes.must_be_good(30);
    assert!(crashes.segments_made > 8, "no segment of the full size was filled: more must be written");
}
