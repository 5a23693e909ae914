//! Rules of the schema, and the ways to break them.

use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::ids::{AdminKeyId, OrganizationId};
use claviger_domain::organization::Organization;
use claviger_domain::text::ExternalId;

use super::fixtures::{
    account, account_id, admin_key, at, credential, credential_id, organization, owner, partner, sealed,
    secret, uuid, write,
};
use crate::{Constraint, KeptAnswer, Store, StoreError, Tables};

on_each_database!(
    external_ids_are_unique_within_an_admin_key,
    accounts_without_an_external_id_are_no_duplicates,
    slugs_are_unique,
    kept_answers_are_unique_within_a_caller,
    a_report_is_counted_once,
    digests_and_version_numbers_are_unique,
    references_lead_somewhere,
    a_stale_state_is_not_written,
);

fn assert_conflict(answer: Result<(), StoreError>, expected: Constraint) {
    match answer {
        Err(StoreError::Conflict(broken)) => assert_eq!(broken, expected),
        other => panic!("{expected:?} was broken, but the answer is {other:?}"),
    }
}

async fn insert(store: &Store, account: &UserAccount) -> Result<(), StoreError> {
    write(store, async |tx| tx.user_accounts().insert(account).await).await
}

async fn external_ids_are_unique_within_an_admin_key(store: Store) {
    let (first, second) = (partner(&store, 1).await, partner(&store, 2).await);
    let external_id = Some(ExternalId::new("customer-1").unwrap());
    let named = |n, key| UserAccount { external_id: external_id.clone(), ..account(n, key) };
    insert(&store, &named(1, &first)).await.unwrap();
    assert_conflict(insert(&store, &named(2, &first)).await, Constraint::ExternalId);
    insert(&store, &named(3, &second)).await.unwrap();
    insert(
        &store,
        &UserAccount { external_id: Some(ExternalId::new("Customer-1").unwrap()), ..account(4, &first) },
    )
    .await
    .unwrap();
    // Neither may it be taken by a change.
    let other = account(5, &first);
    insert(&store, &other).await.unwrap();
    let renamed = UserAccount { external_id: external_id.clone(), ..other.touched(at(1)) };
    let answer = write(&store, async |tx| tx.user_accounts().save(&renamed).await).await;
    assert_conflict(answer, Constraint::ExternalId);
}

async fn accounts_without_an_external_id_are_no_duplicates(store: Store) {
    let maker = partner(&store, 1).await;
    for n in 1..=3 {
        insert(&store, &account(n, &maker)).await.unwrap();
    }
    for n in 1..=3 {
        assert!(store.user_accounts().find(owner(&maker), account_id(n)).await.unwrap().is_some());
    }
}

async fn slugs_are_unique(store: Store) {
    let first = organization(1);
    let second = Organization { slug: first.slug.clone(), ..organization(2) };
    write(&store, async |tx| tx.organizations().insert(&first).await).await.unwrap();
    assert_conflict(
        write(&store, async |tx| tx.organizations().insert(&second).await).await,
        Constraint::Slug,
    );
}

async fn kept_answers_are_unique_within_a_caller(store: Store) {
    let answer = |caller, key| KeptAnswer {
        caller: uuid(7, caller),
        key_hash: [key; 32],
        fingerprint: [3; 32],
        sealed: vec![1, 2, 3],
        created_at: at(0),
    };
    for (caller, key) in [(1, 1), (1, 2), (2, 1)] {
        write(&store, async |tx| tx.kept_answers().insert(&answer(caller, key)).await).await.unwrap();
    }
    assert_conflict(
        write(&store, async |tx| tx.kept_answers().insert(&answer(1, 2)).await).await,
        Constraint::KeptAnswer,
    );
}

async fn a_report_is_counted_once(store: Store) {
    let report = |tenant, id| ((OrganizationId::from_uuid(uuid(1, tenant)), [id; 32]), [9; 32]);
    let insert = async |reports: &[_]| {
        write(&store, async |tx| tx.usage_reports().insert_many(reports, at(0)).await).await
    };
    insert(&[report(1, 1), report(1, 2), report(2, 1)]).await.unwrap();
    for twice in [[report(1, 3), report(1, 2)], [report(1, 3), report(1, 3)]] {
        assert_conflict(insert(&twice).await, Constraint::UsageReport);
    }
    insert(&[report(1, 3)]).await.unwrap();
}

async fn digests_and_version_numbers_are_unique(store: Store) {
    let maker = partner(&store, 1).await;
    let twin = admin_key(2, maker.organization);
    let answer = write(&store, async |tx| tx.admin_keys().insert(&twin, &sealed(2, 1)).await).await;
    assert_conflict(answer, Constraint::Other);
    write(&store, async |tx| {
        tx.credentials().insert(&credential(1, &maker)).await?;
        tx.secrets().insert(credential_id(1), &secret(1, 1)).await
    })
    .await
    .unwrap();
    let same_number = secret(2, 1);
    let same_digest = claviger_domain::secret::SecretVersion { sealed: secret(1, 1).sealed, ..secret(2, 2) };
    for secret in [same_number, same_digest] {
        let answer = write(&store, async |tx| tx.secrets().insert(credential_id(1), &secret).await).await;
        assert_conflict(answer, Constraint::Other);
    }
}

async fn references_lead_somewhere(store: Store) {
    let maker = partner(&store, 1).await;
    let nowhere = admin_key(2, OrganizationId::from_uuid(uuid(1, 99)));
    let answer = write(&store, async |tx| tx.admin_keys().insert(&nowhere, &sealed(2, 2)).await).await;
    assert_conflict(answer, Constraint::Reference);
    let orphan = UserAccount { admin_key: Some(AdminKeyId::from_uuid(uuid(2, 99))), ..account(1, &maker) };
    assert_conflict(insert(&store, &orphan).await, Constraint::Reference);
    let mut unheld = credential(1, &maker);
    unheld.user_account = Some(account_id(99));
    let answer = write(&store, async |tx| tx.credentials().insert(&unheld).await).await;
    assert_conflict(answer, Constraint::Reference);
    let answer = write(&store, async |tx| tx.secrets().insert(credential_id(99), &secret(1, 1)).await).await;
    assert_conflict(answer, Constraint::Reference);
}

async fn a_stale_state_is_not_written(store: Store) {
    let key = partner(&store, 1).await;
    let (account, credential) = (account(1, &key), credential(1, &key));
    write(&store, async |tx| {
        tx.user_accounts().insert(&account).await?;
        tx.credentials().insert(&credential).await
    })
    .await
    .unwrap();
    // Two readers of the first revision write; the second one's state is stale.
    let organization = organization(1);
    for (n, expected) in [(1, true), (2, false)] {
        let organization = Organization { revision: organization.revision.next(), ..organization.clone() };
        let key = claviger_domain::admin_key::AdminKey { revision: key.revision.next(), ..key.clone() };
        let account = account.clone().suspend(at(n)).unwrap();
        let credential = credential.clone().revoke(None, at(n)).unwrap();
        let answers = [
            write(&store, async |tx| tx.organizations().save(&organization).await).await,
            write(&store, async |tx| tx.admin_keys().save(&key).await).await,
            write(&store, async |tx| tx.user_accounts().save(&account).await).await,
            write(&store, async |tx| tx.credentials().save(&credential).await).await,
        ];
        for answer in answers {
            match answer {
                Ok(()) if expected => {}
                Err(StoreError::Overtaken) if !expected => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let kept = store.user_accounts().find(owner(&key), account.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.updated_at), (AccountStatus::Suspended, Some(at(1))));
    let kept = store.credentials().find(owner(&key), credential.id).await.unwrap().unwrap();
    assert_eq!(kept.revoked.map(|revocation| revocation.at), Some(at(1)));
    // What was never written cannot be saved either.
    let unknown = super::fixtures::account(9, &key).touched(at(1));
    let answer = write(&store, async |tx| tx.user_accounts().save(&unknown).await).await;
    assert!(matches!(answer, Err(StoreError::Overtaken)), "{answer:?}");
}
