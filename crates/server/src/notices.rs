//! What of the collections an operator should hear of is logged, once each: which lack their resolver here, and which have
//! several.

use anabranch::Database;
use std::collections::BTreeMap;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Watches until the database is closed.
pub(crate) async fn watch(database: Database) {
    let mut changed = database.subscribe();
    let (mut notices, mut version) = (Notices::default(), None);
    loop {
        {
            let view = database.view();
            let catalog = view.catalog();
            if version.replace(catalog.version()) != Some(catalog.version()) {
                let collections = view.collections().map(|found| Seen {
                    path: catalog.path(found),
                    parked: found.parked.clone().or_else(|| found.resolver_in(view.registry()).err()),
                    concurrent: found.concurrent.clone(),
                });
                notices.note(collections).iter().for_each(Notice::log);
            }
        }
        let over = *changed.borrow_and_update() == u64::MAX;
        if over || changed.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A collection as it is now.
struct Seen {
    path: String,
    parked: Option<String>,
    concurrent: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Notice {
    Parked { path: String, reason: String },
    Concurrent { path: String, names: Vec<String> },
}

impl Notice {
    fn log(&self) {
        match self {
            Self::Parked { path, reason } => {
                tracing::warn!(collection = path, reason, "a collection is parked: it is kept, and not shown");
            }
            Self::Concurrent { path, names } => {
                let names = names.join(", ");
                tracing::warn!(
                    collection = path,
                    resolvers = names,
                    "a collection was given several resolvers at the same time: the latest counts; declare it once more"
                );
            }
        }
    }
}

/// What was told.
#[derive(Default)]
struct Notices {
    parked: BTreeMap<String, String>,
    concurrent: BTreeMap<String, Vec<String>>,
}

impl Notices {
    fn note(&mut self, collections: impl Iterator<Item = Seen>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let (mut parked, mut concurrent) = (BTreeMap::new(), BTreeMap::new());
        for Seen { path, parked: reason, concurrent: names } in collections {
            if let Some(reason) = reason {
                if self.parked.get(&path) != Some(&reason) {
                    notices.push(Notice::Parked { path: path.clone(), reason: reason.clone() });
                }
                parked.insert(path.clone(), reason);
            }
            if !names.is_empty() {
                if self.concurrent.get(&path) != Some(&names) {
                    notices.push(Notice::Concurrent { path: path.clone(), names: names.clone() });
                }
                concurrent.insert(path, names);
            }
        }
        *self = Self { parked, concurrent };
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once_and_again_when_it_comes_back() {
        let mut notices = Notices::default();
        let mut note = |parked: Option<&str>, names: &[&str]| {
            let concurrent: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let seen = Seen { path: "c".to_owned(), parked: parked.map(str::to_owned), concurrent };
            notices.note([seen].into_iter())
        };
        let (path, names) = ("c".to_owned(), vec!["keep-all".to_owned(), "lww".to_owned()]);
        let parked = Notice::Parked { path: path.clone(), reason: "why".to_owned() };
        let concurrent = Notice::Concurrent { path, names };
        assert_eq!(note(None, &[]), []);
        assert_eq!(note(None, &["keep-all", "lww"]), [concurrent]);
        assert_eq!(note(Some("why"), &["keep-all", "lww"]), [parked]);
        assert_eq!(note(Some("why"), &["keep-all", "lww"]), []);
        assert_eq!(note(None, &[]), []);
        assert_eq!(note(Some("why"), &[]).len(), 1);
    }
}
