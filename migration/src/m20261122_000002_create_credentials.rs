//! Credentials, their secrets, and what has been spent of their limits.

use sea_orm_migration::prelude::*;

use crate::schema::{
    bytes, flag, id, index, number, number_null, references, text, text_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let credentials = Table::create()
            .table("credentials")
            .col(id("id"))
            .col(uuid("organization_id"))
            .col(uuid_null("admin_key_id"))
            .col(uuid_null("user_account_id"))
            .col(text("class"))
            .col(text("name"))
            .col(text_null("description"))
            .col(text("prefix"))
            .col(text("scopes"))
            .col(flag("manages_keys"))
            .col(text("limits"))
            .col(number("credits_grant"))
            .col(number_null("credits_remaining"))
            .col(number_null("credits_refill_amount"))
            .col(number_null("credits_refill_every_ms"))
            .col(number_null("credits_refilled_at"))
            .col(text("ip_allowlist"))
            .col(number_null("network"))
            .col(text("metadata"))
            .col(number("created_at"))
            .col(number_null("updated_at"))
            .col(number_null("expires_at"))
            .col(number_null("disabled_at"))
            .col(number_null("revoked_at"))
            .col(text_null("revocation_reason"))
            .col(number_null("last_used_at"))
            .col(number("revision"))
            .foreign_key(&mut references("credentials", "organization_id", "organizations"))
            .foreign_key(&mut references("credentials", "admin_key_id", "admin_keys"))
            .foreign_key(&mut references("credentials", "user_account_id", "user_accounts"))
            .take();
        let secrets = Table::create()
            .table("secrets")
            .col(id("id"))
            .col(uuid("credential_id"))
            .col(number("number"))
            .col(bytes("digest"))
            .col(number("pepper"))
            .col(number("created_at"))
            .col(number_null("ends_at"))
            .foreign_key(&mut references("secrets", "credential_id", "credentials"))
            .take();
        // Owners are credentials, user accounts and organizations: no one table to refer to.
        let limit_counters = Table::create()
            .table("limit_counters")
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(number("window_seconds"))
            .col(number("cell"))
            .col(number("current"))
            .col(number("previous"))
            .primary_key(Index::create().col("owner_id").col("name").col("window_seconds"))
            .take();
        for table in [credentials, secrets, limit_counters] {
            manager.create_table(table).await?;
        }
        for index in [
            index("credentials", &["admin_key_id", "id"], false),
            index("credentials", &["organization_id", "id"], false),
            index("credentials", &["user_account_id"], false),
            index("secrets", &["digest"], true),
            index("secrets", &["credential_id", "number"], true),
        ] {
            manager.create_index(index).await?;
        }
        // Lists leave revoked credentials out unless asked; both databases take this form.
        for statement in [
            "CREATE INDEX credentials_live ON credentials (admin_key_id, id) WHERE revoked_at IS NULL",
            "CREATE INDEX credentials_managing_keys ON credentials (organization_id, id) WHERE manages_keys AND revoked_at IS NULL",
            "CREATE INDEX credentials_live_of ON credentials (organization_id, id) WHERE revoked_at IS NULL",
        ] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
