//! What is parked, and how it catches up when a build comes that knows it.

use crate::apply::{self, Step, parked_key};
use crate::catalog::RESOLVERS;
use crate::digest::Deltas;
use crate::engine::Engine;
use crate::keys::{self, CollectionId, meta};
use crate::query;
use crate::record::Record;
use crate::store::{Read, Space, StoreError};
use crate::view::View;
use anabranch_causality::{Kind, Reader};
use std::ops::ControlFlow;

impl Engine {
    /// Takes over what the rows say of each register collection's resolver.
    pub(crate) fn load_resolvers(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        let Some(resolvers) = self.state.catalog.get(RESOLVERS, Kind::REGISTER).cloned() else { return Ok(()) };
        let view = View::new(store, &mut self.batch);
        let mut last: Option<String> = None;
        while let Some(name) = query::next_key(&view.reader(), &resolvers, "", last.as_deref())? {
            apply::adopt_resolver(&self.registry, &mut self.state.catalog, &view, resolvers.id, &name)?;
            last = Some(name);
        }
        Ok(())
    }

    /// Marks the collections that were parked, and lets those catch up that can.
    pub(crate) fn load_parked(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        let mut found = Vec::new();
        store.scan(Space::Meta, meta::PARKED, &keys::after(meta::PARKED), &mut |key, value| {
            found.push((key[meta::PARKED.len()..].to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        for (id, value) in found {
            let corrupt = || StoreError::corrupt("a parked collection's row");
            let id = CollectionId(u32::from_be_bytes(id.try_into().map_err(|_| corrupt())?));
            let mut reader = Reader::new(&value);
            let from = reader.u64("log index").map_err(|_| corrupt())?;
            let reason = reader.str(4096, "reason").map_err(|_| corrupt())?.to_owned();
            let named = self.state.catalog.by_id(id).map(|found| (found.name.clone(), found.kind));
            let (name, kind) = named.ok_or_else(corrupt)?;
            if !self.catch_up(store, id, &name, kind, from)?
                && let Some(collection) = self.state.catalog.get_mut(&name, kind)
            {
                collection.parked = Some(reason);
            }
        }
        Ok(())
    }

    /// Applies what waits in the log for a collection. `false` when it still cannot be applied; then nothing changed.
    fn catch_up(
        &mut self,
        store: &dyn Read,
        id: CollectionId,
        name: &str,
        kind: Kind,
        from: u64,
    ) -> Result<bool, StoreError> {
        let Some(resolver) = self.registry.default_for(kind) else { return Ok(false) };
        let mut deltas = Deltas::default();
        let (registry, planted) = (self.registry.clone(), self.planted);
        let catalog = &mut self.state.catalog;
        let mut view = View::new(store, &mut self.batch);
        view.begin();
        let mut outcome = Ok(true);
        let mut replay = |bytes: &[u8]| {
            let record = Record::decode(bytes)?;
            let transaction = record.decode_transaction()?;
            let (dot, hlc) = (transaction.dot, transaction.hlc);
            let mut step = Step::new(&registry, planted, (dot, hlc), &mut deltas);
            for effect in transaction.effects.iter().filter(|e| e.kind == kind && e.collection == name) {
                if resolver.check(effect).is_err() {
                    return Ok(false);
                }
                step.effect(catalog, &mut view, effect, transaction.operation, record.copy)?;
            }
            Ok(true)
        };
        store.log(from, &mut |_, bytes| {
            outcome = replay(bytes);
            if outcome == Ok(true) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if !outcome? {
            view.roll_back();
            return Ok(false);
        }
        view.keep();
        view.set(Space::Meta, parked_key(id), None);
        self.state.digest.catch_up(&deltas);
        self.checkpoint_due = true;
        Ok(true)
    }
}
