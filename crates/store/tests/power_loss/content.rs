//! What a file holds: pages, of which those never written are zeros.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

const PAGE: u64 = 4096;

/// The bytes of a file. Copies share their pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pages: BTreeMap<u64, Rc<[u8; PAGE as usize]>>,
    length: u64,
}

impl Content {
    /// What is in a file now.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut content = Self::default();
        for (number, page) in std::fs::read(path)?.chunks(PAGE as usize).enumerate() {
            content.length += page.len() as u64;
            if page.iter().any(|byte| *byte != 0) {
                content.overwrite(number as u64 * PAGE, page);
            }
        }
        Ok(content)
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn resize(&mut self, length: u64) {
        if length < self.length {
            self.pages.split_off(&length.div_ceil(PAGE));
            if let Some(page) = self.pages.get_mut(&(length / PAGE)) {
                Rc::make_mut(page)[(length % PAGE) as usize..].fill(0);
            }
        }
        self.length = length;
    }

    /// Writes bytes; the file grows as far as they reach.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        self.length = self.length.max(at + bytes.len() as u64);
        self.overwrite(at, bytes);
    }

    /// Writes those bytes that lie within the file.
    pub(crate) fn overwrite(&mut self, at: u64, bytes: &[u8]) {
        let within = self.length.saturating_sub(at).min(bytes.len() as u64);
        let (mut at, mut bytes) = (at, &bytes[..within as usize]);
        while !bytes.is_empty() {
            let (number, start) = (at / PAGE, (at % PAGE) as usize);
            let count = bytes.len().min(PAGE as usize - start);
            let page = self.pages.entry(number).or_insert_with(|| Rc::new([0; PAGE as usize]));
            Rc::make_mut(page)[start..start + count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            at += count as u64;
        }
    }

    /// Makes a file with these bytes; holes stay holes.
    pub(crate) fn create(&self, path: &Path) -> io::Result<()> {
        let file = std::fs::File::create_new(path)?;
        file.set_len(self.length)?;
        for (number, page) in &self.pages {
            let count = (self.length - number * PAGE).min(PAGE) as usize;
            file.write_all_at(&page[..count], number * PAGE)?;
        }
        Ok(())
    }
}

#[test]
fn a_file_that_shrinks_and_grows_again_has_zeros_there() {
    let mut content = Content::default();
    content.write(4000, &[7; 200]);
    content.resize(4090);
    content.resize(5000);
    content.overwrite(4990, &[9; 100]);
    let dir = tempfile::tempdir().unwrap();
    content.create(&dir.path().join("f")).unwrap();
    let bytes = std::fs::read(dir.path().join("f")).unwrap();
    assert_eq!((bytes.len(), bytes[4000], bytes[4089], bytes[4090], bytes[4150]), (5000, 7, 7, 0, 0));
    assert_eq!(bytes[4990..], [9; 10]);
    assert_eq!(Content::read(&dir.path().join("f")).unwrap().length(), 5000);
}
