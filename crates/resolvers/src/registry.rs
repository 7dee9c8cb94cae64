//! Which resolvers there are, by name and by kind.

use crate::resolver::Resolver;
use crate::{Calendar, Cart, Escalate, GCounter, KeepAll, Lww, Map, OrSet, PnCounter};
use anabranch_causality::Kind;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The resolvers that a node knows. All nodes of a cluster should know the same.
#[derive(Clone, Default)]
pub struct Registry {
    by_name: BTreeMap<&'static str, Arc<dyn Resolver>>,
    defaults: BTreeMap<Kind, Arc<dyn Resolver>>,
}

/// There is a resolver of that name already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is a resolver named {0} already")]
pub struct NameTaken(pub &'static str);

impl Registry {
    /// No resolvers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The resolvers that come with this crate.
    #[must_use]
    pub fn builtin() -> Self {
        let mut registry = Self::new();
        let builtins: [Arc<dyn Resolver>; 9] = [
            Arc::new(Lww),
            Arc::new(KeepAll),
            Arc::new(Escalate),
            Arc::new(GCounter),
            Arc::new(PnCounter),
            Arc::new(OrSet),
            Arc::new(Map::new()),
            Arc::new(Cart),
            Arc::new(Calendar),
        ];
        for resolver in builtins {
            registry.insert(resolver);
        }
        #[cfg(feature = "text")]
        registry.insert(Arc::new(crate::Text));
        registry
    }

    /// Adds a resolver. The first one of a kind becomes the kind's default.
    ///
    /// # Errors
    /// [`NameTaken`]; then nothing changed.
    pub fn register(&mut self, resolver: Arc<dyn Resolver>) -> Result<(), NameTaken> {
        if self.by_name.contains_key(resolver.name()) {
            return Err(NameTaken(resolver.name()));
        }
        self.insert(resolver);
        Ok(())
    }

    /// The resolver of that name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Arc<dyn Resolver>> {
        self.by_name.get(name).cloned()
    }

    /// The resolver of a collection of that kind for which none was chosen: `lww` for registers. `None` for a kind that
    /// this build does not know.
    #[must_use]
    pub fn default_for(&self, kind: Kind) -> Option<Arc<dyn Resolver>> {
        self.defaults.get(&kind).cloned()
    }

    /// All names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_name.keys().copied()
    }

    fn insert(&mut self, resolver: Arc<dyn Resolver>) {
        self.defaults.entry(resolver.kind()).or_insert_with(|| Arc::clone(&resolver));
        self.by_name.insert(resolver.name(), resolver);
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_default() {
        let registry = Registry::builtin();
        let default = |kind| registry.default_for(kind).map(|resolver| resolver.name());
        assert_eq!(default(Kind::REGISTER), Some("lww"));
        assert_eq!(default(Kind::G_COUNTER), Some("g-counter"));
        assert_eq!(default(Kind::PN_COUNTER), Some("pn-counter"));
        assert_eq!(default(Kind::OR_SET), Some("or-set"));
        assert_eq!(default(Kind::MAP), Some("map"));
        assert_eq!(default(Kind::CART), Some("cart"));
        assert_eq!(default(Kind::CALENDAR), Some("calendar"));
        assert_eq!(default(Kind::TEXT), cfg!(feature = "text").then_some("text"));
        assert_eq!(default(Kind(200)), None);
    }

    #[test]
    fn names_are_found_and_taken_once() {
        let mut registry = Registry::builtin();
        // `text` is there when its feature is.
        let names: Vec<_> = registry.names().filter(|name| *name != "text").collect();
        assert_eq!(
            names,
            ["calendar", "cart", "escalate", "g-counter", "keep-all", "lww", "map", "or-set", "pn-counter"]
        );
        assert_eq!(registry.by_name("keep-all").map(|resolver| resolver.kind()), Some(Kind::REGISTER));
        assert!(registry.by_name("nope").is_none());
        let refused = registry.register(Arc::new(KeepAll)).expect_err("taken");
        assert_eq!(refused.to_string(), "there is a resolver named keep-all already");
    }
}
