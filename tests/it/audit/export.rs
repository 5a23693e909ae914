//! Handing the log out, searching it, and removing what is old, as the surfaces will ask for it.

use chrono::TimeDelta;
use claviger_app::audit::{self, Format, Search};
use claviger_app::{Call, Error, Facts, Retention, background};
use claviger_domain::actor::Actor;
use claviger_domain::audit::line::Line;
use claviger_domain::audit::{ChainId, Walked};
use claviger_domain::ids::OrganizationId;

use crate::support::{Settled, World};

const EVERYTHING: Search = Search {
    organization: None,
    action: None,
    actor: None,
    target: None,
    from: None,
    until: None,
    include_reads: true,
};

fn operator(world: &World) -> Call {
    Call::new(world.app.clone(), Actor::Operator, Facts::default())
}

async fn exported(world: &World, search: Search, format: Format) -> String {
    let mut export = audit::export(&operator(world), search, format).await.unwrap();
    let mut text = Vec::new();
    while let Some(chunk) = export.next().await {
        text.extend(chunk.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn verified(world: &World) -> Vec<Walked> {
    let mut walked = Vec::new();
    audit::verify(&operator(world), None, &[], |of_one| walked.push(*of_one)).await.unwrap();
    walked
}

#[tokio::test]
async fn everything_that_is_logged_is_chained_and_exported() {
    let world = World::new().await;
    let partner = world.partner().await;
    let stranger = world.stranger().await;
    for _ in 0..3 {
        partner.credential("Production").await;
        partner.get("/v1/admin/credentials").await;
        stranger.get("/v1/admin/users").await;
        world.nobody().get("/v1/admin/credentials").await;
        world.flush().await;
    }
    let walked = verified(&world).await;
    assert!(walked.len() >= 3 && walked.iter().all(|walked| walked.broken.is_none()), "{walked:?}");
    assert_eq!(walked[0].chain, ChainId::INSTALLATION);
    let lines = exported(&world, EVERYTHING, Format::Ndjson).await;
    let entries: u64 = walked.iter().map(|walked| walked.entries).sum();
    assert_eq!(lines.lines().count() as u64, entries);
    for line in lines.lines() {
        let read = Line::parse(line.as_bytes()).unwrap();
        let mac = world.app.audit_keys().mac(read.link.pepper, read.covered);
        assert_eq!(mac, Some(read.link.mac), "{line}");
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
    }
    let csv = exported(&world, EVERYTHING, Format::Csv).await;
    assert_eq!(csv.lines().count() as u64, entries + 1);
    let own = Search { organization: walked[1].chain.organization(), ..EVERYTHING };
    let own = exported(&world, own, Format::Ndjson).await;
    assert_eq!(own.lines().count() as u64, walked[1].entries);
    assert!(lines.contains(&own));
    let unknown = Search { organization: Some(OrganizationId::from_uuid(uuid::Uuid::max())), ..EVERYTHING };
    assert_eq!(exported(&world, unknown, Format::Ndjson).await, "");
}

#[tokio::test]
async fn instants_are_the_ends_of_an_export_without_holes() {
    let world = World::new().await;
    let partner = world.partner().await;
    let mut instants = Vec::new();
    for _ in 0..6 {
        world.advance(TimeDelta::minutes(1));
        partner.credential("Production").await;
        instants.push(world.app.now());
    }
    let search = Search { from: Some(instants[1]), until: Some(instants[3]), ..EVERYTHING };
    let lines = exported(&world, search, Format::Ndjson).await;
    let sequences: Vec<_> =
        lines.lines().map(|line| Line::parse(line.as_bytes()).unwrap().link.sequence).collect();
    assert_eq!(sequences.len(), 3, "{lines}");
    assert!(sequences.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = audit::page(&operator(&world), search, after, 2).await.unwrap();
        pages.push(page.items.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 1]);
}

#[tokio::test]
async fn what_is_old_is_removed_and_the_rest_verifies() {
    let retention = Retention { audit: Some(30), ..Retention::default() };
    let world = World::settled(Settled { retention, ..Settled::default() }).await;
    let partner = world.partner().await;
    partner.credential("Old").await;
    world.advance(TimeDelta::days(29));
    partner.credential("New").await;
    world.flush().await;
    let before: u64 = verified(&world).await.iter().map(|walked| walked.entries).sum();
    background::forget(&world.app).await.unwrap();
    assert_eq!(verified(&world).await.iter().map(|walked| walked.entries).sum::<u64>(), before);
    world.advance(TimeDelta::days(2));
    background::forget(&world.app).await.unwrap();
    let walked = verified(&world).await;
    assert!(walked.iter().all(|walked| walked.broken.is_none()), "{walked:?}");
    assert!(walked.iter().map(|walked| walked.entries).sum::<u64>() < before);
    let lines = exported(&world, EVERYTHING, Format::Ndjson).await;
    assert!(lines.contains("New") && !lines.contains("\"Old\""), "{lines}");
}

#[tokio::test]
async fn an_export_nobody_takes_ends() {
    let world = World::new().await;
    let partner = world.partner().await;
    partner.credential("Production").await;
    for _ in 0..3 {
        drop(audit::export(&operator(&world), EVERYTHING, Format::Ndjson).await.unwrap());
    }
    assert!(!exported(&world, EVERYTHING, Format::Ndjson).await.is_empty());
}

#[tokio::test]
async fn whoever_may_not_see_the_log_gets_none_of_it() {
    let world = World::new().await;
    let partner = world.partner_lacking("view_audit_logs").await;
    let key = partner.key.as_deref().unwrap().parse().unwrap();
    let purpose = claviger_app::authenticate::Purpose::Change;
    let actor = claviger_app::authenticate::admin(&world.app, &key, purpose, None).await.unwrap();
    let call = Call::new(world.app.clone(), actor, Facts::default());
    assert!(matches!(audit::export(&call, EVERYTHING, Format::Csv).await, Err(Error::Refused(_))));
    assert!(matches!(audit::page(&call, EVERYTHING, None, 1).await, Err(Error::Refused(_))));
    assert!(matches!(audit::verify(&call, None, &[], |_| ()).await, Err(Error::Refused(_))));
}
