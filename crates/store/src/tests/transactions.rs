//! A transaction is kept whole or not at all.

use std::time::Duration;

use claviger_domain::organization::Organization;

use super::databases::File;
use super::fixtures::{organization, write};
use crate::{Store, StoreError, StoreOptions, Tables};

on_each_database!(
    what_is_answered_is_kept,
    an_error_undoes_everything,
    being_dropped_undoes_everything,
    a_panic_undoes_everything,
);

async fn is_kept(store: &Store, organization: &Organization) -> bool {
    store.organizations().find_unscoped(organization.id).await.unwrap().is_some()
}

/// Two rows of which the second may not be: the first may not stay alone.
async fn what_is_answered_is_kept(store: Store) {
    let (first, second) = (organization(1), organization(2));
    let answer = write(&store, async |tx| {
        tx.organizations().insert(&first).await?;
        tx.organizations().insert(&second).await?;
        Ok(7)
    })
    .await;
    assert!(matches!(answer, Ok(7)), "{answer:?}");
    assert!(is_kept(&store, &first).await && is_kept(&store, &second).await);
}

async fn an_error_undoes_everything(store: Store) {
    let (first, second) = (organization(1), organization(2));
    write(&store, async |tx| tx.organizations().insert(&first).await).await.unwrap();
    let answer = write(&store, async |tx| {
        tx.organizations().insert(&second).await?;
        tx.organizations().insert(&first).await
    })
    .await;
    assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
    assert!(!is_kept(&store, &second).await);
    // The connection is as good as new.
    write(&store, async |tx| tx.organizations().insert(&second).await).await.unwrap();
}

async fn being_dropped_undoes_everything(store: Store) {
    let organization = organization(1);
    let (told, written) = tokio::sync::oneshot::channel();
    let work = write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        told.send(()).unwrap();
        std::future::pending::<Result<(), StoreError>>().await
    });
    tokio::select! {
        answer = work => panic!("{answer:?}"),
        told = written => told.unwrap(),
    }
    assert!(!is_kept(&store, &organization).await);
    write(&store, async |tx| tx.organizations().insert(&organization).await).await.unwrap();
    assert!(is_kept(&store, &organization).await);
}

async fn a_panic_undoes_everything(store: Store) {
    let organization = organization(1);
    let (inner, written) = (store.clone(), organization.clone());
    let task = tokio::spawn(async move {
        write(&inner, async |tx| -> Result<(), StoreError> {
            tx.organizations().insert(&written).await?;
            panic!("in the middle of a transaction");
        })
        .await
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(!is_kept(&store, &organization).await);
    write(&store, async |tx| tx.organizations().insert(&organization).await).await.unwrap();
}

/// A read that goes around the open transaction would see another state, and in production it would
/// hold a second connection. The tests' database has only one.
#[tokio::test]
async fn a_read_around_the_transaction_fails_in_memory() {
    let options = StoreOptions { acquire_timeout: Duration::from_millis(200), ..StoreOptions::default() };
    let store = Store::connect("sqlite::memory:", &options).await.unwrap();
    store.migrate().await.unwrap();
    let organization = organization(1);
    let answer = write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        store.organizations().find_unscoped(organization.id).await
    })
    .await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(!is_kept(&store, &organization).await);
}

/// In a file the second connection is there, and sees what is committed.
#[tokio::test]
async fn readers_are_not_kept_waiting_by_a_writer() {
    let file = File::new();
    let store = file.store().await;
    store.migrate().await.unwrap();
    let organization = organization(1);
    write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        assert!(!is_kept(&store, &organization).await);
        assert!(tx.organizations().find_unscoped(organization.id).await?.is_some());
        Ok(())
    })
    .await
    .unwrap();
    assert!(is_kept(&store, &organization).await);
}

#[tokio::test]
async fn nothing_is_written_around_a_transaction() {
    let file = File::new();
    let store = file.store().await;
    store.migrate().await.unwrap();
    let answer = store.organizations().insert(&organization(1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}
