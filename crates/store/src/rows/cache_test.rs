//! Tests of the cache of rows.

use super::*;
use std::collections::BTreeMap;

type State = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

fn get(cache: &RowCache, seqno: SeqNo, key: &[u8]) -> Option<Option<Vec<u8>>> {
    cache.get(seqno, Space::Rows, key, &mut Copied::default()).map(|known| known.map(<[u8]>::to_vec))
}

fn totals(cache: &RowCache) -> (usize, usize) {
    let shards = || cache.shards.iter().map(|shard| shard.lock().unwrap());
    (shards().map(|shard| shard.used).sum(), shards().map(|shard| shard.bytes).sum())
}

/// Any order of batches and of readers of any state: what is known is what that state has.
#[test]
fn no_state_is_shown_what_another_has() {
    let (cache, mut states) = (RowCache::new(), vec![State::new()]);
    let (mut seed, mut hits) = (7u64, [0u32; 2]);
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200_000 {
        let space = [Space::Rows, Space::Actors][random(2) as usize];
        let key = random(40).to_be_bytes();
        let place = (space, key.to_vec());
        if random(10) == 0 {
            let (seqno, mut state) = (states.len() as SeqNo, states[states.len() - 1].clone());
            let value = (random(4) > 0).then(|| vec![random(256) as u8; random(400) as usize]);
            cache.change(seqno, space, &key, value.as_deref());
            match value {
                Some(value) => state.insert(place, value),
                None => state.remove(&place),
            };
            states.push(state);
            continue;
        }
        // A reader of the last state, or of one not long ago; it may have read before later batches came.
        let back = random(3).min(states.len() as u64 - 1);
        let seqno = states.len() as SeqNo - back;
        let expected = states[seqno as usize - 1].get(&place);
        let mut copied = Copied::default();
        match cache.get(seqno, space, &key, &mut copied) {
            Some(known) => {
                assert_eq!(known, expected.map(Vec::as_slice));
                hits[usize::from(back == 0)] += 1;
            }
            None => cache.found(seqno, space, &key, expected.map(Vec::as_slice)),
        }
    }
    assert!(hits[0] > 1_000 && hits[1] > 20_000, "{hits:?}");
}

#[test]
fn what_a_batch_changes_is_known_to_nobody_before_it() {
    let cache = RowCache::new();
    cache.found(5, Space::Rows, b"k", Some(b"old"));
    cache.change(5, Space::Rows, b"k", Some(b"new"));
    assert_eq!(get(&cache, 5, b"k"), None);
    assert_eq!(get(&cache, 6, b"k"), Some(Some(b"new".to_vec())));
    cache.found(5, Space::Rows, b"k", Some(b"old"));
    assert_eq!(get(&cache, SeqNo::MAX, b"k"), Some(Some(b"new".to_vec())), "a reader that was slow changes nothing");
    cache.change(6, Space::Rows, b"k", None);
    assert_eq!(get(&cache, 7, b"k"), Some(None), "that there is none is known too");
    cache.change(7, Space::Rows, b"k", Some(&[2; MAX_BYTES]));
    assert_eq!(get(&cache, 8, b"k"), None, "what is too large is not kept, nor what was there before");
    cache.change(8, Space::Index, b"k", Some(b"v"));
    assert!(cache.get(9, Space::Index, b"k", &mut Copied::default()).is_none());
}

#[test]
fn rows_stay_known_while_others_come_that_there_is_room_for() {
    let cache = RowCache::new();
    let all = 50_000u32;
    // Twice, for while it grows it has less room.
    (0..all).chain(0..all).for_each(|n| cache.found(1, Space::Rows, &n.to_be_bytes(), Some(&n.to_le_bytes())));
    let known = (0..all).filter(|n| get(&cache, 1, &n.to_be_bytes()) == Some(Some(n.to_le_bytes().to_vec()))).count();
    assert!(known as u32 > all * 9 / 10, "{known}");
}

#[test]
fn it_is_bounded() {
    let (cache, mut most) = (RowCache::new(), 0);
    for n in 0..300_000u32 {
        cache.change(1, Space::Rows, &n.to_be_bytes(), Some(&[1; 300]));
        if n % 1_000 == 0 {
            most = most.max(totals(&cache).1);
        }
    }
    let all = SHARDS * SHARD_BYTES;
    assert!(most > all * 9 / 10 && most <= all, "{most}");
    for shard in &cache.shards {
        let shard = shard.lock().unwrap();
        let entries = || shard.slots.iter().flatten();
        assert_eq!((shard.used, shard.bytes), (entries().count(), entries().map(Entry::cost).sum()));
        assert!(shard.slots.len() <= MOST && size_of::<Option<Entry>>() <= 24);
    }
}
