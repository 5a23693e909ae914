//! A row that cannot have been written by Claviger is named, not guessed at.

use chrono::TimeDelta;
use claviger_domain::actor::Owner;
use claviger_domain::credential::{Credential, Credits, Refill};
use sea_orm::ConnectionTrait;

use super::fixtures::{
    account, at, audit_keys, credential, credential_id, entry, of_status, partner, sealed, secret, uuid,
    window, write,
};
use crate::{AuditFilter, KeptAnswer, Store, StoreError, Tables};

on_each_database!(every_table_names_the_row);

const BEYOND_TIME: &str = "9223372036854775807";

/// Changes one column of every row of a table, reads, and changes it back.
async fn spoil<T: std::fmt::Debug>(
    store: &Store,
    (table, column, value): (&'static str, &str, &str),
    row: uuid::Uuid,
    read: impl AsyncFn() -> Result<T, StoreError>,
) {
    let run = async |statement: String| store.writer.execute_unprepared(&statement).await.unwrap();
    assert!(read().await.is_ok(), "{table}.{column} before");
    run(format!("CREATE TABLE kept AS SELECT * FROM {table}")).await;
    run(format!("UPDATE {table} SET {column} = {value}")).await;
    let answer = read().await;
    match &answer {
        Err(StoreError::Corrupt { table: named, row: id }) => {
            assert_eq!((*named, id.as_str()), (table, row.to_string().as_str()), "{column}");
        }
        other => panic!("{table}.{column} = {value}: {other:?}"),
    }
    run(format!("UPDATE {table} SET {column} = (SELECT {column} FROM kept)")).await;
    run("DROP TABLE kept".to_owned()).await;
    assert!(read().await.is_ok(), "{table}.{column} after");
}

async fn every_table_names_the_row(store: Store) {
    let key = partner(&store, 1).await;
    let everything = Owner::Installation;
    let organization = super::fixtures::organization(1).id;
    for (column, value) in [
        ("status", "'dormant'"),
        ("ip_allowlist", "'10.0.0.0/33'"),
        ("created_at", BEYOND_TIME),
        ("updated_at", BEYOND_TIME),
    ] {
        spoil(&store, ("organizations", column, value), organization.uuid(), async || {
            store.organizations().find_unscoped(organization).await
        })
        .await;
    }
    for (column, value) in [
        ("permissions", "'manage_users rule_the_world'"),
        ("created_at", BEYOND_TIME),
        ("expires_at", BEYOND_TIME),
        ("revoked_at", BEYOND_TIME),
        ("last_used_at", BEYOND_TIME),
    ] {
        spoil(&store, ("admin_keys", column, value), key.id.uuid(), async || {
            store.admin_keys().find_by_digest_unscoped(&[sealed(2, 1).digest]).await
        })
        .await;
    }
    let account = account(1, &key);
    write(&store, async |tx| tx.user_accounts().insert(&account).await).await.unwrap();
    for (column, value) in [("status", "'dormant'"), ("updated_at", BEYOND_TIME)] {
        spoil(&store, ("user_accounts", column, value), account.id.uuid(), async || {
            store.user_accounts().list(everything, &of_status(None), window(1, 0)).await
        })
        .await;
    }
    spoil_credentials(&store, &key).await;
    spoil_records(&store, &key).await;
}

async fn spoil_credentials(store: &Store, key: &claviger_domain::admin_key::AdminKey) {
    let refill = Refill { amount: 1, every: TimeDelta::seconds(1), since: at(0) };
    let credits = Some(Credits::granted(1, Some(refill)));
    let credential = Credential { credits, ..credential(1, key) };
    write(store, async |tx| {
        tx.credentials().insert(&credential).await?;
        tx.secrets().insert(credential.id, &secret(1, 1)).await
    })
    .await
    .unwrap();
    for (column, value) in [
        ("class", "'silver'"),
        ("scopes", "'no-action'"),
        ("limits", "'requests:0/60'"),
        ("ip_allowlist", "'somewhere'"),
        ("network", "3"),
        ("credits_refill_amount", "-1"),
        ("credits_refill_every_ms", "(-9223372036854775807 - 1)"),
        ("credits_refilled_at", BEYOND_TIME),
        ("created_at", BEYOND_TIME),
        ("expires_at", BEYOND_TIME),
        ("disabled_at", BEYOND_TIME),
        ("revoked_at", BEYOND_TIME),
        ("last_used_at", BEYOND_TIME),
    ] {
        spoil(store, ("credentials", column, value), credential.id.uuid(), async || {
            store.credentials().find(Owner::Installation, credential_id(1)).await
        })
        .await;
    }
    let short = if store.is_embedded() { "x'0102'" } else { r"'\x0102'" };
    for (column, value) in [("digest", short), ("pepper", "-1"), ("number", "-1"), ("ends_at", BEYOND_TIME)] {
        spoil(store, ("secrets", column, value), secret(1, 1).id.uuid(), async || {
            store.secrets().versions_of(credential_id(1)).await
        })
        .await;
    }
}

async fn spoil_records(store: &Store, key: &claviger_domain::admin_key::AdminKey) {
    let mut entry = entry(1, "credential.created", key);
    entry.address = Some("192.0.2.1".parse().unwrap());
    entry.target = Some(claviger_domain::audit::Target {
        resource: claviger_domain::audit::Resource::Credential,
        id: uuid(4, 1),
    });
    write(store, async |tx| tx.audit_log().append(&audit_keys(), std::slice::from_ref(&entry)).await)
        .await
        .unwrap();
    for (column, value) in [
        ("action", "'credential.eaten'"),
        ("author_kind", "'cat'"),
        ("target_type", "'mouse'"),
        ("address", "'the kitchen'"),
        ("details", "'['"),
        ("details", "'[]'"),
        ("at", BEYOND_TIME),
    ] {
        spoil(store, ("audit_log", column, value), entry.id.uuid(), async || {
            store.audit_log().list(Owner::Installation, AuditFilter::default(), window(1, 0)).await
        })
        .await;
    }
    let answer = KeptAnswer {
        caller: uuid(7, 1),
        key_hash: [1; 32],
        fingerprint: [2; 32],
        sealed: vec![3],
        created_at: at(0),
    };
    write(store, async |tx| tx.kept_answers().insert(&answer).await).await.unwrap();
    let short = if store.is_embedded() { "x'0102'" } else { r"'\x0102'" };
    for (column, value) in [("fingerprint", short), ("created_at", BEYOND_TIME)] {
        spoil(store, ("kept_answers", column, value), answer.caller, async || {
            store.kept_answers().find(uuid(7, 1), &[1; 32]).await
        })
        .await;
    }
    let report = (key.organization, [1; 32]);
    write(store, async |tx| {
        tx.usage_reports().insert_many(&[(report, [2; 32])], at(0)).await?;
        tx.journal_positions().put(uuid(8, 1), &[(3, 4)]).await
    })
    .await
    .unwrap();
    spoil(store, ("usage_reports", "fingerprint", short), key.organization.uuid(), async || {
        store.usage_reports().fingerprints_of(&[report]).await
    })
    .await;
    for (column, value) in [("lane", "-1"), ("lane", "4294967296"), ("position", "-1")] {
        spoil(store, ("journal_positions", column, value), uuid(8, 1), async || {
            store.journal_positions().of(uuid(8, 1)).await
        })
        .await;
    }
}
