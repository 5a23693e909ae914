//! What the drainer of a journal writes beside the calls: how far it came, and which reports it counted.

use std::collections::BTreeSet;

use claviger_domain::ids::OrganizationId;

use super::fixtures::{at, uuid, write};
use crate::{ReportId, Store, Tables};

on_each_database!(
    a_position_never_goes_back,
    reports_that_were_counted_are_known,
    the_oldest_reports_are_forgotten_first
);

async fn a_position_never_goes_back(store: Store) {
    let journal = uuid(8, 1);
    let put = async |journal, positions: &[(u32, u64)]| {
        write(&store, async |tx| tx.journal_positions().put(journal, positions).await).await.unwrap();
    };
    let of = async |journal| store.journal_positions().of(journal).await.unwrap();
    assert_eq!(of(journal).await, []);
    put(journal, &[]).await;
    put(journal, &[(u32::MAX, 5), (0, 0), (1, 7)]).await;
    put(uuid(8, 2), &[(1, 1_000)]).await;
    assert_eq!(of(journal).await, [(0, 0), (1, 7), (u32::MAX, 5)]);
    // Further, not as far, as far, and new; one lane is named twice.
    put(journal, &[(0, 9), (1, 6), (u32::MAX, 5), (2, 4), (2, 3)]).await;
    assert_eq!(of(journal).await, [(0, 9), (1, 7), (2, 4), (u32::MAX, 5)]);
    put(journal, &[(0, i64::MAX.cast_unsigned())]).await;
    assert_eq!(of(journal).await[0], (0, i64::MAX.cast_unsigned()));
    assert_eq!(of(uuid(8, 2)).await, [(1, 1_000)]);
}

/// The `n`th report, of an organization and under an id that others share.
fn report(n: u64) -> (ReportId, [u8; 32]) {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(n % 700).to_be_bytes());
    let mut fingerprint = [1; 32];
    fingerprint[..8].copy_from_slice(&n.to_be_bytes());
    ((OrganizationId::from_uuid(uuid(1, n / 2)), digest), fingerprint)
}

async fn reports_that_were_counted_are_known(store: Store) {
    // More than one statement takes, of more organizations than one statement names.
    let written: Vec<_> = (0..1_400).filter(|n| n % 3 != 0).map(report).collect();
    write(&store, async |tx| {
        tx.usage_reports().insert_many(&[], at(0)).await?;
        tx.usage_reports().insert_many(&written, at(0)).await
    })
    .await
    .unwrap();
    let asked: Vec<_> = (0..1_400).map(|n| report(n).0).collect();
    let known = store.usage_reports().fingerprints_of(&asked).await.unwrap();
    assert_eq!(known.len(), written.len());
    assert_eq!(known.into_iter().collect::<BTreeSet<_>>(), written.into_iter().collect());
    // An id that only another organization used.
    let (organization, _) = report(0).0;
    let foreign = (organization, report(2).0.1);
    assert_eq!(store.usage_reports().fingerprints_of(&[foreign]).await.unwrap(), []);
    assert_eq!(store.usage_reports().fingerprints_of(&[]).await.unwrap(), []);
}

async fn the_oldest_reports_are_forgotten_first(store: Store) {
    // Received in the opposite order of the ids.
    for n in 1..=5_u8 {
        let received = at(60 - 10 * i64::from(n));
        write(&store, async |tx| tx.usage_reports().insert_many(&[report(n.into())], received).await)
            .await
            .unwrap();
    }
    let forget = async |before, most| {
        write(&store, async |tx| tx.usage_reports().delete_older_unscoped(before, most).await).await.unwrap()
    };
    let left = async || {
        let all: Vec<_> = (1..=5).map(|n| report(n).0).collect();
        let mut left = store.usage_reports().fingerprints_of(&all).await.unwrap();
        left.sort_unstable();
        left
    };
    assert_eq!(forget(at(10), u64::MAX).await, 0, "received at ten and not before it");
    assert_eq!(forget(at(50), 0).await, 0);
    assert_eq!(forget(at(50), 3).await, 3);
    assert_eq!(left().await, [report(1), report(2)]);
    assert_eq!(forget(at(50), 3).await, 1);
    assert_eq!(left().await, [report(1)]);
    assert_eq!(forget(at(51), u64::MAX).await, 1);
}
