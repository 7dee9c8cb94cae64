//! What the recorder noted.

use std::path::PathBuf;

/// One thing that a process did to files. Files and directories go by their inode's number.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Create(u64, PathBuf),
    MakeDir(u64, PathBuf),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
    RemoveDir(PathBuf),
    Write(u64, u64, Vec<u8>),
    Resize(u64, u64),
    Sync(u64),
    /// It failed: what it should have made durable may be lost, whatever is synced later.
    SyncFailed(u64),
}

/// Reads the recorder's file. A process that was killed may leave half a note.
///
/// # Errors
/// A system call that the recorder cannot interpret, by its number.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Event>, String> {
    let (mut events, mut rest) = (Vec::new(), bytes);
    while let Some((head, body)) = rest.split_at_checked(25) {
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
        let half = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("4 bytes")) as usize;
        let Some((a, body)) = body.split_at_checked(half(17)) else { break };
        let Some((b, body)) = body.split_at_checked(half(21)) else { break };
        let path = |bytes: &[u8]| PathBuf::from(String::from_utf8(bytes.to_vec()).expect("a path in UTF-8"));
        let (number, position) = (word(1), word(9));
        events.push(match head[0] {
            1 => Event::Create(number, path(a)),
            2 => Event::MakeDir(number, path(a)),
            3 => Event::Rename(path(a), path(b)),
            4 => Event::Unlink(path(a)),
            5 => Event::RemoveDir(path(a)),
            6 => Event::Write(number, position, a.to_vec()),
            7 => Event::Resize(number, position),
            8 => Event::Sync(number),
            9 => Event::SyncFailed(number),
            _ => return Err(format!("the recorder cannot interpret system call {number}, flags {position:#x}")),
        });
        rest = body;
    }
    Ok(events)
}
