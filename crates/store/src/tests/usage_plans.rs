//! How SQLite goes about analytics: neither more keys nor a longer time may make it read everything.

use claviger_domain::actor::Owner;
use claviger_domain::ids::OrganizationId;
use claviger_domain::period::{Cells, Span};
use claviger_domain::usage::Tally;

use super::databases::memory;
use super::fixtures::{at, credential, partner, uuid, write};
use super::overheard::plans;
use crate::Tables;

const YEAR: Cells = Cells { span: Span::Day, from: 0, until: 366 * 86_400 };

fn tenant() -> Owner {
    Owner::Organization(OrganizationId::from_uuid(uuid(1, 1)))
}

fn scans(plan: &[String]) -> bool {
    plan.iter().any(|step| step.starts_with("SCAN") && !step.ends_with("VALUES CLAUSE"))
}

#[tokio::test]
async fn the_busiest_are_found_by_the_edges_of_the_period() {
    let store = memory().await;
    let maker = partner(&store, 1).await;
    for n in 1..=3 {
        let credential = credential(n, &maker);
        write(&store, async |tx| {
            tx.credentials().insert(&credential).await?;
            tx.usage().add(&[(credential.id, at(0), Tally::decided(true, 1))]).await
        })
        .await
        .unwrap();
    }
    let ever = Cells { until: i64::MAX, ..YEAR };
    let plan = plans(&store, &async |tables| tables.usage().busiest(tenant(), ever, 10).await).await;
    let reads: Vec<_> =
        plan.iter().filter(|step| step.starts_with("SCAN") || step.contains(" usage")).collect();
    let edge = "SEARCH usage USING PRIMARY KEY \
                (credential_id=? AND span_seconds=? AND starts_at>? AND starts_at<?)";
    assert_eq!(reads, [edge; 3], "{plan:#?}");
    assert!(plan.iter().any(|step| step.contains("credentials_organization_id_id")), "{plan:#?}");
}

#[tokio::test]
async fn outcomes_are_read_and_deleted_by_index() {
    let found = "SEARCH usage_outcomes USING PRIMARY KEY (owner_id=? AND span_seconds=? AND starts_at>? AND starts_at<?)";
    let store = memory().await;
    for owner in [tenant(), Owner::Installation] {
        let plan = plans(&store, &async |tables| tables.usage_outcomes().series(owner, YEAR).await).await;
        assert_eq!(plan, [found]);
        let plan = plans(&store, &async |tables| tables.usage_outcomes().by_outcome(owner, YEAR).await).await;
        assert_eq!(plan[0], found, "at most a year's");
    }
    let plan = plans(&store, &async |tables| {
        tables.usage_outcomes().delete_older(Owner::Installation, Span::Hour, 0, 1_000).await
    })
    .await;
    assert!(!scans(&plan), "{plan:#?}");
}

#[tokio::test]
async fn new_buckets_are_placed_by_index() {
    let store = memory().await;
    let maker = partner(&store, 1).await;
    write(&store, async |tx| tx.credentials().insert(&credential(1, &maker)).await).await.unwrap();
    // Calls, and calls before them.
    let calls = |hour: i64| [(credential(1, &maker).id, at(hour * 3_600), Tally::decided(true, 1))];
    write(&store, async |tx| tx.usage().add(&calls(50)).await).await.unwrap();
    let plan = plans(&store, &async |tables| tables.usage().add(&calls(1)).await).await;
    assert!(!scans(&plan), "{plan:#?}");
    assert!(plan.iter().any(|step| step.contains("usage_unplaced")), "{plan:#?}");
}
