//! The owner's filter: the one place where an owner becomes a condition.

use claviger_domain::actor::Owner;
use sea_orm::{ColumnTrait, Condition};

/// Rows of a table that has both kinds of owner column.
pub(crate) fn owned(owner: Owner, organization: impl ColumnTrait, admin_key: impl ColumnTrait) -> Condition {
    match owner {
        Owner::Installation => Condition::all(),
        Owner::Organization(id) => Condition::all().add(organization.eq(id.uuid())),
        Owner::AdminKey(id) => Condition::all().add(admin_key.eq(id.uuid())),
    }
}
