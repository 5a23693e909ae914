//! The record of the installation, and the database as a whole.

use super::databases::File;
use super::fixtures::{uuid, write};
use crate::{Installation, Store, Tables};

on_each_database!(the_first_id_stays, progress_never_goes_back, every_table_is_named);

async fn the_first_id_stays(store: Store) {
    let found = async || store.installation().find_unscoped().await.unwrap();
    assert_eq!(found().await, None);
    assert!(write(&store, async |tx| tx.installation().set_open(true).await).await.is_err());
    for id in [uuid(1, 1), uuid(1, 2)] {
        write(&store, async |tx| tx.installation().insert_missing(id).await).await.unwrap();
        assert_eq!(found().await, Some(Installation { id: uuid(1, 1), is_open: false }));
    }
    for is_open in [true, true, false] {
        write(&store, async |tx| tx.installation().set_open(is_open).await).await.unwrap();
        assert_eq!(found().await, Some(Installation { id: uuid(1, 1), is_open }));
    }
}

async fn progress_never_goes_back(store: Store) {
    let progress = async || store.installation().progress_unscoped().await.unwrap();
    assert_eq!(progress().await, 0);
    let mut before = 0;
    for (lane, position) in [(0, 40), (1, 80), (0, 20), (0, 120)] {
        write(&store, async |tx| tx.journal_positions().put(uuid(8, 1), &[(lane, position)]).await)
            .await
            .unwrap();
        let now = progress().await;
        assert!(now >= before);
        before = now;
    }
    assert_eq!(before, 200);
}

async fn every_table_is_named(store: Store) {
    let names = store.table_names().await.unwrap();
    for table in ["installation", "audit_log", "seaql_migrations"] {
        assert!(names.iter().any(|name| name == table), "{table}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("sqlite") || name.starts_with("pg_")), "{names:?}");
    assert_eq!(store.schema_changes().await.unwrap(), Store::known_schema_changes());
}

#[tokio::test]
async fn a_copy_is_whole_and_the_log_is_merged() {
    let (place, other) = (File::new(), File::new());
    let store = place.store().await;
    assert_eq!(store.table_names().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.schema_changes().await.unwrap(), Vec::<String>::new());
    store.migrate().await.unwrap();
    write(&store, async |tx| tx.installation().insert_missing(uuid(1, 1)).await).await.unwrap();
    assert!(place.write_ahead_log() > 0);
    Store::copy_embedded(&place.url(), &other.path()).await.unwrap();
    store.checkpoint().await.unwrap();
    assert!(store.merge_log().await.unwrap());
    assert_eq!(place.write_ahead_log(), 0);
    // What is there is not overwritten.
    assert!(Store::copy_embedded(&place.url(), &other.path()).await.is_err());
    let copy = other.store().await;
    assert_eq!(copy.find_damage().await.unwrap(), None);
    assert_eq!(copy.installation().find_unscoped().await.unwrap().unwrap().id, uuid(1, 1));
    copy.close().await;
    store.close().await;
}
