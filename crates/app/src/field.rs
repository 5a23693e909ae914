//! Partial changes: what a caller left alone, and what it set.

use claviger_domain::audit::Detail;

/// One field of a partial change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    #[default]
    Keep,
    Set(T),
}

impl<T> Field<T> {
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Checks or converts the new value.
    ///
    /// # Errors
    /// Whatever `change` answers.
    pub fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Field<U>, E> {
        Ok(match self {
            Self::Keep => Field::Keep,
            Self::Set(value) => Field::Set(change(value)?),
        })
    }
}

/// Applies fields to a thing and notes for the audit log what changed from what to what.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<(String, Detail)>);

impl Changes {
    pub(crate) fn apply<T: PartialEq>(
        &mut self,
        name: &str,
        place: &mut T,
        field: Field<T>,
        tell: impl Fn(&T) -> Detail,
    ) {
        if let Field::Set(value) = field {
            self.note(name, place, &value, tell);
            *place = value;
        }
    }

    /// Notes a change that was made otherwise.
    pub(crate) fn note<T: PartialEq>(
        &mut self,
        name: &str,
        before: &T,
        after: &T,
        tell: impl Fn(&T) -> Detail,
    ) {
        if before != after {
            let change = vec![("from".to_owned(), tell(before)), ("to".to_owned(), tell(after))];
            self.0.push((name.to_owned(), Detail::Map(change)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_detail(self) -> Detail {
        Detail::Map(self.0)
    }
}
