//! A disk as a crash sees it: what is durable, and what was done since and may be there or not.

use crate::content::Content;
use crate::trace::Event;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Names of a directory, and which node each is.
pub(crate) type Names = BTreeMap<String, usize>;

/// Something done to a file and not synced.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(u64, Rc<[u8]>),
    Resize(u64),
}

impl Change {
    pub(crate) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write(at, bytes) => content.write(*at, bytes),
            Self::Resize(length) => content.resize(*length),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FileNode {
    pub(crate) durable: Content,
    pub(crate) pending: Vec<Change>,
    /// Of `pending`, how many a failed sync gave up: no later sync makes them durable.
    given_up: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DirNode {
    pub(crate) durable: Names,
    /// In order; each is whole or absent.
    pub(crate) pending: Vec<Vec<(String, Option<usize>)>>,
    now: Names,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(FileNode),
    Dir(DirNode),
}

/// The root directory is node 0.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    pub(crate) nodes: Vec<Node>,
    numbers: BTreeMap<u64, usize>,
}

impl Disk {
    /// What lies below `root`, all of it durable.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut disk = Self { root: root.to_owned(), nodes: Vec::new(), numbers: BTreeMap::new() };
        disk.read_node(root)?;
        Ok(disk)
    }

    fn read_node(&mut self, path: &Path) -> io::Result<usize> {
        let meta = std::fs::metadata(path)?;
        if meta.is_file() {
            return Ok(
                self.add(meta.ino(), Node::File(FileNode { durable: Content::read(path)?, ..FileNode::default() }))
            );
        }
        let id = self.add(meta.ino(), Node::Dir(DirNode::default()));
        let mut names = Names::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| io::Error::other("a name not in UTF-8"))?;
            names.insert(name, self.read_node(&entry.path())?);
        }
        self.nodes[id] = Node::Dir(DirNode { durable: names.clone(), pending: Vec::new(), now: names });
        Ok(id)
    }

    fn add(&mut self, number: u64, node: Node) -> usize {
        self.nodes.push(node);
        // Numbers come back after files are removed: the newest has it.
        self.numbers.insert(number, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Does what the process did.
    ///
    /// # Errors
    /// Something that this model does not know.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Create(number, path) => {
                let node = self.add(*number, Node::File(FileNode::default()));
                self.name(&[(path, Some(node))])
            }
            Event::MakeDir(number, path) => {
                let node = self.add(*number, Node::Dir(DirNode::default()));
                self.name(&[(path, Some(node))])
            }
            Event::Rename(from, to) => {
                let Some(node) = self.find(from) else { return Ok(()) };
                self.name(&[(from, None), (to, Some(node))])
            }
            Event::Unlink(path) | Event::RemoveDir(path) => self.name(&[(path, None)]),
            Event::Write(number, at, bytes) => self.change(*number, Change::Write(*at, bytes.as_slice().into())),
            Event::Resize(number, length) => self.change(*number, Change::Resize(*length)),
            Event::Sync(number) => self.sync(*number),
            Event::SyncFailed(number) => {
                if let Some(Node::File(file)) = self.numbers.get(number).map(|id| &mut self.nodes[*id]) {
                    file.given_up = file.pending.len();
                }
                Ok(())
            }
        }
    }

    fn change(&mut self, number: u64, change: Change) -> Result<(), String> {
        match self.numbers.get(&number).map(|id| &mut self.nodes[*id]) {
            Some(Node::File(file)) => file.pending.push(change),
            Some(Node::Dir(_)) => return Err(format!("{number} is a directory, and was written to")),
            // Not below the root.
            None => {}
        }
        Ok(())
    }

    fn sync(&mut self, number: u64) -> Result<(), String> {
        match self.numbers.get(&number).map(|id| &mut self.nodes[*id]) {
            Some(Node::File(file)) => {
                file.pending.drain(file.given_up..).for_each(|change| change.apply(&mut file.durable));
            }
            Some(Node::Dir(dir)) => {
                dir.pending.clear();
                dir.durable.clone_from(&dir.now);
            }
            None => {}
        }
        Ok(())
    }

    /// Changes names, which must be of one directory.
    fn name(&mut self, changes: &[(&PathBuf, Option<usize>)]) -> Result<(), String> {
        let parent = changes[0].0.parent();
        if changes.iter().any(|(path, _)| path.parent() != parent) {
            return Err(format!("a rename between directories is not modelled: {changes:?}"));
        }
        let Some(dir) = parent.and_then(|parent| self.find(parent)) else { return Ok(()) };
        let Node::Dir(dir) = &mut self.nodes[dir] else { return Err(format!("{parent:?} is no directory")) };
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let entry: Vec<_> = changes.iter().map(|(path, node)| (name(path), *node)).collect();
        apply_names(&entry, &mut dir.now);
        dir.pending.push(entry);
        Ok(())
    }

    /// The node that is at a path now.
    pub(crate) fn find(&self, path: &Path) -> Option<usize> {
        let mut at = 0;
        for part in path.strip_prefix(&self.root).ok()? {
            let Node::Dir(dir) = &self.nodes[at] else { return None };
            at = *dir.now.get(part.to_str()?)?;
        }
        Some(at)
    }

    /// What is in a file, synced or not.
    pub(crate) fn written(&self, path: &Path) -> Vec<u8> {
        let Some(Node::File(file)) = self.find(path).map(|id| &self.nodes[id]) else { return Vec::new() };
        assert_eq!(file.durable.length(), 0, "it is never synced");
        let parts = file.pending.iter().filter_map(|change| match change {
            Change::Write(_, bytes) => Some(bytes.iter().copied()),
            Change::Resize(_) => None,
        });
        parts.flatten().collect()
    }
}

/// Carries out one entry of a directory's pending changes.
pub(crate) fn apply_names(entry: &[(String, Option<usize>)], names: &mut Names) {
    for (name, node) in entry {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}
