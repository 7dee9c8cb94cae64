//! The token that an answer carries, written once for all that show the same state.

use anabranch::{Names, VersionVector, View};
use hyper::header::{HeaderValue, InvalidHeaderValue};
use std::sync::{Arc, Mutex, PoisonError};

/// The token that was written last: while nothing is written, the next answer shows the same state.
#[derive(Default)]
pub(crate) struct LastToken(Mutex<Option<Last>>);

struct Last {
    names: Arc<Names>,
    vector: VersionVector,
    token: HeaderValue,
}

impl LastToken {
    /// The token of that state, in the cluster of that name.
    ///
    /// # Errors
    /// Never: tokens are plain text.
    pub(crate) fn of(&self, view: &View, names: Arc<Names>) -> Result<HeaderValue, InvalidHeaderValue> {
        // A panic of another thread leaves all of it whole.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last
            && Arc::ptr_eq(&last.names, &names)
            && last.vector == *view.vector()
        {
            return Ok(last.token.clone());
        }
        let token = HeaderValue::try_from(view.token().encode(&names.cluster))?;
        *last = Some(Last { names, vector: view.vector().clone(), token: token.clone() });
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch::{Database, Kind, Operation};

    #[test]
    fn the_token_is_that_of_the_state_and_the_cluster() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::open(dir.path()).expect("a database");
        let add = || {
            database.write(|tx| {
                tx.operate("c", Kind::PN_COUNTER, "k", Operation::Add(1), None);
                Ok(())
            })
        };
        let empty = database.view();
        add().expect("written");
        let one = database.view();
        add().expect("written");
        let (last, other) = (LastToken::default(), Names { cluster: "other".into(), ..Names::default() });
        for names in [database.names(), Arc::new(other)] {
            for view in [&empty, &one, &one, &database.view(), &empty] {
                assert_eq!(last.of(view, names.clone()).expect("text"), view.token().encode(&names.cluster));
            }
        }
    }
}
