use std::fs;
use std::path::PathBuf;

use anabranch_engine::store::{Space, StoreErrorKind};

use super::*;
use frame::HEAD;

/// A log of batches 1 to `last`, of which each has a record and a row.
struct Written {
    dir: tempfile::TempDir,
    /// Where each frame ends in the first segment.
    ends: Vec<usize>,
}

fn batch(n: u64, bytes: usize) -> Batch {
    let row = ((Space::Rows, n.to_be_bytes().to_vec()), Some(vec![0xA5; bytes]));
    Batch { log: vec![(n, n.to_string().into_bytes())], rows: [row].into() }
}

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("log")
}

fn written(sizes: &[usize]) -> Written {
    let dir = tempfile::tempdir().unwrap();
    Log::create(&path(&dir)).unwrap();
    let mut log = open(&dir).unwrap().0;
    let ends = (0..).zip(sizes).map(|(n, bytes)| log.append(&batch(n, *bytes)).unwrap().offset as usize).collect();
    Written { dir, ends }
}

/// Opens a log; the numbers of the frames that it replays.
fn open(dir: &tempfile::TempDir) -> Result<(Log, Vec<u64>), StoreError> {
    let mut replayed = Vec::new();
    let log = Log::open(&path(dir), None, &mut |frame, position| {
        assert_eq!(position.number, frame.number + 1);
        let mut rows = Vec::new();
        frame.visit_rows(&mut |_, key, _| rows.push(key.to_vec())).unwrap();
        assert_eq!(rows, [frame.number.to_be_bytes()]);
        replayed.push(frame.number);
        Ok(())
    })?;
    Ok((log, replayed))
}

fn records(log: &Log, from: u64) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    log.view().read(from, &mut |index, record| {
        assert_eq!(record, index.to_string().as_bytes());
        found.push(index);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn segment(dir: &tempfile::TempDir, ordinal: u64) -> PathBuf {
    path(dir).join(format!("{ordinal:08x}.seg"))
}

#[test]
fn what_was_appended_is_replayed_and_read_from_anywhere() {
    let sizes: Vec<usize> = (0..400).map(|n| n * 37 % 9_000).collect();
    let Written { dir, .. } = written(&sizes);
    let (mut log, replayed) = open(&dir).unwrap();
    assert_eq!(replayed, Vec::from_iter(0..400));
    assert!(log.end.ordinal >= 2, "several segments");
    for from in [0, 1, 17, 150, 399, 400, 5_000] {
        assert_eq!(records(&log, from).unwrap(), Vec::from_iter(from..400.max(from)));
    }
    let before = log.view();
    for n in 400..410 {
        log.append(&batch(n, 9_000)).unwrap();
    }
    let mut last = 0;
    let each = &mut |index, _: &[u8]| {
        last = index;
        ControlFlow::Continue(())
    };
    before.read(0, each).unwrap();
    assert_eq!(last, 399, "a view stays as it was");
    assert_eq!(records(&log, 395).unwrap(), Vec::from_iter(395..410));
}

#[test]
fn replaying_begins_where_it_is_told() {
    let Written { dir, .. } = written(&[10; 30]);
    let mut positions = Vec::new();
    let each = &mut |_: &Frame<'_>, position| {
        positions.push(position);
        Ok(())
    };
    drop(Log::open(&path(&dir), None, each).unwrap());
    let mut replayed = 0;
    let each = &mut |_: &Frame<'_>, _| {
        replayed += 1;
        Ok(())
    };
    let log = Log::open(&path(&dir), Some(positions[19]), each).unwrap();
    assert_eq!(records(&log, 0).unwrap().len(), 30, "the log itself is all there");
    drop(log);
    assert_eq!(replayed, 10);
}

#[test]
fn tables_that_are_ahead_of_the_log_are_told() {
    let Written { dir, .. } = written(&[10; 3]);
    let beyond = Position { ordinal: 9, offset: START, number: 100, index: 100 };
    let error = Log::open(&path(&dir), Some(beyond), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt);
}

#[test]
fn a_last_frame_torn_anywhere_is_cut_off_and_the_log_goes_on() {
    let Written { dir, ends } = written(&[20, 30, 3_000]);
    let whole = fs::read(segment(&dir, 0)).unwrap();
    let step = |cut: usize| if cut < ends[1] + 100 { 1 } else { 211 };
    let mut cut = ends[1];
    while cut < ends[2] {
        let mut torn = whole.clone();
        torn[cut..ends[2]].fill(0);
        fs::write(segment(&dir, 0), torn).unwrap();
        let (mut log, replayed) = open(&dir).unwrap();
        assert_eq!(replayed, [0, 1], "cut at {cut}");
        log.append(&batch(2, 5)).unwrap();
        assert_eq!(records(&log, 0).unwrap(), [0, 1, 2]);
        drop(log);
        let (log, replayed) = open(&dir).unwrap();
        assert_eq!((replayed, records(&log, 2).unwrap()), (vec![0, 1, 2], vec![2]));
        cut += step(cut);
    }
}

#[test]
fn a_hole_in_the_last_frame_is_a_torn_write() {
    let Written { dir, ends } = written(&[20, 30, 30_000]);
    let whole = fs::read(segment(&dir, 0)).unwrap();
    for hole in [ends[1] + HEAD, 8_192, 16_384] {
        let mut torn = whole.clone();
        torn[hole..hole + 512].fill(0);
        fs::write(segment(&dir, 0), torn).unwrap();
        assert_eq!(open(&dir).unwrap().1, [0, 1], "a hole at {hole}");
    }
}

#[test]
fn damage_before_the_last_frame_is_told_and_nothing_changed() {
    let Written { dir, ends } = written(&[200; 5]);
    let whole = fs::read(segment(&dir, 0)).unwrap();
    for at in [70, ends[0] + 3, ends[1] + 12, ends[2] + 150] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(segment(&dir, 0), &damaged).unwrap();
        let error = open(&dir).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "byte {at}");
        assert!(error.what.contains("00000000.seg"), "{error}");
        assert_eq!(fs::read(segment(&dir, 0)).unwrap(), damaged);
    }
}

#[test]
fn a_file_that_lost_its_end_or_is_gone_is_told() {
    let Written { dir, .. } = written(&[9_000; 100]);
    let whole = fs::read(segment(&dir, 0)).unwrap();
    fs::write(segment(&dir, 0), &whole[..whole.len() - 1]).unwrap();
    assert!(open(&dir).unwrap_err().what.contains("00000000.seg"));
    fs::remove_file(segment(&dir, 0)).unwrap();
    assert_eq!(open(&dir).unwrap_err().kind, StoreErrorKind::Corrupt);
}

#[test]
fn damage_that_came_later_is_told_by_who_reads_it() {
    let Written { dir, ends } = written(&[200; 5]);
    let (log, _) = open(&dir).unwrap();
    let mut bytes = fs::read(segment(&dir, 0)).unwrap();
    bytes[ends[2] + 100] ^= 1;
    fs::write(segment(&dir, 0), bytes).unwrap();
    assert!(records(&log, 0).unwrap_err().what.contains("00000000.seg"));
    assert_eq!(records(&log, 4).unwrap_err().kind, StoreErrorKind::Corrupt, "it cannot be passed over either");
}

#[test]
fn segments_made_in_advance_are_used_after_a_restart() {
    let Written { dir, .. } = written(&[10]);
    for n in 1..6 {
        let (mut log, _) = open(&dir).unwrap();
        log.append(&batch(n, 10)).unwrap();
    }
    let count = fs::read_dir(path(&dir)).unwrap().count();
    assert!(count <= 3, "{count} segments for six small frames");
}

#[test]
fn a_frame_larger_than_any_segment_gets_one_of_its_own() {
    let Written { dir, .. } = written(&[10]);
    let (mut log, _) = open(&dir).unwrap();
    log.append(&batch(1, 20 << 20)).unwrap();
    log.append(&batch(2, 10)).unwrap();
    assert_eq!(records(&log, 0).unwrap(), [0, 1, 2]);
    drop(log);
    assert_eq!(open(&dir).unwrap().1, [0, 1, 2]);
}

#[test]
fn a_value_that_looks_like_a_frame_is_none() {
    let Written { dir, ends } = written(&[10]);
    // What somebody without the salt would have to send, so that a torn write looks like damage.
    let mut forged = Vec::new();
    frame::encode(&mut forged, &batch(7, 10), (7, 7, 0)).unwrap();
    let (mut log, _) = open(&dir).unwrap();
    let rows = [((Space::Rows, 1u64.to_be_bytes().to_vec()), Some(forged))];
    log.append(&Batch { log: vec![(1, b"1".to_vec())], rows: rows.into() }).unwrap();
    drop(log);
    let mut bytes = fs::read(segment(&dir, 0)).unwrap();
    bytes[ends[0]] ^= 1;
    fs::write(segment(&dir, 0), bytes).unwrap();
    assert_eq!(open(&dir).unwrap().1, [0]);
}
