//! The collections that exist here.

use crate::keys::{self, CollectionId, meta};
use crate::store::{Read, Space, StoreError};
use anabranch_causality::{DecodeError, Hlc, Kind, OperationId, Reader, Writer, names};
use anabranch_resolvers::{Map, Registry, Resolver};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The system's collection that holds, per register collection, the name of its resolver, and per field of a map that has a
/// resolver of its own, under `collection/field`, that one's: itself an `lww` register.
pub const RESOLVERS: &str = "_resolvers";

/// One collection: a name and a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its number in this store.
    pub id: CollectionId,
    /// Its name; names that start with `_` are the system's.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The earliest transaction that named it: of two kinds under one name, the earlier has the plain name.
    pub created: (Hlc, OperationId),
    /// The name of its resolver.
    pub resolver: String,
    /// The names of resolvers that it was given without seeing each other, in their order: the latest counts, until somebody
    /// declares it again having seen them. Empty when there are not several.
    pub concurrent: Vec<String>,
    /// Maps: the names of the resolvers of fields that have one of their own.
    pub fields: BTreeMap<String, String>,
    /// Why nothing of it is applied, read or written, if so.
    pub parked: Option<String>,
}

/// All collections.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In the order of their names and kinds. Shared with those copies of the catalog in which they are the same.
    collections: Vec<Arc<Collection>>,
    version: u64,
}

impl Catalog {
    /// The collection that a path means: `name` is the earliest of that name, `name~kind` says which.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Collection> {
        match path.split_once('~') {
            Some((name, kind)) => self.get(name, Kind::from_name(kind)?),
            None => self.named(path).min_by_key(|collection| collection.created),
        }
    }

    /// The collection of that name and kind.
    #[must_use]
    pub fn get(&self, name: &str, kind: Kind) -> Option<&Collection> {
        self.collections.get(self.place(name, kind).ok()?).map(Arc::as_ref)
    }

    /// The collection with that number.
    #[must_use]
    pub fn by_id(&self, id: CollectionId) -> Option<&Collection> {
        self.iter().find(|collection| collection.id == id)
    }

    /// All of that name, whatever their kinds.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Collection> + use<'a> {
        let from = self.collections.partition_point(|collection| collection.name.as_str() < name);
        let named = &self.collections[from..];
        let count = named.iter().take_while(|collection| collection.name == name).count();
        named[..count].iter().map(Arc::as_ref)
    }

    /// Where the collection of that name and kind is, or would be.
    fn place(&self, name: &str, kind: Kind) -> Result<usize, usize> {
        self.collections.binary_search_by(|found| (found.name.as_str(), found.kind).cmp(&(name, kind)))
    }

    /// The path that means this collection: its plain name if it is the earliest of that name, else `name~kind`.
    #[must_use]
    pub fn path(&self, collection: &Collection) -> String {
        match self.find(&collection.name) {
            Some(first) if first.kind != collection.kind => format!("{}~{}", collection.name, collection.kind),
            _ => collection.name.clone(),
        }
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Collection> {
        self.collections.iter().map(Arc::as_ref)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.collections.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// Whether any collection is parked.
    #[must_use]
    pub fn any_parked(&self) -> bool {
        self.iter().any(|collection| collection.parked.is_some())
    }

    /// Grows whenever anything in the catalog may have changed.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get_mut(&mut self, name: &str, kind: Kind) -> Option<&mut Collection> {
        self.version += 1;
        let place = self.place(name, kind).ok()?;
        self.collections.get_mut(place).map(Arc::make_mut)
    }

    /// The collection of that name and kind, made if need be. Also says what its creation was before, if it changed.
    pub(crate) fn ensure(&mut self, name: &str, kind: Kind, by: (Hlc, OperationId)) -> (&Collection, Creation) {
        let (place, creation) = match self.place(name, kind) {
            Ok(place) if by < self.collections[place].created => {
                let collection = Arc::make_mut(&mut self.collections[place]);
                (place, Creation::Earlier(std::mem::replace(&mut collection.created, by)))
            }
            Ok(place) => (place, Creation::Unchanged),
            Err(place) => {
                let id = CollectionId(self.collections.len() as u32 + 1);
                let (name, resolver) = (name.to_owned(), default_resolver(kind));
                let (concurrent, fields) = (Vec::new(), BTreeMap::new());
                let new = Collection { id, name, kind, created: by, resolver, concurrent, fields, parked: None };
                self.collections.insert(place, Arc::new(new));
                (place, Creation::New)
            }
        };
        self.version += u64::from(!matches!(creation, Creation::Unchanged));
        (&*self.collections[place], creation)
    }

    pub(crate) fn load(read: &dyn Read) -> Result<Self, StoreError> {
        let mut catalog = Self::default();
        let mut failed = None;
        read.scan(Space::Meta, meta::COLLECTION, &keys::after(meta::COLLECTION), &mut |key, value| {
            match Collection::decode(key, value) {
                Ok(found) => {
                    catalog.collections.push(Arc::new(found));
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(StoreError::corrupt(format!("a collection's row: {error}")));
                    ControlFlow::Break(())
                }
            }
        })?;
        catalog.collections.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
        failed.map_or(Ok(catalog), Err)
    }
}

/// What [`Catalog::ensure`] did.
pub(crate) enum Creation {
    Unchanged,
    New,
    Earlier((Hlc, OperationId)),
}

/// The resolver of a collection whose rows say nothing else: the kind's only one, or `lww`.
pub(crate) fn default_resolver(kind: Kind) -> String {
    if kind == Kind::REGISTER { "lww".to_owned() } else { kind.to_string() }
}

/// Where the resolver of a map's field stands: no collection has a `/` in its name.
pub(crate) fn field_row(collection: &str, field: &str) -> String {
    format!("{collection}/{field}")
}

impl Collection {
    /// Its resolver.
    ///
    /// # Errors
    /// Why there is none: a name that this build does not know.
    pub fn resolver_in(&self, registry: &Registry) -> Result<Arc<dyn Resolver>, String> {
        let named =
            |name: &str| registry.by_name(name).ok_or_else(|| format!("resolver {name} is not known to this build"));
        let whole = named(&self.resolver)?;
        if self.kind != Kind::MAP || self.fields.is_empty() {
            return Ok(whole);
        }
        let field = |(field, name): (&String, &String)| Ok((field.clone(), named(name)?));
        let fields: Result<BTreeMap<_, _>, String> = self.fields.iter().map(field).collect();
        Ok(Arc::new(Map::with(fields?)))
    }

    /// Whether users see it.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.name.starts_with('_')
    }

    pub(crate) fn row(&self) -> (Vec<u8>, Vec<u8>) {
        let mut writer = Writer::new();
        writer.u8(self.kind.0).u64(self.created.0.0);
        self.created.1.encode(&mut writer);
        writer.bytes(self.name.as_bytes());
        ([meta::COLLECTION, &self.id.0.to_be_bytes()].concat(), writer.into_bytes())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self, DecodeError> {
        let id = key.get(meta::COLLECTION.len()..).unwrap_or_default();
        let id = CollectionId(u32::from_be_bytes(id.try_into().map_err(|_| DecodeError::Invalid("number"))?));
        let mut reader = Reader::new(value);
        let kind = Kind(reader.u8("kind")?);
        let created = (Hlc(reader.u64("stamp")?), OperationId::decode(&mut reader)?);
        let name = reader.str(names::MAX_COLLECTION, "name")?.to_owned();
        reader.finish("collection")?;
        let (resolver, concurrent, fields) = (default_resolver(kind), Vec::new(), BTreeMap::new());
        Ok(Self { id, name, kind, created, resolver, concurrent, fields, parked: None })
    }
}
