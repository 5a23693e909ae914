//! What an engine loads at its start: everything there is, in pages and by long lists of ids.

use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, OrganizationId};
use claviger_domain::secret::SecretVersion;

use super::fixtures::{
    account, account_id, at, credential, credential_id, organization, owner, partner, secret, uuid, write,
};
use crate::{Store, Tables};

on_each_database!(pages_join_to_everything, long_lists_of_ids_are_answered_whole);

async fn pages_join_to_everything(store: Store) {
    let keys = [partner(&store, 1).await, partner(&store, 2).await];
    let page = async |after, most| store.credentials().page_unscoped(after, at(5), most).await.unwrap();
    assert_eq!(page(None, 10).await, []);
    let mut written: Vec<_> = (1..=7).map(|n| credential(n, &keys[usize::from(n > 3)])).collect();
    written[1].admin_key = None;
    written[4] = written[4].clone().revoke(None, at(6)).unwrap();
    written[5].expires_at = Some(at(6));
    write(&store, async |tx| {
        for n in [6, 0, 3, 5, 1, 4, 2] {
            tx.credentials().insert(&written[n]).await?;
        }
        // Those that ended by the horizon are left out, wherever they stand.
        for n in 8..=9 {
            let ended = Credential { expires_at: Some(at(5)), ..credential(n, &keys[0]) };
            tx.credentials().insert(&ended).await?;
        }
        let revoked = credential(10, &keys[0]).revoke(None, at(4)).unwrap();
        tx.credentials().insert(&revoked).await
    })
    .await
    .unwrap();
    for most in [1, 2, 7, 8, u64::MAX] {
        let mut read: Vec<Credential> = Vec::new();
        loop {
            let mut rows = page(read.last().map(|last| last.id), most).await;
            assert!(rows.len() as u64 <= most);
            if rows.is_empty() {
                break;
            }
            read.append(&mut rows);
        }
        assert_eq!(read, written, "{most}");
    }
    assert_eq!(page(Some(CredentialId::from_uuid(uuid::Uuid::max())), 1).await, []);
}

async fn long_lists_of_ids_are_answered_whole(store: Store) {
    let maker = partner(&store, 1).await;
    let accounts: Vec<UserAccount> = (1..=1_100).map(|n| account(n, &maker)).collect();
    let credentials: Vec<Credential> = (1..=1_100).map(|n| credential(n, &maker)).collect();
    // Of every tenth two secrets, of the others one.
    let mut secrets: Vec<(CredentialId, SecretVersion)> = Vec::new();
    for n in 1..=1_100 {
        secrets.push((credential_id(n), secret(n, 1)));
        if n % 10 == 0 {
            let second = SecretVersion { ends_at: Some(at(-1)), ..secret(10_000 + n, 2) };
            secrets.push((credential_id(n), second));
        }
    }
    write(&store, async |tx| {
        for (account, credential) in accounts.iter().zip(&credentials) {
            tx.user_accounts().insert(account).await?;
            tx.credentials().insert(credential).await?;
        }
        for (holder, secret) in &secrets {
            tx.secrets().insert(*holder, secret).await?;
        }
        Ok(())
    })
    .await
    .unwrap();

    // More ids than a statement takes parameters; most are unknown, and the known ones are there twice.
    let numbers = || (1..=40_000).chain(1..=1_100);
    let ids: Vec<_> = numbers().map(account_id).collect();
    for owner in [owner(&maker), Owner::Installation] {
        let mut found = store.user_accounts().find_many(owner, &ids).await.unwrap();
        found.sort_by_key(|account| account.id);
        assert!(found == accounts, "{owner:?}: {}", found.len());
    }
    let ids: Vec<_> = numbers().map(credential_id).collect();
    let mut found = store.credentials().find_many(owner(&maker), &ids).await.unwrap();
    found.sort_by_key(|credential| credential.id);
    assert!(found == credentials, "{}", found.len());
    let mut found = store.secrets().of_many(&ids).await.unwrap();
    found.sort_by_key(|(holder, secret)| (*holder, secret.number));
    assert!(found == secrets, "{}", found.len());
    assert_eq!(store.secrets().of_many(&[]).await.unwrap(), []);
    let ids: Vec<_> = numbers().map(|n| OrganizationId::from_uuid(uuid(1, n))).collect();
    assert_eq!(store.organizations().find_many_unscoped(&ids).await.unwrap(), [organization(1)]);
}
