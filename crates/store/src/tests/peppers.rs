//! Which peppers were ever in use here, and which are still needed.

use claviger_domain::admin_key::{AdminKey, BootstrapKey};
use claviger_domain::credential::{Credential, Revocation};
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{Digest, KeyPrefix, SealedSecret, SecretVersion};
use sea_orm::ConnectionTrait;

use super::fixtures::{
    admin_key, at, credential, credential_id, organization, partner, sealed, secret, uuid, write,
};
use crate::{Store, StoreError, Tables};

on_each_database!(
    the_first_check_of_a_version_stays,
    a_check_of_another_form_is_named,
    a_pepper_is_used_by_admin_keys_until_they_are_revoked,
    a_pepper_is_used_by_the_bootstrap_key_in_force,
    a_pepper_is_used_by_secrets_until_they_end
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

async fn a_pepper_is_used_by_admin_keys_until_they_are_revoked(store: Store) {
    let organization = organization(1);
    let revoked = AdminKey { revoked_at: Some(at(1)), ..admin_key(2, organization.id) };
    let expired = AdminKey { expires_at: Some(at(1)), ..admin_key(3, organization.id) };
    write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        tx.admin_keys().insert(&admin_key(1, organization.id), &under(1, sealed(2, 1))).await?;
        tx.admin_keys().insert(&revoked, &under(2, sealed(2, 2))).await?;
        tx.admin_keys().insert(&expired, &under(3, sealed(2, 3))).await
    })
    .await
    .unwrap();
    for (pepper, used) in [(1, true), (2, false), (3, true), (4, false)] {
        assert_eq!(store.admin_keys().is_pepper_used_unscoped(pepper).await.unwrap(), used, "{pepper}");
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
    write(&store, async |tx| {
        tx.credentials().insert(&credential(1, &maker)).await?;
        tx.credentials().insert(&revoked).await?;
        tx.secrets().insert(credential_id(1), &version(1, 1, Some(at(10)))).await?;
        tx.secrets().insert(credential_id(1), &version(2, 2, None)).await?;
        tx.secrets().insert(credential_id(2), &version(3, 3, None)).await
    })
    .await
    .unwrap();
    for (pepper, now, used) in
        [(1, 9, true), (1, 10, false), (2, 1_000_000, true), (3, 0, false), (4, 0, false)]
    {
        let answer = store.secrets().is_pepper_used_unscoped(pepper, at(now)).await;
        assert_eq!(answer.unwrap(), used, "{pepper} at {now}");
    }
}
