//! A window on a list, and what is seen through it.

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    limit: u64,
    offset: u64,
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
        Ok(Self { limit, offset })
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
}

impl<T> Slice<T> {
    /// Whether rows follow after this page.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.window.offset.saturating_add(self.items.len() as u64) < self.total
    }

    /// The same page of other things, each made of one.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        Slice { items: self.items.into_iter().map(change).collect(), total: self.total, window: self.window }
    }
}
