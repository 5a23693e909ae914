//! Which installation the database belongs to, and whether a server has it open.

use sea_orm_migration::prelude::*;

use crate::schema::{flag, number, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row. The data directory holds the same id, so that a lost or mixed-up database is recognised.
        let installation = Table::create()
            .table("installation")
            .col(number("id").primary_key())
            .col(uuid("installation_id"))
            .col(flag("is_open"))
            .take();
        manager.create_table(installation).await
    }
}
