//! The totals that triggers keep agree with the rows, whatever was done to them.

use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::admin_key::AdminKey;
use claviger_domain::credential::Credential;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::fixtures::{
    Dice, account, at, audit_keys, credential, entry, of_status, owner, partner, window, write,
};
use crate::{AuditFilter, CredentialFilter, Store, StoreError, Tables, Tx};

on_each_database!(totals_agree_with_the_rows, a_rolled_back_change_is_not_counted);

/// What is in the database, as this test believes.
#[derive(Clone, Default)]
struct Model {
    accounts: Vec<UserAccount>,
    credentials: Vec<Credential>,
    /// Of each entry its author and whether it is a change.
    entries: Vec<(AdminKey, bool)>,
}

async fn totals_agree_with_the_rows(store: Store) {
    let keys = [partner(&store, 1).await, partner(&store, 2).await];
    let mut dice = Dice(2026);
    let mut model = Model::default();
    for step in 1..=150 {
        let mut next = model.clone();
        let kept = dice.below(5) != 0;
        // Some transactions make several changes, and some of them are undone.
        let answer = write(&store, async |tx| {
            for part in 0..1 + dice.below(3) {
                change(tx, &mut dice, &keys, &mut next, step * 10 + part).await?;
            }
            if kept { Ok(()) } else { Err(StoreError::Overtaken) }
        })
        .await;
        assert_eq!(answer.is_ok(), kept, "{answer:?}");
        if kept {
            model = next;
        }
        if step % 10 == 0 {
            for key in &keys {
                compare(&store, key, &model).await;
            }
        }
    }
    assert!(model.accounts.len() > 10 && model.credentials.len() > 10 && model.entries.len() > 10);
    assert!(model.credentials.iter().any(|credential| credential.revoked.is_some()));
}

async fn change(
    tx: &Tx,
    dice: &mut Dice,
    keys: &[AdminKey; 2],
    model: &mut Model,
    n: u64,
) -> Result<(), StoreError> {
    let key = dice.one_of(keys).clone();
    match dice.below(8) {
        0 | 1 => {
            let status = *dice.one_of(&AccountStatus::SHOWN);
            // What the organization made itself is in no admin key's total.
            let admin_key = Some(key.id).filter(|_| dice.below(6) != 0);
            let account = UserAccount { status, admin_key, ..account(n, &key) };
            tx.user_accounts().insert(&account).await?;
            model.accounts.push(account);
        }
        2 if !model.accounts.is_empty() => {
            let place = usize::try_from(dice.below(model.accounts.len() as u64)).unwrap();
            let status = *dice.one_of(&AccountStatus::SHOWN);
            let account = UserAccount { status, ..model.accounts[place].clone() }.touched(at(1));
            tx.user_accounts().save(&account).await?;
            model.accounts[place] = account;
        }
        3 | 4 => {
            let admin_key = Some(key.id).filter(|_| dice.below(6) != 0);
            let mut credential = Credential { admin_key, ..credential(n, &key) };
            if dice.below(4) == 0 {
                credential = credential.revoke(None, at(1)).unwrap();
            }
            tx.credentials().insert(&credential).await?;
            model.credentials.push(credential);
        }
        5 if !model.credentials.is_empty() => {
            let place = usize::try_from(dice.below(model.credentials.len() as u64)).unwrap();
            let credential = model.credentials[place].clone();
            let changed = match credential.revoked {
                // Nothing in Claviger brings one back; a repair by hand may.
                Some(_) if dice.below(3) == 0 => Credential { revoked: None, ..credential },
                Some(_) => credential,
                None => credential.revoke(None, at(2)).unwrap(),
            }
            .touched(at(2));
            let stored = Credential { revision: model.credentials[place].revision.next(), ..changed };
            tx.credentials().save(&stored).await?;
            model.credentials[place] = stored;
        }
        6 if !model.credentials.is_empty() => {
            let place = usize::try_from(dice.below(model.credentials.len() as u64)).unwrap();
            let gone = model.credentials.remove(place);
            let rows = crate::credential::row::Entity::delete_by_id(gone.id.uuid());
            assert_eq!(rows.exec(tx.connection()).await?.rows_affected, 1);
        }
        _ => {
            let action = *dice.one_of(&["credential.created", "credential.read", "usage.denied"]);
            let entries: Vec<_> = (0..=dice.below(3)).map(|i| entry(n * 4 + i, action, &key)).collect();
            tx.audit_log().append(&audit_keys(), &entries).await?;
            let is_change = action.ends_with("created");
            model.entries.extend(entries.iter().map(|_| (key.clone(), is_change)));
        }
    }
    Ok(())
}

async fn compare(store: &Store, key: &AdminKey, model: &Model) {
    let (owner, one) = (owner(key), window(1, 0));
    for status in
        [None, Some(AccountStatus::Active), Some(AccountStatus::Suspended), Some(AccountStatus::Pending)]
    {
        let is_counted = |account: &&UserAccount| {
            account.admin_key == Some(key.id) && status.is_none_or(|only| account.status == only)
        };
        let expected = model.accounts.iter().filter(is_counted).count() as u64;
        let listed = store.user_accounts().list(owner, &of_status(status), one).await.unwrap();
        assert_eq!(listed.total, expected, "{status:?}");
    }
    for include_revoked in [false, true] {
        let is_counted = |credential: &&Credential| {
            credential.admin_key == Some(key.id) && (include_revoked || credential.revoked.is_none())
        };
        let expected = model.credentials.iter().filter(is_counted).count() as u64;
        let listed = store
            .credentials()
            .list(owner, &CredentialFilter { include_revoked, ..CredentialFilter::default() }, one)
            .await
            .unwrap();
        assert_eq!(listed.total, expected, "revoked ones included: {include_revoked}");
    }
    for include_reads in [false, true] {
        let is_counted =
            |(author, is_change): &&(AdminKey, bool)| author.id == key.id && (include_reads || *is_change);
        let expected = model.entries.iter().filter(is_counted).count() as u64;
        let filter = AuditFilter { include_reads, ..AuditFilter::default() };
        let listed = store.audit_log().list(owner, filter, one).await.unwrap();
        assert_eq!(listed.total, expected, "reads included: {include_reads}");
    }
    // The model itself is right about what it believes.
    use crate::credential::row::{Column, Entity};
    let rows =
        Entity::find().filter(Column::AdminKeyId.eq(key.id.uuid())).count(&store.writer).await.unwrap();
    let believed = model.credentials.iter().filter(|credential| credential.admin_key == Some(key.id)).count();
    assert_eq!(rows, believed as u64);
}

async fn a_rolled_back_change_is_not_counted(store: Store) {
    let maker = partner(&store, 1).await;
    let answer: Result<(), StoreError> = write(&store, async |tx| {
        tx.credentials().insert(&credential(1, &maker)).await?;
        let inside = tx.credentials().list(owner(&maker), &CredentialFilter::default(), window(1, 0)).await?;
        assert_eq!(inside.total, 1);
        Err(StoreError::Overtaken)
    })
    .await;
    assert!(matches!(answer, Err(StoreError::Overtaken)), "{answer:?}");
    let outside = store.credentials().list(owner(&maker), &CredentialFilter::default(), window(1, 0)).await;
    assert_eq!(outside.unwrap().total, 0);
    let mut deleted = 0;
    for n in 2..=4 {
        write(&store, async |tx| tx.credentials().insert(&credential(n, &maker)).await).await.unwrap();
        deleted += 1;
    }
    // A delete of everything at once is seen row by row.
    let done = store.writer.execute_unprepared("DELETE FROM credentials").await.unwrap();
    assert_eq!(done.rows_affected(), deleted);
    let emptied = store.credentials().list(owner(&maker), &CredentialFilter::default(), window(1, 0)).await;
    assert_eq!(emptied.unwrap().total, 0);
}
