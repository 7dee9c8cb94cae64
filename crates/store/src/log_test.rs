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
    let ends =
        (0..).zip(sizes).map(|(n, bytes)| log.append(&batch(n, *bytes), || ()).unwrap().offset as usize).collect();
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
        log.append(&batch(n, 9_000), || ()).unwrap();
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
        log.append(&batch(2, 5), || ()).unwrap();
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
        log.append(&batch(n, 10), || ()).unwrap();
    }
    let count = fs::read_dir(path(&dir)).unwrap().count();
    assert!(count <= 3, "{count} segments for six small frames");
}

#[test]
fn a_frame_larger_than_any_segment_gets_one_of_its_own() {
    let Written { dir, .. } = written(&[10]);
    let (mut log, _) = open(&dir).unwrap();
    log.append(&batch(1, 20 << 20), || ()).unwrap();
    log.append(&batch(2, 10), || ()).unwrap();
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
    log.append(&Batch { log: vec![(1, b"1".to_vec())], rows: rows.into() }, || ()).unwrap();
    drop(log);
    let mut bytes = fs::read(segment(&dir, 0)).unwrap();
    bytes[ends[0]] ^= 1;
    fs::write(segment(&dir, 0), bytes).unwrap();
    assert_eq!(open(&dir).unwrap().1, [0]);
}

/// Damages one byte of a segment.
fn damage(dir: &tempfile::TempDir, ordinal: u64, at: usize) {
    let mut bytes = fs::read(segment(dir, ordinal)).unwrap();
    bytes[at] ^= 0x40;
    fs::write(segment(dir, ordinal), bytes).unwrap();
}

#[test]
fn a_frame_that_ends_in_zeros_shows_damage_before_it_too() {
    let Written { dir, ends } = written(&[10]);
    let (mut log, _) = open(&dir).unwrap();
    for n in 1..3_u64 {
        let rows = [((Space::Rows, n.to_be_bytes().to_vec()), Some(vec![0; 5]))];
        log.append(&Batch { log: vec![(n, n.to_string().into_bytes())], rows: rows.into() }, || ()).unwrap();
    }
    drop(log);
    damage(&dir, 0, ends[0] + HEAD);
    assert!(open(&dir).unwrap_err().what.contains("00000000.seg"), "two acknowledged batches taken for a torn write");
}

#[test]
fn frames_are_handed_on_only_after_the_end_is_on_disk() {
    let Written { dir, ends } = written(&[20, 30, 3_000]);
    let mut bytes = fs::read(segment(&dir, 0)).unwrap();
    bytes[ends[1] + 1_000..ends[2]].fill(0);
    fs::write(segment(&dir, 0), bytes).unwrap();
    let mut handed = 0;
    let each = &mut |_: &Frame<'_>, _| {
        handed += 1;
        let left = fs::read(segment(&dir, 0)).unwrap()[ends[1]..].iter().any(|byte| *byte != 0);
        assert!(!left, "tables learn of a frame while the log is not tidied up");
        Ok(())
    };
    drop(Log::open(&path(&dir), None, each).unwrap());
    assert_eq!(handed, 2);
    // Nor is anything handed on where opening is refused.
    damage(&dir, 0, ends[0] + 9);
    fs::write(segment(&dir, 1), b"").unwrap();
    assert!(Log::open(&path(&dir), None, &mut |_, _| panic!("handed on")).is_err());
}

#[test]
fn no_segment_is_passed_over_in_silence() {
    let Written { dir, .. } = written(&[9_000; 100]);
    let mut last = None;
    let each = &mut |_: &Frame<'_>, position| {
        last = Some(position);
        Ok(())
    };
    let log = Log::open(&path(&dir), None, each).unwrap();
    assert_eq!(log.end.ordinal, 2);
    let length = START as usize + 8 + 3;
    for ordinal in 0..3 {
        // The length in the head: as if there was no frame.
        damage(&dir, ordinal, length);
        let error = records(&log, 0).unwrap_err();
        assert!(error.what.contains(&format!("{ordinal:08x}.seg is damaged at byte 64")), "{error}");
        let error = Log::open(&path(&dir), last, &mut |_, _| Ok(())).unwrap_err();
        assert!(error.what.contains(&format!("{ordinal:08x}.seg is damaged at byte 64")), "{error}");
        damage(&dir, ordinal, length);
    }
    assert_eq!(records(&log, 0).unwrap().len(), 100);
}

#[test]
fn what_is_missing_inside_a_segment_is_told_of_that_segment() {
    let Written { dir, ends } = written(&[9_000; 100]);
    let (log, _) = open(&dir).unwrap();
    damage(&dir, 0, ends[3] + 8 + 3);
    let error = records(&log, 0).unwrap_err();
    assert!(error.what.contains(&format!("00000000.seg is damaged at byte {}", ends[3])), "{error}");
}

#[test]
fn a_position_beyond_its_segment_is_told() {
    let Written { dir, .. } = written(&[10; 3]);
    let beyond = Position { ordinal: 0, offset: 1 << 20, number: 100, index: 100 };
    assert_eq!(Log::open(&path(&dir), Some(beyond), &mut |_, _| Ok(())).unwrap_err().kind, StoreErrorKind::Corrupt);
}

#[test]
fn frames_that_fill_segments_to_the_last_bytes_and_segments_passed_over_are_read() {
    for spare in 0..HEAD + 3 {
        let dir = tempfile::tempdir().unwrap();
        Log::create(&path(&dir)).unwrap();
        let (mut log, _) = open(&dir).unwrap();
        let around = log.append(&batch(0, 100_000), || ()).unwrap().offset as usize - START as usize - 100_000;
        let left = (log.current.size - log.end.offset) as usize;
        log.append(&batch(1, left - around - spare), || ()).unwrap();
        assert_eq!((log.end.ordinal, (log.current.size - log.end.offset) as usize), (0, spare));
        // The second and the third segment are too small for this.
        log.append(&batch(2, 3 << 20), || ()).unwrap();
        log.append(&batch(3, 10), || ()).unwrap();
        for from in 0..5 {
            assert_eq!(records(&log, from).unwrap(), Vec::from_iter(from..4.max(from)));
        }
        drop(log);
        let (mut log, replayed) = open(&dir).unwrap();
        assert_eq!(replayed, [0, 1, 2, 3], "{spare} bytes left");
        log.append(&batch(4, 10), || ()).unwrap();
        for from in 0..6 {
            assert_eq!(records(&log, from).unwrap(), Vec::from_iter(from..5.max(from)));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn old_segments_are_not_held_open() {
    let Written { dir, .. } = written(&[9_000; 500]);
    let mut last = None;
    let each = &mut |_: &Frame<'_>, position| {
        last = Some(position);
        Ok(())
    };
    let mut log = Log::open(&path(&dir), None, each).unwrap();
    log.append(&batch(500, 9_000), || ()).unwrap();
    assert!(log.end.ordinal >= 3);
    drop(log);
    let mut most = 0;
    let each = &mut |_: &Frame<'_>, _| {
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        most = open.filter(|target| target.starts_with(path(&dir))).count();
        Ok(())
    };
    let log = Log::open(&path(&dir), last, each).unwrap();
    let spare = log.spare.len();
    assert_eq!(records(&log, 0).unwrap().len(), 501);
    assert!((1..=1 + spare).contains(&most), "{most} segments open");
}

#[test]
fn values_full_of_heads_do_not_hold_up_opening() {
    let Written { dir, .. } = written(&[10]);
    // As somebody would send it who does not know the salt: everywhere heads that could be the next frame's.
    let head = [&(1_u32 << 20).to_le_bytes()[..], &2_u64.to_le_bytes()].concat();
    let (mut log, _) = open(&dir).unwrap();
    let rows = [((Space::Rows, 1_u64.to_be_bytes().to_vec()), Some(head.repeat(400_000)))];
    let after = log.append(&Batch { log: vec![(1, b"1".to_vec())], rows: rows.into() }, || ()).unwrap();
    drop(log);
    damage(&dir, after.ordinal, START as usize);
    let begun = std::time::Instant::now();
    assert_eq!(open(&dir).unwrap().1, [0]);
    assert!(begun.elapsed().as_secs() < 20, "{:?}, a checksum was taken at each place", begun.elapsed());
}
