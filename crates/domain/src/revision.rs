//! Optimistic concurrency: which state of a resource a change was meant for.

/// Counts the changes of a resource; 1 when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(u64);

impl Revision {
    /// Of what was just made.
    pub const FIRST: Self = Self(1);

    /// Takes a stored number back.
    #[must_use]
    pub const fn from_stored(number: u64) -> Self {
        Self(number)
    }

    /// The number to store, and to tell as the resource's `ETag`.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Of the resource after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What must hold for a change to be made (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing is asked.
    #[default]
    None,
    /// The resource is in one of these states; an empty list never holds.
    AnyOf(Vec<Revision>),
}

impl Precondition {
    /// Whether a resource in state `current` may be changed.
    #[must_use]
    pub fn admits(&self, current: Revision) -> bool {
        match self {
            Self::None => true,
            Self::AnyOf(wanted) => wanted.contains(&current),
        }
    }
}
