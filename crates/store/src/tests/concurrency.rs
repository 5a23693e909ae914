//! Many at once: nobody is told that the database is busy, and nothing is lost.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use claviger_domain::account::UserAccount;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::credential::Credits;
use claviger_domain::text::ExternalId;
use tokio::task::JoinSet;

use super::databases::File;
use super::fixtures::{
    Dice, account, account_id, at, audit_keys, credential, credential_id, entry, of_status, owner, partner,
    window, write,
};
use crate::{AuditFilter, Constraint, CredentialFilter, Left, Store, StoreError, Tables};

on_each_database!(
    a_thousand_writers_at_once,
    one_of_many_gets_the_external_id,
    spending_is_not_lost,
    status_changes_do_not_block_each_other,
    batches_of_several_authors_do_not_block_each_other,
    abandoned_at_any_moment_a_write_is_whole_or_absent,
);

/// A credential and its audit entry, as a use case writes them: after a look at what is there.
async fn create(store: &Store, key: &AdminKey, n: u64) -> Result<(), StoreError> {
    write(store, async |tx| {
        assert!(tx.organizations().find_unscoped(key.organization).await?.is_some());
        tx.credentials().insert(&credential(n, key)).await?;
        tx.audit_log().append(&audit_keys(), &[entry(n, "credential.created", key)]).await
    })
    .await
}

async fn all(tasks: JoinSet<Result<(), StoreError>>) {
    for answer in tasks.join_all().await {
        answer.unwrap();
    }
}

async fn assert_total(store: &Store, key: &AdminKey, expected: u64) {
    let list =
        store.credentials().list(owner(key), &CredentialFilter::default(), window(1, expected - 1)).await;
    let list = list.unwrap();
    assert_eq!((list.total, list.items.len()), (expected, 1));
    let log =
        store.audit_log().list(owner(key), AuditFilter::default(), window(1, expected - 1)).await.unwrap();
    assert_eq!((log.total, log.items.len()), (expected, 1));
}

async fn a_thousand_writers_at_once(store: Store) {
    let key = Arc::new(partner(&store, 1).await);
    let mut tasks = JoinSet::new();
    for n in 1..=1_000 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            create(&store, &key, n).await?;
            // Some read while the others write.
            match n % 10 {
                0 => store.credentials().find(owner(&key), credential_id(n)).await.map(drop),
                _ => Ok(()),
            }
        });
    }
    all(tasks).await;
    assert_total(&store, &key, 1_000).await;
}

async fn one_of_many_gets_the_external_id(store: Store) {
    let key = Arc::new(partner(&store, 1).await);
    let mut tasks = JoinSet::new();
    for n in 1..=100 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            let external_id = Some(ExternalId::new("the only one").unwrap());
            let account = UserAccount { external_id, ..account(n, &key) };
            write(&store, async |tx| tx.user_accounts().insert(&account).await).await
        });
    }
    let answers = tasks.join_all().await;
    let conflicts = answers
        .iter()
        .filter(|answer| matches!(answer, Err(StoreError::Conflict(Constraint::ExternalId))))
        .count();
    assert_eq!((conflicts, answers.iter().filter(|answer| answer.is_ok()).count()), (99, 1));
}

async fn spending_is_not_lost(store: Store) {
    let key = Arc::new(partner(&store, 1).await);
    let mut credential = credential(1, &key);
    credential.credits = Some(Credits::granted(1_000, None));
    write(&store, async |tx| tx.credentials().insert(&credential).await).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            write(&store, async |tx| {
                let held = tx.credentials().find_for_update(owner(&key), credential_id(1)).await?.unwrap();
                let credits = held.credits.map(|now| Credits { remaining: now.remaining - 3, ..now });
                let left = Left { credential: credential_id(1), used_at: Some(at(1)), credits };
                tx.credentials().leave_unscoped(&[left]).await
            })
            .await
        });
    }
    all(tasks).await;
    let left = store.credentials().find(owner(&key), credential_id(1)).await.unwrap().unwrap();
    assert_eq!(left.credits.map(|credits| credits.remaining), Some(700));
}

/// Suspending takes from one count and adds to another; reactivating the other way round.
async fn status_changes_do_not_block_each_other(store: Store) {
    let key = Arc::new(partner(&store, 1).await);
    for n in 1..=8 {
        write(&store, async |tx| tx.user_accounts().insert(&account(n, &key)).await).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for n in 1..=8 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            for _ in 0..20 {
                write(&store, async |tx| {
                    let held = tx.user_accounts().find_for_update(owner(&key), account_id(n)).await?.unwrap();
                    let changed = match held.is_suspended() {
                        true => held.reactivate(at(1)),
                        false => held.suspend(at(1)),
                    };
                    tx.user_accounts().save(&changed.unwrap()).await
                })
                .await?;
            }
            Ok(())
        });
    }
    all(tasks).await;
    let active = Some(claviger_domain::account::AccountStatus::Active);
    let list = store.user_accounts().list(owner(&key), &of_status(active), window(1, 0)).await.unwrap();
    assert_eq!(list.total, 8);
}

/// As when several servers write down what was read there: the order of authors differs.
async fn batches_of_several_authors_do_not_block_each_other(store: Store) {
    let mut keys = Vec::new();
    for n in 1..=10 {
        keys.push(partner(&store, n).await);
    }
    let mut tasks = JoinSet::new();
    for batch in 0..8_u64 {
        let mut entries: Vec<_> = (1..)
            .zip(&keys)
            .map(|(n, key)| entry(batch * 100 + n, ["usage.read", "credential.created"][n as usize % 2], key))
            .collect();
        if batch % 2 == 0 {
            entries.reverse();
        }
        let store = store.clone();
        tasks.spawn(async move {
            write(&store, async |tx| tx.audit_log().append(&audit_keys(), &entries).await).await
        });
    }
    all(tasks).await;
    let list = store.audit_log().list(owner(&keys[0]), AuditFilter::default(), window(1, 0)).await.unwrap();
    assert_eq!(list.total, 8);
}

/// As when clients hang up, or requests take too long.
async fn abandoned_at_any_moment_a_write_is_whole_or_absent(store: Store) {
    let key = partner(&store, 1).await;
    let mut dice = Dice(3);
    let (mut answered, mut abandoned) = (0, 0);
    for n in 1..=300 {
        let mut work = pin!(create(&store, &key, n));
        // It takes about eight steps where nothing has to be waited for, and more where something has.
        let mut steps = dice.below(16);
        let answer = poll_fn(|context| match steps.checked_sub(1) {
            None => Poll::Ready(None),
            Some(left) => {
                steps = left;
                work.as_mut().poll(context).map(Some)
            }
        });
        match answer.await {
            Some(answer) => {
                answer.unwrap();
                answered += 1;
            }
            None => abandoned += 1,
        }
    }
    create(&store, &key, 301).await.unwrap();
    assert!(abandoned > 20 && answered > 20, "{answered} answered, {abandoned} abandoned");
    let list =
        store.credentials().list(owner(&key), &CredentialFilter::default(), window(1, 0)).await.unwrap();
    let log = store.audit_log().list(owner(&key), AuditFilter::default(), window(1, 0)).await.unwrap();
    assert_eq!(list.total, log.total, "each credential with its entry, and no entry without its credential");
    assert!((answered + 1..=301).contains(&list.total), "{} of {answered}", list.total);
}

/// As when a command is run beside the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_to_the_file_is_never_told_that_it_is_busy() {
    let file = File::new();
    let stores = [file.store().await, file.store().await];
    stores[0].migrate().await.unwrap();
    let key = Arc::new(partner(&stores[0], 1).await);
    let mut tasks = JoinSet::new();
    for n in 1..=400 {
        let (store, key) = (stores[usize::from(n % 2 == 0)].clone(), key.clone());
        tasks.spawn(async move {
            create(&store, &key, n).await?;
            let found = store.credentials().find(owner(&key), credential_id(n)).await?;
            assert!(found.is_some(), "what was answered is there");
            Ok(())
        });
    }
    all(tasks).await;
    for store in &stores {
        assert_total(store, &key, 400).await;
    }
}
