//! What readers are told of: changes, or the inbox.

use super::Form;
use crate::inbox;
use anabranch::conflicts::{ConflictEvent, ConflictWatch};
use anabranch::{Database, ReadError, Watch};
use bytes::Bytes;
use serde_json::{Value, json};

/// Something that a reader is told of, part by part.
pub(crate) trait Source: Send + 'static {
    /// What a reader is told before anything happens.
    fn begin(&self, form: &Form) -> Option<Bytes>;

    /// Returns when there may be something to tell, or an error.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;

    /// The next part, in pieces that are sent one by one. May wait for the disk.
    fn read(&mut self, form: &Form) -> Result<Vec<Bytes>, ReadError>;
}

/// Changes, in groups that end in cuts.
pub(crate) struct Changes(pub(crate) Watch);

impl Source for Changes {
    /// Where it begins, for a reader that loses the connection before the first group.
    fn begin(&self, form: &Form) -> Option<Bytes> {
        Some(form.cut(self.0.token()))
    }

    async fn ready(&mut self) {
        self.0.ready().await;
    }

    fn read(&mut self, form: &Form) -> Result<Vec<Bytes>, ReadError> {
        Ok(self.0.poll()?.map_or_else(Vec::new, |cut| form.part(&cut)))
    }
}

/// Conflicts: those that are open, and then which appear and which end.
pub(crate) struct Inbox {
    pub(crate) database: Database,
    pub(crate) watch: ConflictWatch,
}

impl Source for Inbox {
    fn begin(&self, _: &Form) -> Option<Bytes> {
        None
    }

    async fn ready(&mut self) {
        self.watch.ready().await;
    }

    fn read(&mut self, form: &Form) -> Result<Vec<Bytes>, ReadError> {
        let events = self.watch.poll()?;
        // Taken after what is told, so that it covers that.
        let token = self.database.view().token().encode(&form.cluster);
        Ok(form.events(events.iter().map(|event| told(event, &token))))
    }
}

fn told(event: &ConflictEvent, token: &str) -> (&'static str, Value) {
    match event {
        ConflictEvent::Appeared(conflict) => {
            let mut data = inbox::conflict(conflict);
            data["token"] = token.into();
            ("conflict", data)
        }
        ConflictEvent::Ended { conflict, collection, key, decisions } => {
            let outcome: Vec<Value> = decisions.iter().map(inbox::decision).collect();
            let id = conflict.to_string();
            let data = json!({
                "conflict": id, "collection": collection, "key": key, "outcome": outcome, "token": token,
            });
            ("resolved", data)
        }
    }
}
