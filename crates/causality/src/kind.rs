//! Kinds: the families of rows.

use std::fmt;

/// The family of rows that a collection keeps. Its number is part of the wire and disk formats: append only. A number
/// that this build does not know is carried, not refused: the collection is parked where it cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// Versions of one value: resolvers `lww`, `keep-all`, `escalate`, custom.
    pub const REGISTER: Self = Self(1);
    /// A sum that only grows.
    pub const G_COUNTER: Self = Self(2);
    /// A sum.
    pub const PN_COUNTER: Self = Self(3);
    /// A set where an add wins over a concurrent remove.
    pub const OR_SET: Self = Self(4);
    /// Fields, each a register.
    pub const MAP: Self = Self(5);
    /// Items with quantities.
    pub const CART: Self = Self(6);
    /// Bookings of one resource.
    pub const CALENDAR: Self = Self(7);
    /// A document.
    pub const TEXT: Self = Self(8);

    const NAMES: [(Self, &'static str); 8] = [
        (Self::REGISTER, "register"),
        (Self::G_COUNTER, "g-counter"),
        (Self::PN_COUNTER, "pn-counter"),
        (Self::OR_SET, "or-set"),
        (Self::MAP, "map"),
        (Self::CART, "cart"),
        (Self::CALENDAR, "calendar"),
        (Self::TEXT, "text"),
    ];

    /// Its name, when this build knows it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map(|(_, name)| *name)
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "kind-{}", self.0),
        }
    }
}
