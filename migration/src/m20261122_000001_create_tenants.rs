//! Organizations, the keys and accounts that hang on them, and what tells whether the peppers are those of the keys.

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
        let organizations = Table::create()
            .table("organizations")
            .col(id("id"))
            .col(text("name"))
            .col(flag("is_self_named"))
            .col(text("slug"))
            .col(text_null("email"))
            .col(text_null("plan"))
            .col(text("status"))
            .col(text("metadata"))
            .col(text("ip_allowlist"))
            .col(number_null("key_lifetime_usual_s"))
            .col(number_null("key_lifetime_most_s"))
            .col(flag("key_expiry_demanded"))
            .col(text("default_limits"))
            .col(number_null("kept_audit_days"))
            .col(number_null("kept_usage_days"))
            .col(text("resource_limits"))
            .col(number("created_at"))
            .col(number_null("updated_at"))
            .col(number("revision"))
            .take();
        let bootstrap_keys = Table::create()
            .table("bootstrap_keys")
            .col(id("id"))
            .col(bytes("digest"))
            .col(number("pepper"))
            .col(text("prefix"))
            .col(text("made_by"))
            .col(number("created_at"))
            .col(number_null("revoked_at"))
            .take();
        let admin_keys = Table::create()
            .table("admin_keys")
            .col(id("id"))
            .col(uuid("organization_id"))
            .col(text_null("name"))
            .col(text("permissions"))
            .col(bytes("digest"))
            .col(number("pepper"))
            .col(text("prefix"))
            .col(number("created_at"))
            .col(number_null("updated_at"))
            .col(number_null("expires_at"))
            .col(number_null("last_used_at"))
            .col(number_null("revoked_at"))
            .col(number("revision"))
            .foreign_key(&mut references("admin_keys", "organization_id", "organizations"))
            .take();
        let user_accounts = Table::create()
            .table("user_accounts")
            .col(id("id"))
            .col(uuid("organization_id"))
            .col(uuid_null("admin_key_id"))
            .col(text_null("external_id"))
            .col(text("name"))
            .col(text_null("email"))
            .col(text("metadata"))
            .col(text("status"))
            .col(text_null("billing_plan"))
            .col(text_null("first_name"))
            .col(text_null("last_name"))
            .col(text("roles"))
            .col(number("created_at"))
            .col(number_null("updated_at"))
            .col(number("revision"))
            .foreign_key(&mut references("user_accounts", "organization_id", "organizations"))
            .foreign_key(&mut references("user_accounts", "admin_key_id", "admin_keys"))
            .take();
        // The four system roles are in no table. `name_key` is the name without its case.
        let roles = Table::create()
            .table("roles")
            .col(id("id"))
            .col(uuid("organization_id"))
            .col(text("name"))
            .col(text("name_key"))
            .col(text_null("description"))
            .col(text("permissions"))
            .col(number("created_at"))
            .col(number_null("updated_at"))
            .col(number("revision"))
            .foreign_key(&mut references("roles", "organization_id", "organizations"))
            .take();
        // One row, or none before the first change.
        let settings = Table::create()
            .table("settings")
            .col(number("id").primary_key())
            .col(number_null("key_lifetime_usual_s"))
            .col(number_null("key_lifetime_most_s"))
            .col(flag("key_expiry_demanded"))
            .col(text("default_limits"))
            .col(number_null("kept_audit_days"))
            .col(number_null("kept_usage_days"))
            .col(text("resource_limits"))
            .col(text("forward_auth_dialect"))
            .col(text("cors_origins"))
            .col(number_null("updated_at"))
            .col(number("revision"))
            .take();
        // By these a pepper is known again: never the pepper, only a digest made under it.
        let pepper_checks = Table::create()
            .table("pepper_checks")
            .col(number("version").primary_key())
            .col(bytes("digest"))
            .col(number("created_at"))
            .take();
        for table in
            [organizations, bootstrap_keys, admin_keys, user_accounts, roles, settings, pepper_checks]
        {
            manager.create_table(table).await?;
        }
        for index in [
            index("organizations", &["slug"], true),
            index("organizations", &["name"], false),
            index("bootstrap_keys", &["digest"], false),
            index("admin_keys", &["digest"], true),
            index("admin_keys", &["organization_id", "id"], false),
            index("user_accounts", &["admin_key_id", "external_id"], true),
            // Ids are of version 7: their order is the order of creation, to the microsecond.
            index("user_accounts", &["admin_key_id", "id"], false),
            index("user_accounts", &["admin_key_id", "status", "id"], false),
            index("user_accounts", &["organization_id", "id"], false),
            index("user_accounts", &["organization_id", "status", "id"], false),
            index("roles", &["organization_id", "name_key"], true),
        ] {
            manager.create_index(index).await?;
        }
        // The users that no partner made have external ids of their organization's.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX user_accounts_own_external_id \
                 ON user_accounts (organization_id, external_id) WHERE admin_key_id IS NULL",
            )
            .await?;
        // An organization's own user and a partner's do not share one: this finds the partners'.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX user_accounts_partners_external_id \
                 ON user_accounts (organization_id, external_id) WHERE admin_key_id IS NOT NULL",
            )
            .await?;
        // One bootstrap key is in force at a time; an old one may come back. Both databases take this form.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX bootstrap_keys_live ON bootstrap_keys ((revoked_at IS NULL)) \
                 WHERE revoked_at IS NULL",
            )
            .await?;
        // Few users have a role: those of an organization, and who has a certain one, are found among these.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX user_accounts_members ON user_accounts (organization_id, id) WHERE roles <> ''",
            )
            .await?;
        Ok(())
    }
}
