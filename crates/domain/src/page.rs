//! A window on a list, and what is seen through it.

use uuid::Uuid;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    limit: u64,
    offset: u64,
    after: Option<Uuid>,
}

/// Which bound of a window was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// No rows, or too many, were asked for.
    #[error("the limit is not between 1 and {max}")]
    Limit {
        /// The most that may be asked for.
        max: u64,
    },
    /// The offset is beyond what a database counts.
    #[error("the offset is out of range")]
    Offset,
}

impl Window {
    /// The most rows one page may ask for.
    pub const MAX_LIMIT: u64 = 100;

    /// At most `limit` rows (1 to [`Self::MAX_LIMIT`]) after skipping `offset`.
    ///
    /// # Errors
    /// [`InvalidWindow`] names the bound that was passed.
    pub fn new(limit: u64, offset: u64) -> Result<Self, InvalidWindow> {
        if !(1..=Self::MAX_LIMIT).contains(&limit) {
            return Err(InvalidWindow::Limit { max: Self::MAX_LIMIT });
        }
        // Databases count rows in signed 64 bits.
        if i64::try_from(offset).is_err() {
            return Err(InvalidWindow::Offset);
        }
        Ok(Self { limit, offset, after: None })
    }

    /// At most `limit` rows (1 to [`Self::MAX_LIMIT`]) that follow in the list on the one of this id, or the
    /// first ones. The row itself may be gone meanwhile.
    ///
    /// # Errors
    /// [`InvalidWindow::Limit`] when the bound was passed.
    pub fn following(limit: u64, after: Option<Uuid>) -> Result<Self, InvalidWindow> {
        Ok(Self { after, ..Self::new(limit, 0)? })
    }

    /// The row behind which the window begins; `None`: it begins at its offset.
    #[must_use]
    pub fn after(self) -> Option<Uuid> {
        self.after
    }

    /// How many rows are wanted at most.
    #[must_use]
    pub fn limit(self) -> u64 {
        self.limit
    }

    /// How many rows are skipped.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows, in the list's order; at most as many as the window asked for.
    pub items: Vec<T>,
    /// How many rows match in all.
    pub total: u64,
    /// What was asked for.
    pub window: Window,
    has_more: bool,
}

impl<T> Slice<T> {
    /// The rows that were found for a window: one more than it asks for tells that others follow, and is left
    /// out.
    #[must_use]
    pub fn new(mut items: Vec<T>, total: u64, window: Window) -> Self {
        let asked = usize::try_from(window.limit).unwrap_or(usize::MAX);
        let has_more = match window.after {
            Some(_) => items.len() > asked,
            None => window.offset.saturating_add(items.len() as u64) < total,
        };
        items.truncate(asked);
        Self { items, total, window, has_more }
    }

    /// Whether rows follow after this page.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// The same page of other things, each made of one.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        let Self { items, total, window, has_more } = self;
        Slice { items: items.into_iter().map(change).collect(), total, window, has_more }
    }

    /// The same page of other things, made of all of them; some may have been lost on the way.
    pub fn with<U>(self, change: impl FnOnce(Vec<T>) -> Vec<U>) -> Slice<U> {
        let Self { items, total, window, has_more } = self;
        Slice { items: change(items), total, window, has_more }
    }
}
