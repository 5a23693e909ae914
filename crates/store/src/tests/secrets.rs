//! Secrets and bootstrap keys: found by digest, ended together.

use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{KeyPrefix, SealedSecret, SecretVersion};

use super::fixtures::{at, credential, credential_id, partner, sealed, secret, uuid, write};
use crate::{Store, Tables};

on_each_database!(versions_are_found_by_digest, versions_end_together, bootstrap_keys_replace_each_other);

async fn versions_are_found_by_digest(store: Store) {
    let maker = partner(&store, 1).await;
    let second = SecretVersion {
        sealed: SealedSecret { pepper: u32::MAX, ..sealed(5, 2) },
        created_at: at(1),
        ends_at: Some(at(2)),
        ..secret(2, 2)
    };
    write(&store, async |tx| {
        for n in 1..=2 {
            tx.credentials().insert(&credential(n, &maker)).await?;
        }
        tx.secrets().insert(credential_id(1), &secret(1, 1)).await?;
        tx.secrets().insert(credential_id(1), &second).await?;
        tx.secrets().insert(credential_id(2), &secret(3, 1)).await
    })
    .await
    .unwrap();
    let unknown = sealed(9, 9).digest;
    for (holder, version) in [
        (credential_id(1), secret(1, 1)),
        (credential_id(1), second.clone()),
        (credential_id(2), secret(3, 1)),
    ] {
        let digests = [unknown, version.sealed.digest];
        let found = store.secrets().find_unscoped(&digests).await.unwrap();
        assert_eq!(found, Some((holder, version)));
    }
    assert_eq!(store.secrets().find_unscoped(&[unknown]).await.unwrap(), None);
    assert_eq!(store.secrets().find_unscoped(&[]).await.unwrap(), None);
    assert_eq!(store.secrets().versions_of(credential_id(1)).await.unwrap(), [second, secret(1, 1)]);
    for (n, newest) in [(1, 2), (2, 1), (9, 0)] {
        assert_eq!(store.secrets().newest_number_of(credential_id(n)).await.unwrap(), newest);
    }
    assert_eq!(store.secrets().versions_of(credential_id(9)).await.unwrap(), []);
}

async fn versions_end_together(store: Store) {
    let maker = partner(&store, 1).await;
    let ending = |n: u64, end: Option<i64>| SecretVersion {
        ends_at: end.map(at),
        ..secret(n, u32::try_from(n).unwrap())
    };
    write(&store, async |tx| {
        for n in 1..=2 {
            tx.credentials().insert(&credential(n, &maker)).await?;
        }
        for (n, end) in [(1, Some(5)), (2, Some(10)), (3, Some(20)), (4, None)] {
            tx.secrets().insert(credential_id(1), &ending(n, end)).await?;
        }
        tx.secrets().insert(credential_id(2), &ending(5, None)).await
    })
    .await
    .unwrap();
    write(&store, async |tx| tx.secrets().end_all_of(credential_id(1), at(10)).await).await.unwrap();
    let ends = async |n| {
        let versions = store.secrets().versions_of(credential_id(n)).await.unwrap();
        versions.into_iter().map(|version| version.ends_at).collect::<Vec<_>>()
    };
    // Newest first; what ended before keeps its end.
    assert_eq!(ends(1).await, [Some(at(10)), Some(at(10)), Some(at(10)), Some(at(5))]);
    assert_eq!(ends(2).await, [None]);
}

async fn bootstrap_keys_replace_each_other(store: Store) {
    let key = |n: u64, revoked| BootstrapKey {
        id: BootstrapKeyId::from_uuid(uuid(8, n)),
        prefix: KeyPrefix::from_stored(format!("iiak_bootstrap_{n:08x}")),
        made_by: format!("process {n}"),
        created_at: at(n.cast_signed()),
        revoked_at: revoked,
    };
    let find = async |n| {
        store.bootstrap_keys().find_live_unscoped(&[sealed(9, 9).digest, sealed(8, n).digest]).await
    };
    let in_force = async || store.bootstrap_keys().in_force_unscoped().await.unwrap();
    let live = async || store.bootstrap_keys().live_unscoped().await.unwrap();
    assert_eq!(in_force().await, None);
    assert_eq!(live().await, []);
    write(&store, async |tx| {
        tx.bootstrap_keys().insert(&key(1, Some(at(1))), &sealed(8, 1)).await?;
        tx.bootstrap_keys().insert(&key(2, None), &sealed(8, 2)).await
    })
    .await
    .unwrap();
    assert_eq!(in_force().await, Some(key(2, None)));
    assert_eq!(live().await, [(key(2, None).id, sealed(8, 2))]);
    assert_eq!(find(1).await.unwrap(), None, "it was revoked");
    assert_eq!(find(2).await.unwrap(), Some(key(2, None)));
    assert_eq!(store.bootstrap_keys().find_live_unscoped(&[]).await.unwrap(), None);
    write(&store, async |tx| {
        tx.bootstrap_keys().revoke_all_unscoped(at(9)).await?;
        tx.bootstrap_keys().insert(&key(3, None), &sealed(8, 3)).await
    })
    .await
    .unwrap();
    assert_eq!(find(2).await.unwrap(), None);
    assert_eq!(find(3).await.unwrap(), Some(key(3, None)));
    assert_eq!(live().await, [(key(3, None).id, sealed(8, 3))]);
    write(&store, async |tx| tx.bootstrap_keys().revoke_all_unscoped(at(10)).await).await.unwrap();
    assert_eq!(in_force().await, None);
    assert_eq!(live().await, []);
}
