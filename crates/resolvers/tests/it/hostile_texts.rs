//! Updates that no editor would send: whatever comes, it is refused before it is applied, or it can be read afterwards.
//! `ANABRANCH_FUZZ_ROUNDS` makes it longer.

use crate::texts::{Editors, doc, shown, take};
use anabranch_causality::{Effect, Fold, Kind, Writer};
use anabranch_resolvers::laws::{Random, Replica};
use anabranch_resolvers::{Resolver, Text};
use yrs::{Text as _, Transact};

fn rounds() -> u64 {
    std::env::var("ANABRANCH_FUZZ_ROUNDS").map_or(1_500, |text| text.parse().expect("a number"))
}

fn is_accepted(update: &[u8]) -> bool {
    let mut effect = Effect::new("c", Kind::TEXT, "k");
    effect.folds.push(Fold { subkey: Vec::new(), payload: update.to_vec() });
    Text.check(&effect).is_ok()
}

/// All of them, in order, in a replica that merges at this size: what it shows, having been read in every way.
fn read(updates: &[Vec<u8>], merge_at: u64) -> String {
    let mut replica = Replica::merging_at(merge_at);
    for (seq, update) in updates.iter().enumerate() {
        take(&mut replica, seq as u64 + 1, update);
    }
    Text.export(&replica, None).expect("exports");
    shown(&replica)
}

#[test]
fn mutated_updates_are_refused_or_readable() {
    let mut random = Random::new(1);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds() {
        let mut editors = Editors::new();
        let mut updates = Vec::new();
        for _ in 0..12 {
            let mut update = editors.edit(&mut random);
            for _ in 0..random.below(3) {
                mutate(&mut update, &mut random);
            }
            if is_accepted(&update) {
                accepted += 1;
                updates.push(update);
            } else {
                refused += 1;
            }
        }
        read(&updates, 1 + round % 5);
    }
    assert!(accepted > refused / 4 && refused > accepted / 20, "{accepted} accepted, {refused} refused");
}

fn mutate(update: &mut Vec<u8>, random: &mut Random) {
    let at = random.index(update.len());
    match random.below(5) {
        0 => update[at] ^= 1 << random.below(8),
        1 => update[at] = [0, 1, 0x7f, 0x80, 0xff][random.index(5)],
        2 => update.insert(at, random.below(256) as u8),
        3 => drop(update.remove(at)),
        _ => update[at] = update[at].wrapping_add(1),
    }
    if update.is_empty() {
        update.push(0);
    }
}

/// Items that are each in order, of three clients, with neighbours that mean nothing, of every kind that is let in.
fn strange(random: &mut Random, clocks: &mut [u32; 3]) -> Vec<u8> {
    let mut writer = Writer::new();
    let clients: Vec<usize> = (0..3).filter(|_| random.chance(1, 2)).collect();
    writer.varint(clients.len() as u64);
    for client in clients {
        let count = 1 + random.below(3);
        // Usually what comes next; sometimes again or ahead of what is there.
        let mut clock = clocks[client];
        match random.below(8) {
            0 => clock = clock.saturating_sub(random.below(3) as u32),
            1 => clock += random.below(3) as u32,
            _ => {}
        }
        writer.varint(count).varint(client as u64 + 1).varint(u64::from(clock));
        for _ in 0..count {
            clock += item(&mut writer, random, clocks);
        }
        clocks[client] = clocks[client].max(clock);
    }
    let deleting = random.below(3);
    writer.varint(deleting);
    for client in 0..deleting {
        let ranges = 1 + random.below(2);
        writer.varint(client + 1).varint(ranges);
        for _ in 0..ranges {
            writer.varint(random.below(20)).varint(1 + random.below(6));
        }
    }
    writer.into_bytes()
}

/// Writes an item, and says how many units it has.
fn item(writer: &mut Writer, random: &mut Random, clocks: &[u32; 3]) -> u32 {
    const SUB: u8 = 0x20;
    let form = [1, 3, 4, 4, 4, 4, 5, 6, 8][random.index(9)];
    let flags = [0, SUB, 0x40, 0x80, 0xc0, 0xc0][random.index(6)];
    writer.u8(form | flags);
    for flag in [0x80, 0x40] {
        if flags & flag != 0 {
            let of = random.index(3);
            writer.varint(of as u64 + 1).varint(random.below(u64::from(clocks[of]) + 2));
        }
    }
    if flags & 0xc0 == 0 {
        writer.varint(1).bytes([&b"text"[..], b"text", b"other", b""][random.index(4)]);
        if flags & SUB != 0 {
            writer.bytes([&b"a"[..], b"b"][random.index(2)]);
        }
    }
    content(writer, random, form)
}

fn content(writer: &mut Writer, random: &mut Random, form: u8) -> u32 {
    match form {
        1 => {
            let length = 1 + random.below(4);
            writer.varint(length);
            length as u32
        }
        3 => {
            writer.bytes(b"xyz");
            1
        }
        4 => {
            let text = ["a", "🙂", "ab🙂c", "é"][random.index(4)];
            writer.bytes(text.as_bytes());
            text.encode_utf16().count() as u32
        }
        5 => {
            writer.bytes(br#"{"image":[1]}"#);
            1
        }
        6 => {
            writer.bytes(b"bold").bytes([&b"true"[..], b"null"][random.index(2)]);
            1
        }
        _ => {
            writer.varint(2).u8(118).varint(1).bytes(b"k").u8(126).u8(120);
            2
        }
    }
}

/// No order, no size of merging, and no neighbour makes them unreadable.
#[test]
fn strange_items_are_readable() {
    let mut random = Random::new(7);
    let (mut accepted, mut seen) = (0, 0);
    for round in 0..rounds() * 4 {
        let mut clocks = [0; 3];
        let mut updates: Vec<_> = (0..10).map(|_| strange(&mut random, &mut clocks)).collect();
        updates.retain(|update| is_accepted(update));
        accepted += updates.len();
        seen += usize::from(!read(&updates, 1 + round % 5).is_empty());
        (1..updates.len()).for_each(|n| updates.swap(n, random.index(n + 1)));
        read(&updates, u64::MAX);
    }
    assert!(accepted > 0 && seen > 0, "{accepted} accepted, {seen} seen");
}

#[test]
fn what_no_text_is_made_of_is_refused() {
    let accepted = |items: &[u8]| {
        let mut update = vec![1, 1, 5, 0];
        update.extend_from_slice(items);
        update.push(0);
        is_accepted(&update)
    };
    assert!(accepted(&[4, 1, 1, b't', 1, b'x']), "a character");
    assert!(accepted(&[10, 3]), "a gap and nothing after it");
    for (items, what) in [
        (&[0, 1][..], "collected"),
        (&[4, 0, 5, 0, 1, b'x'], "inside of a nested type"),
        (&[7, 1, 1, b't', 2], "a nested text"),
        (&[9, 1, 1, b't', 1, b'g', 118, 0], "a subdocument"),
        (&[11, 1, 1, b't', 0, 0, 0, 0], "a move"),
        (&[2, 1, 1, b't', 0, 1, b'1'], "values of an outdated form"),
        (&[4, 1, 1, b't', 0], "an empty string"),
        (&[4, 1, 1, b't', 1, 0xff], "not UTF-8"),
        (&[4, 1, 1, b't', 0x81, 0, b'x'], "a length in a longer form than needed"),
        (&[1, 1, 1, b't', 0], "nothing, deleted"),
        (&[1, 1, 1, b't', 0xff, 0xff, 0xff, 0xff, 0x0f], "more units than can be counted"),
        (&[0x84, 5, 0, 1, b'x'], "its own neighbour"),
        (&[5, 1, 1, b't', 1, b'{'], "not JSON"),
        (&[8, 1, 1, b't', 0xff, 0xff, 0xff, 0xff, 0x0f, 126], "more values than there are bytes"),
        (&[10, 0], "an empty gap"),
    ] {
        assert!(!accepted(items), "{what}");
    }
    let deep = [&[8, 1, 1, b't', 1][..], &[117, 1].repeat(100), &[126]].concat();
    assert!(!accepted(&deep), "too deep");
    for (update, what) in [
        (&[][..], "nothing"),
        (&[0], "no deletions"),
        (&[0, 0, 0], "bytes left over"),
        (&[2, 0, 5, 0, 0, 5, 0, 0], "a client twice"),
        (&[0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 1, 0, 1], "a client beyond 53 bits"),
        (&[0, 1, 5, 1, 0, 0], "an empty deletion"),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], "more clients than there are bytes"),
    ] {
        assert!(!is_accepted(update), "{what}");
    }
    assert!(is_accepted(&[0, 0]), "an update without content");
}

/// A chain of needs through a hundred thousand items, of as many clients, in the order in which each waits for the next.
#[test]
fn long_chains_of_needs_take_their_time_once() {
    const CLIENTS: u64 = 100_000;
    let mut writer = Writer::new();
    writer.varint(CLIENTS);
    for client in 1..=CLIENTS {
        writer.varint(1).varint(client).varint(0);
        if client == CLIENTS {
            writer.u8(4).varint(1).bytes(b"text");
        } else {
            writer.u8(0x84).varint(client + 1).varint(0);
        }
        writer.bytes(b"x");
    }
    writer.varint(0);
    let update = writer.into_bytes();
    assert!(is_accepted(&update));
    assert_eq!(read(&[update], 1).len() as u64, CLIENTS);
}

/// What is left of a character whose other half was deleted is shown as a replacement, whichever came first.
#[test]
fn halves_of_characters_can_be_deleted() {
    let editor = doc(3);
    let text = editor.get_or_insert_text("text");
    let update = {
        let mut transaction = editor.transact_mut();
        text.insert(&mut transaction, 0, "🙂🙂🙂");
        transaction.encode_update_v1()
    };
    let halves = [0, 1, 3, 3, 3, 1, 1, 1, 5, 1].to_vec();
    assert!(is_accepted(&halves));
    let one = read(&[update.clone(), halves.clone()], 1);
    assert_eq!(one, read(&[halves, update], u64::MAX));
    assert_eq!(one.chars().filter(|c| *c == '\u{fffd}').count(), 3, "{one}");
}

/// One id for two contents of different lengths, in different parts: what is longer is cut, and both orders can be read.
#[test]
fn an_id_that_was_used_twice_is_readable() {
    let elsewhere = [&[1, 1, 101, 0, 4, 1, 4][..], b"gone", &[4], "🙂".as_bytes(), &[0]].concat();
    let here = [&[1, 1, 101, 0, 4, 1, 4][..], b"text", &[4], "déf".as_bytes(), &[0]].concat();
    let delete = [0, 1, 101, 1, 0, 3].to_vec();
    assert_eq!(read(&[elsewhere.clone(), here.clone(), delete.clone()], u64::MAX), "");
    assert_eq!(read(&[elsewhere.clone(), here.clone()], 1), "", "what was cut off follows what came first");
    assert_eq!(read(&[here, elsewhere], 1), "déf");
}
