//! What is recorded: usage and the reports of it, up to where journals were moved here, the audit log, and
//! the answers kept for repeated requests.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

use crate::schema::{bytes, id, index, number, number_null, references, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `span_seconds` is 60, 3600 or 86400: each call is counted once in each of the three. `earlier` is what
        // came before: the calls of all earlier hours, or days, of the credential.
        let mut usage = Table::create()
            .table("usage")
            .col(uuid("credential_id"))
            .col(number("span_seconds"))
            .col(number("starts_at"))
            .col(number("total"))
            .col(number("failed"))
            .col(number("duration_ms"))
            .col(number("timed"))
            .col(number("units"))
            .col(number_null("earlier"))
            .primary_key(Index::create().col("credential_id").col("span_seconds").col("starts_at"))
            .foreign_key(&mut references("usage", "credential_id", "credentials"))
            .take();
        // `owner_id` is an organization, or all zeros for all of them together: no foreign key.
        let mut usage_outcomes = Table::create()
            .table("usage_outcomes")
            .col(uuid("owner_id"))
            .col(number("span_seconds"))
            .col(number("starts_at"))
            .col(text("outcome"))
            .col(number("total"))
            .col(number("failed"))
            .col(number("duration_ms"))
            .col(number("timed"))
            .col(number("units"))
            .primary_key(Index::create().col("owner_id").col("span_seconds").col("starts_at").col("outcome"))
            .take();
        if manager.get_database_backend() == DatabaseBackend::Sqlite {
            // What is read together lies together, and each row is written once and not into an index as well.
            usage.extra("WITHOUT ROWID");
            usage_outcomes.extra("WITHOUT ROWID");
        }
        // Reporters choose the ids of their reports: a digest is as short as any index wants it.
        let usage_reports = Table::create()
            .table("usage_reports")
            .col(uuid("organization_id"))
            .col(bytes("id_digest"))
            .col(bytes("fingerprint"))
            .col(number("received_at"))
            .primary_key(Index::create().col("organization_id").col("id_digest"))
            .take();
        let journal_positions = Table::create()
            .table("journal_positions")
            .col(uuid("journal_id"))
            .col(number("lane"))
            .col(number("position"))
            .primary_key(Index::create().col("journal_id").col("lane"))
            .take();
        // The log outlives what it tells of: no foreign keys.
        // `revision` grows with each insertion: servers follow the changes of other processes by it.
        let audit_log = Table::create()
            .table("audit_log")
            .col(ColumnDef::new("revision").big_integer().not_null().auto_increment().primary_key())
            .col(uuid("id").unique_key())
            .col(number("at"))
            .col(text("action"))
            .col(ColumnDef::new("is_change").boolean().not_null())
            .col(text("author_kind"))
            .col(uuid_null("author_id"))
            .col(text_null("author_name"))
            .col(uuid_null("author_organization_id"))
            .col(uuid_null("author_user_id"))
            .col(text_null("author_user_name"))
            .col(uuid_null("admin_key_id"))
            .col(uuid_null("organization_id"))
            .col(text_null("target_type"))
            .col(uuid_null("target_id"))
            .col(text_null("address"))
            .col(text("request_id"))
            .col(text("details"))
            .col(uuid("chain_id"))
            .col(number("sequence"))
            .col(number("pepper"))
            .col(bytes("mac"))
            .take();
        // A seal is empty where a head was found that did not hold.
        let audit_chains = Table::create()
            .table("audit_chains")
            .col(id("chain_id"))
            .col(number("sequence"))
            .col(bytes("mac"))
            .col(number("pruned_through"))
            .col(bytes("pruned_mac"))
            .col(number_null("pruned_from_age_s"))
            .col(number("pepper"))
            .col(bytes("seal"))
            .take();
        let kept_answers = Table::create()
            .table("kept_answers")
            .col(uuid("caller_id"))
            .col(bytes("key_hash"))
            .col(bytes("fingerprint"))
            .col(bytes("sealed"))
            .col(number("created_at"))
            .primary_key(Index::create().col("caller_id").col("key_hash"))
            .take();
        for table in
            [usage, usage_outcomes, usage_reports, journal_positions, audit_log, audit_chains, kept_answers]
        {
            manager.create_table(table).await?;
        }
        for index in [
            index("usage", &["span_seconds", "starts_at"], false),
            index("usage_outcomes", &["span_seconds", "starts_at"], false),
            index("usage_reports", &["received_at"], false),
            index("audit_log", &["admin_key_id", "is_change", "id"], false),
            index("audit_log", &["admin_key_id", "id"], false),
            index("audit_log", &["admin_key_id", "action", "id"], false),
            index("audit_log", &["action", "id"], false),
            index("audit_log", &["organization_id", "id"], false),
            index("audit_log", &["target_id", "id"], false),
            index("audit_log", &["is_change", "id"], false),
            index("audit_log", &["author_id", "id"], false),
            index("audit_log", &["organization_id", "is_change", "id"], false),
            index("audit_log", &["chain_id", "sequence"], true),
            // Each start asks whether entries need a pepper that is not configured.
            index("audit_log", &["pepper"], false),
            index("kept_answers", &["created_at"], false),
        ] {
            manager.create_index(index).await?;
        }
        // Hours and days that are new: the transaction that makes them gives them what came before.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX usage_unplaced ON usage (earlier) \
                 WHERE earlier IS NULL AND total > 0 AND span_seconds > 60",
            )
            .await?;
        Ok(())
    }
}
