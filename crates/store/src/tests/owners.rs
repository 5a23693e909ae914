//! No query answers with somebody else's row, and none hides a row from its owner.

use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::ids::{AdminKeyId, OrganizationId, UserAccountId};
use claviger_domain::period::Period;
use claviger_domain::text::ExternalId;
use claviger_domain::usage::Tally;

use super::fixtures::{
    account, account_id, admin_key, at, audit_keys, credential, credential_id, entry, of_status,
    organization, sealed, uuid, window, write,
};
use crate::{AuditFilter, CredentialFilter, Store, Tables, UsageOf};

on_each_database!(admin_keys, user_accounts, credentials, usage, audit_log);

const EVERYTHING: u64 = 100;

/// Two organizations, the first with two admin keys; the keys' numbers are 1, 2 and 3.
async fn keys(store: &Store) -> [AdminKey; 3] {
    let (first, second) = (organization(1), organization(2));
    let keys = [admin_key(1, first.id), admin_key(2, first.id), admin_key(3, second.id)];
    write(store, async |tx| {
        tx.organizations().insert(&first).await?;
        tx.organizations().insert(&second).await?;
        for (n, key) in (1..).zip(&keys) {
            tx.admin_keys().insert(key, &sealed(2, n)).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
    keys
}

/// Every kind of owner, and which of the three keys' things it sees.
fn owners(keys: &[AdminKey; 3]) -> Vec<(Owner, Vec<u64>)> {
    vec![
        (Owner::Installation, vec![1, 2, 3]),
        (Owner::Organization(keys[0].organization), vec![1, 2]),
        (Owner::Organization(keys[2].organization), vec![3]),
        (Owner::Organization(OrganizationId::from_uuid(uuid(1, 9))), vec![]),
        (Owner::AdminKey(keys[0].id), vec![1]),
        (Owner::AdminKey(keys[1].id), vec![2]),
        (Owner::AdminKey(keys[2].id), vec![3]),
        (Owner::AdminKey(AdminKeyId::from_uuid(uuid(2, 9))), vec![]),
    ]
}

fn newest_first(numbers: &[u64]) -> Vec<u64> {
    numbers.iter().rev().copied().collect()
}

async fn admin_keys(store: Store) {
    let keys = keys(&store).await;
    for (owner, seen) in owners(&keys) {
        for (n, key) in (1..).zip(&keys) {
            let expected = seen.contains(&n).then(|| key.clone());
            assert_eq!(store.admin_keys().find(owner, key.id).await.unwrap(), expected, "{owner:?}");
            let held = write(&store, async |tx| tx.admin_keys().find_for_update(owner, key.id).await).await;
            assert_eq!(held.unwrap(), expected, "{owner:?}");
        }
        for include_revoked in [false, true] {
            let list = store.admin_keys().list(owner, include_revoked, window(EVERYTHING, 0)).await.unwrap();
            let expected = newest_first(&seen);
            let listed: Vec<_> = list.items.iter().map(|key| key.id.uuid()).collect();
            assert_eq!(listed, expected.iter().map(|n| uuid(2, *n)).collect::<Vec<_>>(), "{owner:?}");
            assert_eq!(list.total, seen.len() as u64, "{owner:?}");
        }
    }
}

async fn user_accounts(store: Store) {
    let keys = keys(&store).await;
    let same = ExternalId::new("the same for all").unwrap();
    let accounts: Vec<UserAccount> = (1..)
        .zip(&keys)
        .map(|(n, key)| UserAccount { external_id: Some(same.clone()), ..account(n, key) })
        .collect();
    for account in &accounts {
        write(&store, async |tx| tx.user_accounts().insert(account).await).await.unwrap();
    }
    let ids: Vec<UserAccountId> = accounts.iter().map(|account| account.id).collect();
    for (owner, seen) in owners(&keys) {
        let table = store.user_accounts();
        for (n, account) in (1..).zip(&accounts) {
            let expected = seen.contains(&n).then(|| account.clone());
            assert_eq!(table.find(owner, account.id).await.unwrap(), expected, "{owner:?}");
            let held = write(&store, async |tx| tx.user_accounts().find_for_update(owner, account.id).await);
            assert_eq!(held.await.unwrap(), expected, "{owner:?}");
        }
        let found = table.find_by_external_id(owner, &same).await.unwrap();
        assert_eq!(found.map(|account| account.id), seen.first().map(|n| account_id(*n)), "{owner:?}");
        let mut many: Vec<_> = table.find_many(owner, &ids).await.unwrap().iter().map(|a| a.id).collect();
        many.sort();
        assert_eq!(many, seen.iter().map(|n| account_id(*n)).collect::<Vec<_>>(), "{owner:?}");
        for status in [None, Some(accounts[0].status)] {
            let list = table.list(owner, &of_status(status), window(EVERYTHING, 0)).await.unwrap();
            let listed: Vec<_> = list.items.iter().map(|account| account.id).collect();
            let expected: Vec<_> = newest_first(&seen).into_iter().map(account_id).collect();
            assert_eq!((listed, list.total), (expected, seen.len() as u64), "{owner:?}");
        }
    }
}

async fn credentials(store: Store) {
    let keys = keys(&store).await;
    let credentials: Vec<_> = (1..).zip(&keys).map(|(n, key)| credential(n, key)).collect();
    for credential in &credentials {
        write(&store, async |tx| tx.credentials().insert(credential).await).await.unwrap();
    }
    let ids: Vec<_> = credentials.iter().map(|credential| credential.id).collect();
    for (owner, seen) in owners(&keys) {
        let table = store.credentials();
        for (n, credential) in (1..).zip(&credentials) {
            let expected = seen.contains(&n).then(|| credential.clone());
            assert_eq!(table.find(owner, credential.id).await.unwrap(), expected, "{owner:?}");
            let held = write(&store, async |tx| tx.credentials().find_for_update(owner, credential.id).await);
            assert_eq!(held.await.unwrap(), expected, "{owner:?}");
        }
        let mut many: Vec<_> = table.find_many(owner, &ids).await.unwrap().iter().map(|c| c.id).collect();
        many.sort();
        assert_eq!(many, seen.iter().map(|n| credential_id(*n)).collect::<Vec<_>>(), "{owner:?}");
        for include_revoked in [false, true] {
            let filter = CredentialFilter { include_revoked, ..CredentialFilter::default() };
            let list = table.list(owner, &filter, window(EVERYTHING, 0)).await.unwrap();
            let listed: Vec<_> = list.items.iter().map(|credential| credential.id).collect();
            let expected: Vec<_> = newest_first(&seen).into_iter().map(credential_id).collect();
            assert_eq!((listed, list.total), (expected, seen.len() as u64), "{owner:?}");
        }
    }
}

async fn usage(store: Store) {
    let keys = keys(&store).await;
    for (n, key) in (1..).zip(&keys) {
        let account = account(n, key);
        let credential =
            claviger_domain::credential::Credential { user_account: Some(account.id), ..credential(n, key) };
        write(&store, async |tx| {
            tx.user_accounts().insert(&account).await?;
            tx.credentials().insert(&credential).await?;
            tx.usage().add(&[(credential.id, at(0), Tally { total: n, ..Tally::default() })]).await
        })
        .await
        .unwrap();
    }
    let period = Period::new(at(0), at(59)).unwrap();
    for (owner, seen) in owners(&keys) {
        let table = store.usage();
        let list =
            table.by_credential(owner, UsageOf::default(), period, window(EVERYTHING, 0)).await.unwrap();
        let listed: Vec<_> = list.items.iter().map(|row| (row.credential, row.tally.total)).collect();
        let busiest_first = newest_first(&seen);
        let expected: Vec<_> = busiest_first.iter().map(|n| (credential_id(*n), *n)).collect();
        assert_eq!((listed, list.total), (expected, seen.len() as u64), "{owner:?}");
        let list = table.by_user(owner, period, window(EVERYTHING, 0)).await.unwrap();
        let listed: Vec<_> =
            list.items.iter().map(|row| (row.user_account, row.tally.total, row.credentials)).collect();
        let expected: Vec<_> = busiest_first.iter().map(|n| (account_id(*n), *n, 1)).collect();
        assert_eq!((listed, list.total), (expected, seen.len() as u64), "{owner:?}");
        for n in 1..=3 {
            let visible = if seen.contains(&n) { (n, 1) } else { (0, 0) };
            let used = table.of_user(owner, account_id(n), period).await.unwrap();
            assert_eq!((used.tally.total, used.credentials), visible, "{owner:?}");
            let of = UsageOf { user_account: Some(account_id(n)) };
            let list = table.by_credential(owner, of, period, window(EVERYTHING, 0)).await.unwrap();
            assert_eq!(list.total, visible.1, "{owner:?}");
            assert_eq!(list.items.len() as u64, visible.1, "{owner:?}");
        }
    }
}

async fn audit_log(store: Store) {
    let keys = keys(&store).await;
    for (n, key) in (1..).zip(&keys) {
        let entry = entry(n, "credential.created", key);
        write(&store, async |tx| tx.audit_log().append(&audit_keys(), std::slice::from_ref(&entry)).await)
            .await
            .unwrap();
    }
    for (owner, seen) in owners(&keys) {
        for include_reads in [false, true] {
            let filter = AuditFilter { include_reads, ..AuditFilter::default() };
            let list = store.audit_log().list(owner, filter, window(EVERYTHING, 0)).await.unwrap();
            let listed: Vec<_> = list.items.iter().map(|entry| entry.id.uuid()).collect();
            let expected: Vec<_> = newest_first(&seen).into_iter().map(|n| uuid(6, n)).collect();
            assert_eq!((listed, list.total), (expected, seen.len() as u64), "{owner:?}");
        }
    }
}
