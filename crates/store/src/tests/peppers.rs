//! Which peppers were ever in use here, and which are still needed.

use claviger_domain::admin_key::{AdminKey, BootstrapKey};
use claviger_domain::credential::{Credential, Revocation};
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{Digest, KeyPrefix, Peppers, SealedSecret, SecretVersion};
use sea_orm::ConnectionTrait;

use super::fixtures::{
    admin_key, at, credential, credential_id, entry, organization, partner, sealed, secret, uuid, write,
};
use crate::{KeysUnder, Store, StoreError, Tables};

on_each_database!(
    the_first_check_of_a_version_stays,
    a_check_of_another_form_is_named,
    a_pepper_is_used_by_admin_keys_until_they_end,
    a_pepper_is_used_by_the_bootstrap_key_in_force,
    a_pepper_is_used_by_secrets_until_they_end,
    a_pepper_is_used_by_entries_and_ends_of_the_audit_log
);

fn check(pepper: u32, byte: u8) -> SealedSecret {
    SealedSecret { digest: Digest::from_bytes([byte; 32]), pepper }
}

fn under(pepper: u32, sealed: SealedSecret) -> SealedSecret {
    SealedSecret { pepper, ..sealed }
}

async fn the_first_check_of_a_version_stays(store: Store) {
    assert_eq!(store.pepper_checks().list_unscoped().await.unwrap(), []);
    for check in [check(u32::MAX, 3), check(1, 1), check(1, 9), check(2, 2), check(u32::MAX, 3)] {
        write(&store, async |tx| tx.pepper_checks().insert_missing(&check, at(0)).await).await.unwrap();
    }
    let kept = store.pepper_checks().list_unscoped().await.unwrap();
    assert_eq!(kept, [check(1, 1), check(2, 2), check(u32::MAX, 3)]);
}

async fn a_check_of_another_form_is_named(store: Store) {
    write(&store, async |tx| tx.pepper_checks().insert_missing(&check(7, 1), at(0)).await).await.unwrap();
    let short = if store.is_embedded() { "x'0102'" } else { r"'\x0102'" };
    for (change, row) in [(format!("digest = {short}"), "7"), ("version = -1".to_owned(), "-1")] {
        store.writer.execute_unprepared(&format!("UPDATE pepper_checks SET {change}")).await.unwrap();
        let answer = store.pepper_checks().list_unscoped().await;
        assert!(
            matches!(&answer, Err(StoreError::Corrupt { table: "pepper_checks", row: named }) if named == row),
            "{answer:?}"
        );
    }
}

fn keys(in_force: u64, without_end: u64, last_end: Option<i64>, expired: u64) -> KeysUnder {
    KeysUnder { in_force, without_end, last_end: last_end.map(at), expired }
}

async fn a_pepper_is_used_by_admin_keys_until_they_end(store: Store) {
    let organization = organization(1);
    let revoked = AdminKey { revoked_at: Some(at(1)), ..admin_key(2, organization.id) };
    let ending = |n, end| AdminKey { expires_at: Some(at(end)), ..admin_key(n, organization.id) };
    write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        tx.admin_keys().insert(&admin_key(1, organization.id), &under(1, sealed(2, 1))).await?;
        tx.admin_keys().insert(&revoked, &under(2, sealed(2, 2))).await?;
        for (n, end) in [(3, 10), (4, 20)] {
            tx.admin_keys().insert(&ending(n, end), &under(1, sealed(2, n))).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
    for (pepper, now, used) in [
        (1, 9, keys(3, 1, Some(20), 0)),
        (1, 10, keys(2, 1, Some(20), 1)),
        (1, 20, keys(1, 1, None, 2)),
        (2, 0, keys(0, 0, None, 0)),
        (3, 0, keys(0, 0, None, 0)),
    ] {
        let found = store.pepper_use().admin_keys_unscoped(pepper, at(now)).await.unwrap();
        assert_eq!(found, used, "{pepper} at {now}");
    }
}

async fn a_pepper_is_used_by_the_bootstrap_key_in_force(store: Store) {
    let key = |n: u64, revoked_at| BootstrapKey {
        id: BootstrapKeyId::from_uuid(uuid(8, n)),
        prefix: KeyPrefix::from_stored(format!("iiak_bootstrap_{n:08x}")),
        made_by: "a test".to_owned(),
        created_at: at(0),
        revoked_at,
    };
    write(&store, async |tx| {
        tx.bootstrap_keys().insert(&key(1, Some(at(1))), &under(1, sealed(8, 1))).await?;
        tx.bootstrap_keys().insert(&key(2, None), &under(2, sealed(8, 2))).await
    })
    .await
    .unwrap();
    for (pepper, used) in [(1, false), (2, true), (3, false)] {
        assert_eq!(store.bootstrap_keys().is_pepper_used_unscoped(pepper).await.unwrap(), used, "{pepper}");
    }
}

async fn a_pepper_is_used_by_secrets_until_they_end(store: Store) {
    let maker = partner(&store, 1).await;
    let version = |n: u64, pepper: u32, ends_at| SecretVersion {
        sealed: under(pepper, sealed(5, n)),
        ends_at,
        ..secret(n, u32::try_from(n).unwrap())
    };
    let revoked =
        Credential { revoked: Some(Revocation { at: at(1), reason: None }), ..credential(2, &maker) };
    let expiring = Credential { expires_at: Some(at(30)), ..credential(3, &maker) };
    write(&store, async |tx| {
        for credential in [&credential(1, &maker), &revoked, &expiring] {
            tx.credentials().insert(credential).await?;
        }
        tx.secrets().insert(credential_id(1), &version(1, 1, Some(at(10)))).await?;
        tx.secrets().insert(credential_id(1), &version(2, 2, None)).await?;
        tx.secrets().insert(credential_id(2), &version(3, 3, None)).await?;
        tx.secrets().insert(credential_id(3), &version(4, 4, Some(at(20)))).await?;
        tx.secrets().insert(credential_id(3), &version(5, 4, Some(at(40)))).await?;
        tx.secrets().insert(credential_id(3), &version(6, 4, None)).await
    })
    .await
    .unwrap();
    for (pepper, now, used) in [
        (1, 9, keys(1, 0, Some(10), 0)),
        (1, 10, keys(0, 0, None, 0)),
        (2, 1_000_000, keys(1, 1, None, 0)),
        (3, 0, keys(0, 0, None, 0)),
        (4, 0, keys(3, 0, Some(30), 0)),
        (4, 20, keys(2, 0, Some(30), 0)),
        (4, 30, keys(0, 0, None, 2)),
        (4, 40, keys(0, 0, None, 1)),
        (5, 0, keys(0, 0, None, 0)),
    ] {
        let found = store.pepper_use().secrets_unscoped(pepper, at(now)).await.unwrap();
        assert_eq!(found, used, "{pepper} at {now}");
    }
}

async fn a_pepper_is_used_by_entries_and_ends_of_the_audit_log(store: Store) {
    let author = partner(&store, 1).await;
    let peppers = |versions: &[u32]| {
        let peppers =
            versions.iter().map(|version| (*version, [u8::try_from(*version).unwrap(); 32])).collect();
        Peppers::new(peppers).unwrap().audit_keys()
    };
    for (n, versions) in [(1, &[1][..]), (2, &[1]), (3, &[1, 2])] {
        let entry = entry(n, "credential.created", &author);
        write(&store, async |tx| {
            tx.audit_log().append(&peppers(versions), std::slice::from_ref(&entry)).await
        })
        .await
        .unwrap();
    }
    let pepper_use = store.pepper_use();
    for (pepper, entries, newest, ends) in [(1, 2, Some(2), 0), (2, 1, Some(3), 1), (3, 0, None, 0)] {
        assert_eq!(pepper_use.has_entries_unscoped(pepper).await.unwrap(), entries > 0, "{pepper}");
        let found = pepper_use.entries_unscoped(pepper).await.unwrap();
        assert_eq!(found.iter().map(|under| under.count).sum::<u64>(), entries, "{pepper}");
        assert_eq!(found.iter().map(|under| under.newest_at).max(), newest.map(at), "{pepper}");
        assert_eq!(pepper_use.chain_ends_unscoped(pepper).await.unwrap(), ends, "{pepper}");
    }
    // A process that lacks the newer pepper, which another one has, writes nothing: it would break the chain.
    write(&store, async |tx| tx.pepper_checks().insert_missing(&check(2, 2), at(0)).await).await.unwrap();
    let late = entry(4, "credential.created", &author);
    let answer =
        write(&store, async |tx| tx.audit_log().append(&peppers(&[1]), std::slice::from_ref(&late)).await)
            .await;
    assert!(matches!(answer, Err(StoreError::MissingPepper(2))), "{answer:?}");
    assert_eq!(pepper_use.entries_unscoped(1).await.unwrap().iter().map(|under| under.count).sum::<u64>(), 2);
}
