//! A transaction that failed leaves nothing behind: what is answered afterwards is stored.

use claviger_domain::organization::Organization;
use sea_orm::ConnectionTrait;

use super::databases::File;
use super::fixtures::{organization, write};
use crate::{Store, StoreError, Tables};

/// Makes the writer's connection see a full disk: the file may not grow any more.
async fn fill(store: &Store) {
    store.writer.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
}

/// Inserts organizations in one transaction, until one needs another page.
async fn insert_many(store: &Store) -> Result<(), StoreError> {
    write(store, async |tx| {
        for n in 1_000..2_000 {
            tx.organizations().insert(&organization(n)).await?;
        }
        Ok(())
    })
    .await
}

async fn are_stored(store: &Store, organizations: &[Organization]) -> usize {
    let mut stored = 0;
    for organization in organizations {
        stored += usize::from(store.organizations().find_unscoped(organization.id).await.unwrap().is_some());
    }
    stored
}

/// Fails a write for want of space, frees the space, fails another one for a reason of its own, then writes five
/// times. Answers what was written.
async fn write_after_a_full_disk(store: &Store) -> Vec<Organization> {
    write(store, async |tx| tx.organizations().insert(&organization(1)).await).await.unwrap();
    fill(store).await;
    let refused = insert_many(store).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    // On a file the limit has gone with the connection.
    let _ = store.writer.execute_unprepared("PRAGMA max_page_count = 1073741823").await;
    let refused = write(store, async |tx| tx.organizations().insert(&organization(1)).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let written: Vec<_> = (2..=6).map(organization).collect();
    for organization in &written {
        write(store, async |tx| tx.organizations().insert(organization).await).await.unwrap();
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_after_a_full_disk_is_stored() {
    let file = File::new();
    let store = file.store().await;
    store.migrate().await.unwrap();
    let written = write_after_a_full_disk(&store).await;
    assert_eq!(are_stored(&store, &written).await, 5, "other connections see it at once");
    store.close().await;
    let again = file.store().await;
    assert_eq!(are_stored(&again, &written).await, 5, "it is there after a restart");
    again.close().await;
}
