//! What a disk may hold after the power went: everything synced, and of the rest what chance says.

use crate::content::Content;
use crate::disk::{Change, DirNode, Disk, FileNode, Node, apply_names};
use crate::random::Random;
use std::io;
use std::path::Path;

const SECTOR: usize = 512;

/// How much of what was not synced is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing.
    Lost,
    /// Everything: as after SIGKILL.
    Kept,
    /// Names, but no data.
    NamesOnly,
    /// Data, but no names.
    DataOnly,
    /// Each write by itself: there, absent or torn; each file's growth and each directory's names up to some point.
    Mixed,
}

impl Mood {
    pub(crate) const ALL: [Self; 5] = [Self::Lost, Self::Kept, Self::NamesOnly, Self::DataOnly, Self::Mixed];

    /// Mixed in more than half of the cases.
    pub(crate) fn draw(random: &mut Random) -> Self {
        if random.chance(55) { Self::Mixed } else { Self::ALL[random.below(5)] }
    }
}

/// How often each fate was dealt out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fates {
    pub(crate) lost: usize,
    pub(crate) kept: usize,
    pub(crate) torn: usize,
    pub(crate) growth_cut: usize,
    pub(crate) names_lost: usize,
}

impl Fates {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.kept += other.kept;
        self.torn += other.torn;
        self.growth_cut += other.growth_cut;
        self.names_lost += other.names_lost;
    }
}

/// Builds images of one disk.
pub(crate) struct Crash<'a> {
    disk: &'a Disk,
    mood: Mood,
    random: Random,
    pub(crate) fates: Fates,
}

impl<'a> Crash<'a> {
    pub(crate) fn new(disk: &'a Disk, mood: Mood, random: Random) -> Self {
        Self { disk, mood, random, fates: Fates::default() }
    }

    /// Makes the directory that was at `at` on the disk, as `to`, as far as it survived.
    pub(crate) fn make(&mut self, at: &Path, to: &Path) -> io::Result<()> {
        let node = self.disk.find(at).ok_or_else(|| io::Error::other("nothing is there"))?;
        self.node(node, to)
    }

    fn node(&mut self, node: usize, to: &Path) -> io::Result<()> {
        let disk = self.disk;
        match &disk.nodes[node] {
            Node::File(file) => self.file(file).create(to),
            Node::Dir(dir) => {
                std::fs::create_dir(to)?;
                self.names(dir).into_iter().try_for_each(|(name, node)| self.node(node, &to.join(name)))
            }
        }
    }

    fn names(&mut self, dir: &DirNode) -> crate::disk::Names {
        let kept = match self.mood {
            Mood::Lost | Mood::DataOnly => 0,
            Mood::Kept | Mood::NamesOnly => dir.pending.len(),
            Mood::Mixed => self.random.below(dir.pending.len() + 1),
        };
        self.fates.names_lost += dir.pending.len() - kept;
        let mut names = dir.durable.clone();
        dir.pending[..kept].iter().for_each(|entry| apply_names(entry, &mut names));
        names
    }

    fn file(&mut self, file: &FileNode) -> Content {
        let mut content = file.durable.clone();
        // Up to where the file's length is what the writes made it.
        let sized = match self.mood {
            Mood::Lost | Mood::DataOnly if self.random.chance(50) => 0,
            Mood::Lost | Mood::Mixed => self.random.below(file.pending.len() + 1),
            _ => file.pending.len(),
        };
        self.fates.growth_cut += file.pending.len() - sized;
        for (number, change) in file.pending.iter().enumerate() {
            match change {
                Change::Resize(length) if number < sized => content.resize(*length),
                Change::Resize(_) => {}
                Change::Write(at, bytes) => {
                    let end = at + bytes.len() as u64;
                    if number < sized && content.length() < end {
                        content.resize(end);
                    }
                    self.write(&mut content, *at, bytes);
                }
            }
        }
        content
    }

    fn write(&mut self, content: &mut Content, at: u64, bytes: &[u8]) {
        let fate = match self.mood {
            Mood::Lost | Mood::NamesOnly => 0,
            Mood::Kept | Mood::DataOnly => 1,
            Mood::Mixed => self.random.below(6),
        };
        match fate {
            0 => self.fates.lost += 1,
            1 | 2 => {
                self.fates.kept += 1;
                content.overwrite(at, bytes);
            }
            _ => {
                self.fates.torn += 1;
                self.tear(content, at, bytes, fate);
            }
        }
    }

    fn tear(&mut self, content: &mut Content, at: u64, bytes: &[u8], how: usize) {
        // Sectors begin where the disk's begin, not where the write does.
        let first = SECTOR - (at % SECTOR as u64) as usize;
        let first = first.min(bytes.len());
        let sectors = std::iter::once(0..first)
            .chain((first..bytes.len()).step_by(SECTOR).map(|from| from..(from + SECTOR).min(bytes.len())));
        let sectors: Vec<_> = sectors.collect();
        let whole = self.random.below(sectors.len() + 1);
        for (number, sector) in sectors.into_iter().enumerate() {
            let position = at + sector.start as u64;
            match how {
                // The first sectors; any sectors; any bytes.
                3 if number < whole => content.overwrite(position, &bytes[sector]),
                4 if self.random.chance(50) => content.overwrite(position, &bytes[sector]),
                5 => {
                    for (offset, byte) in bytes[sector].iter().enumerate() {
                        if self.random.chance(70) {
                            content.overwrite(position + offset as u64, &[*byte]);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
