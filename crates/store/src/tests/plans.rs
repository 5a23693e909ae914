//! How SQLite goes about the queries that must not slow down as tables grow.

use claviger_domain::account::AccountStatus;
use claviger_domain::actor::Owner;
use claviger_domain::audit::ChainId;
use claviger_domain::ids::{AdminKeyId, AuditEntryId, CredentialId, OrganizationId, UserAccountId};
use claviger_domain::period::{Period, Span};
use claviger_domain::text::ExternalId;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::databases::memory;
use super::fixtures::{at, of_status, sealed, uuid, window};
use super::overheard::{Overheard, expect, plans};
use crate::{AuditFilter, AuditSearch, ChainPlace, CredentialFilter, Left, Tables, UsageOf};

fn key() -> Owner {
    Owner::AdminKey(AdminKeyId::from_uuid(uuid(2, 1)))
}

fn tenant() -> Owner {
    Owner::Organization(OrganizationId::from_uuid(uuid(1, 1)))
}

fn credential() -> CredentialId {
    CredentialId::from_uuid(uuid(4, 1))
}

const TALLIES: &str = "SEARCH tallies USING INDEX sqlite_autoindex_tallies_1 (owner_id=? AND what=?)";

#[tokio::test]
async fn credentials_are_listed_by_index() {
    for (include_revoked, index) in [(false, "credentials_live"), (true, "credentials_admin_key_id_id")] {
        for offset in [0, 10_000] {
            let filter = CredentialFilter { include_revoked, ..CredentialFilter::default() };
            expect(
                async |tables| tables.credentials().list(key(), &filter, window(20, offset)).await,
                &[TALLIES, &format!("SEARCH credentials USING INDEX {index} (admin_key_id=?)")],
                Some(index),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_tenants_credentials_are_listed_and_counted_by_index() {
    let filter = CredentialFilter { include_revoked: true, ..CredentialFilter::default() };
    let index = "credentials_organization_id_id";
    expect(
        async |tables| tables.credentials().list(tenant(), &filter, window(20, 0)).await,
        &[
            "SEARCH tallies USING INDEX sqlite_autoindex_tallies_1 (owner_id=? AND what=?)",
            &format!("SEARCH credentials USING INDEX {index} (organization_id=?)"),
        ],
        Some(index),
    )
    .await;
}

#[tokio::test]
async fn credentials_are_found_by_their_ids() {
    expect(
        async |tables| tables.credentials().find(key(), credential()).await,
        &["SEARCH credentials USING INDEX credentials_admin_key_id_id (admin_key_id=? AND id>? AND id<?)"],
        None,
    )
    .await;
    let other = CredentialId::from_uuid(uuid(4, 2));
    expect(
        async |tables| tables.credentials().find_many(key(), &[credential(), other]).await,
        &["SEARCH credentials USING INDEX credentials_admin_key_id_id (admin_key_id=? AND id=?)"],
        Some("credentials_admin_key_id_id"),
    )
    .await;
}

#[tokio::test]
async fn everything_is_loaded_by_index() {
    expect(
        async |tables| tables.credentials().page_unscoped(Some(credential()), at(1), 500).await,
        &["SEARCH credentials USING INDEX sqlite_autoindex_credentials_1 (id>?)"],
        None,
    )
    .await;
    expect(
        async |tables| tables.secrets().of_many(&[credential(), CredentialId::from_uuid(uuid(4, 2))]).await,
        &["SEARCH secrets USING INDEX secrets_credential_id_number (credential_id=?)"],
        Some("secrets_credential_id_number"),
    )
    .await;
    let left = Left { credential: credential(), used_at: Some(at(0)), credits: None };
    expect(
        async |tables| tables.credentials().leave_unscoped(&[left]).await,
        &["SEARCH credentials USING INDEX sqlite_autoindex_credentials_1 (id=?)"],
        None,
    )
    .await;
}

#[tokio::test]
async fn keys_are_found_by_their_digests() {
    let digests = [sealed(1, 1).digest, sealed(1, 2).digest];
    expect(
        async |tables| tables.secrets().find_unscoped(&digests).await,
        &["SEARCH secrets USING INDEX secrets_digest (digest=?)"],
        Some("secrets_digest"),
    )
    .await;
    expect(
        async |tables| tables.admin_keys().find_by_digest_unscoped(&digests).await,
        &[
            "SEARCH admin_keys USING INDEX admin_keys_digest (digest=?)",
            "SEARCH organizations USING INDEX sqlite_autoindex_organizations_1 (id=?) LEFT-JOIN",
        ],
        Some("admin_keys_digest"),
    )
    .await;
}

#[tokio::test]
async fn versions_are_found_by_their_credential() {
    let expected = ["SEARCH secrets USING INDEX secrets_credential_id_number (credential_id=?)"];
    let index = Some("secrets_credential_id_number");
    expect(async |tables| tables.secrets().versions_of(credential()).await, &expected, index).await;
    expect(async |tables| tables.secrets().end_all_of(credential(), at(0)).await, &expected, index).await;
}

#[tokio::test]
async fn users_are_listed_and_found_by_index() {
    let index = "user_accounts_admin_key_id_id";
    expect(
        async |tables| tables.user_accounts().list(key(), &of_status(None), window(20, 10_000)).await,
        &[TALLIES, &format!("SEARCH user_accounts USING INDEX {index} (admin_key_id=?)")],
        Some(index),
    )
    .await;
    let index = "user_accounts_admin_key_id_status_id";
    let status = Some(AccountStatus::Suspended);
    expect(
        async |tables| tables.user_accounts().list(key(), &of_status(status), window(20, 10_000)).await,
        &[TALLIES, &format!("SEARCH user_accounts USING INDEX {index} (admin_key_id=? AND status=?)")],
        Some(index),
    )
    .await;
    let index = "user_accounts_admin_key_id_external_id";
    let external_id = ExternalId::new("customer").unwrap();
    expect(
        async |tables| tables.user_accounts().find_by_external_id(key(), &external_id).await,
        &[&format!("SEARCH user_accounts USING INDEX {index} (admin_key_id=? AND external_id=?)")],
        Some(index),
    )
    .await;
}

#[tokio::test]
async fn the_audit_log_is_listed_by_index() {
    for (include_reads, index, terms) in [
        (false, "audit_log_admin_key_id_is_change_id", "admin_key_id=? AND is_change=?"),
        (true, "audit_log_admin_key_id_id", "admin_key_id=?"),
    ] {
        let filter = AuditFilter { include_reads, ..AuditFilter::default() };
        expect(
            async |tables| tables.audit_log().list(key(), filter, window(20, 10_000)).await,
            &[TALLIES, &format!("SEARCH audit_log USING INDEX {index} ({terms})")],
            Some(index),
        )
        .await;
    }
}

#[tokio::test]
async fn the_audit_log_is_filtered_by_index() {
    let action = "credential.created".parse().ok();
    let target = Some(uuid(4, 1));
    for (owner, action, target, index, terms) in [
        (key(), action, None, "audit_log_admin_key_id_action_id", "admin_key_id=? AND action=?"),
        (key(), None, target, "audit_log_target_id_id", "target_id=?"),
        (Owner::Installation, action, None, "audit_log_action_id", "action=?"),
        (Owner::Installation, None, target, "audit_log_target_id_id", "target_id=?"),
    ] {
        for include_reads in [false, true] {
            let filter = AuditFilter { action, target, include_reads, ..AuditFilter::default() };
            let list = async |tables: &Overheard| tables.audit_log().list(owner, filter, window(20, 0)).await;
            let store = memory().await;
            for step in plans(&store, &list).await {
                let step = step.replace("COVERING ", "");
                assert_eq!(step, format!("SEARCH audit_log USING INDEX {index} ({terms})"), "{filter:?}");
            }
        }
    }
}

#[tokio::test]
async fn changes_are_fed_in_the_order_of_the_table() {
    let feed = async |tables: &Overheard| tables.audit_log().changes_after_unscoped(7, 500).await;
    expect(feed, &["SEARCH audit_log USING INTEGER PRIMARY KEY (rowid>?)"], None).await;
}

#[tokio::test]
async fn chains_are_walked_by_index() {
    let chain = ChainId::from_uuid(uuid(1, 1));
    let index = "audit_log_chain_id_sequence";
    expect(
        async |tables| tables.audit_log().of_chain(chain, Some(ChainPlace::before(7)), 500).await,
        &[&format!("SEARCH audit_log USING INDEX {index} (chain_id=? AND sequence>?)")],
        Some(index),
    )
    .await;
    for ask in [Some(chain), None] {
        let store = memory().await;
        for step in
            plans(&store, &async |tables: &Overheard| tables.audit_log().chain_after_unscoped(ask).await)
                .await
        {
            assert!(step.contains("USING COVERING INDEX") && !step.contains("TEMP B-TREE"), "{step}");
        }
    }
    expect(
        async |tables| tables.audit_log().last_until(chain, at(0)).await,
        &[&format!("SEARCH audit_log USING INDEX {index} (chain_id=?)")],
        Some(index),
    )
    .await;
    expect(
        async |tables| tables.audit_log().old_chains_unscoped(at(0), None, 500).await,
        &["SEARCH audit_log USING INDEX sqlite_autoindex_audit_log_1 (id<?)"],
        None,
    )
    .await;
}

#[tokio::test]
async fn the_audit_log_is_searched_by_index() {
    let tenant = Some(OrganizationId::from_uuid(uuid(1, 1)));
    let whole = AuditSearch { include_reads: true, ..AuditSearch::default() };
    let after = Some(AuditEntryId::from_uuid(uuid(6, 9)));
    for (search, index, terms) in [
        (whole, "sqlite_autoindex_audit_log_1", "id<?"),
        (AuditSearch::default(), "audit_log_is_change_id", "is_change=? AND id<?"),
        (
            AuditSearch { organization: tenant, ..whole },
            "audit_log_organization_id_id",
            "organization_id=? AND id<?",
        ),
        (
            AuditSearch { organization: tenant, ..AuditSearch::default() },
            "audit_log_organization_id_is_change_id",
            "organization_id=? AND is_change=? AND id<?",
        ),
        (AuditSearch { actor: Some(uuid(2, 1)), ..whole }, "audit_log_author_id_id", "author_id=? AND id<?"),
        (AuditSearch { target: Some(uuid(4, 1)), ..whole }, "audit_log_target_id_id", "target_id=? AND id<?"),
        (
            AuditSearch { action: "credential.created".parse().ok(), ..whole },
            "audit_log_action_id",
            "action=? AND id<?",
        ),
    ] {
        expect(
            async |tables| tables.audit_log().search(Owner::Installation, &search, after, 20).await,
            &[&format!("SEARCH audit_log USING INDEX {index} ({terms})")],
            None,
        )
        .await;
    }
}

#[tokio::test]
async fn a_caller_is_looked_up_by_its_id() {
    expect(
        async |tables| tables.admin_keys().find_unscoped(AdminKeyId::from_uuid(uuid(2, 1))).await,
        &[
            "SEARCH admin_keys USING INDEX sqlite_autoindex_admin_keys_1 (id=?)",
            "SEARCH organizations USING INDEX sqlite_autoindex_organizations_1 (id=?) LEFT-JOIN",
        ],
        None,
    )
    .await;
}

/// Whoever asks, only the buckets of the asked credentials and times are read: not all that those
/// credentials ever used, nor what everybody used in those times.
#[tokio::test]
async fn usage_is_read_by_credential_and_time() {
    // Days in the middle, and hours and minutes at the edges.
    let period = Period::new(at(7_260), at(10 * 86_400 + 7_319)).unwrap();
    assert_eq!(period.cells().len(), 5);
    let user = UserAccountId::from_uuid(uuid(3, 1));
    let store = memory().await;
    let page = window(20, 0);
    let by_credential = async |tables: &Overheard, owner, user_account| {
        tables.usage().by_credential(owner, UsageOf { user_account }, period, page).await
    };
    for plan in [
        plans(&store, &async |tables| tables.usage().of_credential(credential(), period).await).await,
        plans(&store, &async |tables| tables.usage().daily_of(credential(), period).await).await,
        plans(&store, &async |tables| tables.usage().of_user(key(), user, period).await).await,
        plans(&store, &async |tables| tables.usage().by_user(key(), period, page).await).await,
        plans(&store, &async |tables| by_credential(tables, key(), None).await).await,
        plans(&store, &async |tables| by_credential(tables, tenant(), None).await).await,
        plans(&store, &async |tables| by_credential(tables, key(), Some(user)).await).await,
    ] {
        let reads: Vec<_> = plan.iter().filter(|step| step.contains(" usage")).collect();
        assert_eq!(reads.len() % 5, 0, "{plan:#?}");
        for read in reads {
            assert_eq!(
                read,
                "SEARCH usage USING PRIMARY KEY \
                 (credential_id=? AND span_seconds=? AND starts_at>? AND starts_at<?)"
            );
        }
    }
}

#[tokio::test]
async fn old_usage_is_deleted_by_index() {
    let index = "usage_span_seconds_starts_at";
    expect(
        async |tables| tables.usage().delete_older(Owner::Installation, Span::Minute, 0, 1_000).await,
        &[
            "SEARCH usage USING PRIMARY KEY \
             (credential_id=? AND span_seconds=? AND starts_at=?)",
            "LIST SUBQUERY 2",
            &format!("SEARCH usage USING COVERING INDEX {index} (span_seconds=? AND starts_at<?)"),
            "CREATE BLOOM FILTER",
        ],
        Some(index),
    )
    .await;
}

#[tokio::test]
async fn kept_answers_are_found_by_caller_and_key() {
    expect(
        async |tables| tables.kept_answers().find(uuid(7, 1), &[1; 32]).await,
        &["SEARCH kept_answers USING INDEX sqlite_autoindex_kept_answers_1 (caller_id=? AND key_hash=?)"],
        None,
    )
    .await;
}

#[tokio::test]
async fn reports_are_known_and_forgotten_by_index() {
    let tenant = |n| OrganizationId::from_uuid(uuid(1, n));
    let found = "SEARCH usage_reports USING INDEX sqlite_autoindex_usage_reports_1 \
                 (organization_id=? AND id_digest=?)";
    expect(
        async |tables| {
            tables.usage_reports().fingerprints_of(&[(tenant(1), [1; 32]), (tenant(1), [2; 32])]).await
        },
        &[found],
        None,
    )
    .await;
    expect(
        async |tables| {
            tables.usage_reports().fingerprints_of(&[(tenant(1), [1; 32]), (tenant(2), [1; 32])]).await
        },
        &["MULTI-INDEX OR", "INDEX 1", found, "INDEX 2", found],
        None,
    )
    .await;
    expect(
        async |tables| tables.usage_reports().delete_older_unscoped(at(0), 100).await,
        &[
            &found.replace("USING", "USING COVERING"),
            "LIST SUBQUERY 2",
            "SEARCH usage_reports USING INDEX usage_reports_received_at (received_at<?)",
            "CREATE BLOOM FILTER",
        ],
        Some("usage_reports_received_at"),
    )
    .await;
}

#[tokio::test]
async fn positions_are_found_by_their_journal() {
    expect(
        async |tables| tables.journal_positions().of(uuid(8, 1)).await,
        &["SEARCH journal_positions USING INDEX sqlite_autoindex_journal_positions_1 (journal_id=?)"],
        None,
    )
    .await;
}

/// Built without it, SQLite compiles every statement with a bound `LIMIT` anew at each call.
#[tokio::test]
async fn sqlite_is_built_to_keep_its_plans() {
    let store = memory().await;
    let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA compile_options");
    let rows = store.reader.query_all_raw(statement).await.unwrap();
    let options: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert!(options.iter().any(|option| option == "ENABLE_QPSG"), "see .cargo/config.toml: {options:?}");
}
