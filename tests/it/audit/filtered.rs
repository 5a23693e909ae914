//! Filtered exports: they say that they are filtered, verify as far as that goes, and cannot be made by leaving lines out.

use axum::body::Body;
use claviger_domain::audit::filtered::{ExportFlaw, FilteredWalk, FirstLine, SealCheck};
use claviger_domain::audit::line::Line;
use claviger_domain::audit::{ChainId, Flaw, Walked};
use claviger_domain::ids::OrganizationId;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::hostile::rows;
use crate::organization::Tenant;
use crate::support::World;

/// What verification says of the lines of one tenant's filtered export.
fn verified(world: &World, tenant: &Tenant<'_>, lines: &[&str]) -> (Option<ExportFlaw>, Walked) {
    let keys = world.app.audit_keys();
    let id = OrganizationId::parse_any(tenant.organization["id"].as_str().unwrap()).unwrap();
    let mut walk = FilteredWalk::new(keys, ChainId::from(Some(id)), &[]);
    let first = FirstLine::parse(lines[0].as_bytes()).unwrap();
    let mut seal = SealCheck::new(keys, &first, lines[0].as_bytes());
    for line in &lines[1..] {
        if !seal.take(line.as_bytes()) {
            walk.take(&Line::parse(line.as_bytes()).unwrap());
        }
    }
    (seal.end(), walk.end())
}

async fn acme(world: &World) -> Tenant<'_> {
    let acme = Tenant::new(world, "Acme").await;
    for _ in 0..4 {
        acme.key(&["users:read"], json!({})).await;
        acme.owner.get(&acme.path("/users")).await;
        world.flush().await;
    }
    acme
}

#[tokio::test]
async fn a_filtered_export_says_so_and_verifies_on_both_surfaces() {
    let world = World::new().await;
    let acme = acme(&world).await;
    let id = acme.organization["id"].as_str().unwrap();
    let plain = OrganizationId::parse_any(id).unwrap().to_string();
    for (filter, told) in [
        ("includeReads=false", json!({"organization_id": plain, "include_reads": false})),
        (
            "action=api_key.created&from=2026-01-01",
            json!({
                "organization_id": plain, "action": "api_key.created", "from": "2026-01-01T00:00:00Z",
                "include_reads": true,
            }),
        ),
    ] {
        let own = acme.owner.get(&acme.path(&format!("/audit-logs?format=ndjson&{filter}"))).await.text;
        let filter = filter.replace("includeReads", "include_reads");
        let path = format!("/admin/v1/audit-logs?format=ndjson&org_id={id}&{filter}");
        let operators = world.bootstrap().get(&path).await.text;
        for text in [own, operators] {
            let lines: Vec<_> = text.lines().collect();
            let first: Value = serde_json::from_str(lines[0]).unwrap();
            assert_eq!((&first["claviger_export"], &first["filter"]), (&json!("filtered"), &told));
            let last: Value = serde_json::from_str(lines[lines.len() - 1]).unwrap();
            assert_eq!(last["entries"], lines.len() - 2);
            let (flaw, walked) = verified(&world, &acme, &lines);
            assert_eq!((flaw, walked.broken), (None, None), "{text}");
            assert!(walked.held >= 4 && walked.held == walked.entries, "{walked:?}");
        }
    }
}

#[tokio::test]
async fn a_whole_export_has_no_first_line_of_its_own() {
    let world = World::new().await;
    let acme = acme(&world).await;
    for path in ["?format=ndjson", "?format=ndjson&from=2026-01-01", "?format=ndjson&includeReads=true"] {
        let text = acme.owner.get(&acme.path(&format!("/audit-logs{path}"))).await.text;
        assert!(text.lines().count() >= 8 && text.lines().all(|line| Line::parse(line.as_bytes()).is_some()));
    }
}

#[tokio::test]
async fn lines_left_out_of_an_export_do_not_pass_as_filtered() {
    let world = World::new().await;
    let acme = acme(&world).await;
    let filtered = acme.owner.get(&acme.path("/audit-logs?format=ndjson&includeReads=false")).await.text;
    let whole = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await.text;
    let honest: Vec<_> = filtered.lines().collect();
    let end = honest.len() - 1;
    let flaw = |lines: &[&str]| verified(&world, &acme, lines).0;
    // One of its entries is gone.
    let mut fewer = honest.clone();
    fewer.remove(2);
    assert_eq!(flaw(&fewer), Some(ExportFlaw::NotAsSealed));
    // A whole export with entries removed, between the lines of a filtered one.
    let mut forged = vec![honest[0]];
    forged.extend(whole.lines().enumerate().filter(|(place, _)| *place != 3).map(|(_, line)| line));
    forged.push(honest[end]);
    assert_eq!(flaw(&forged), Some(ExportFlaw::NotAsSealed));
    // Another filter is claimed.
    let claimed = honest[0].replace("false", "true");
    let mut other = honest.clone();
    other[0] = &claimed;
    assert_eq!(flaw(&other), Some(ExportFlaw::NotAsSealed));
    // Its number of entries is another.
    let counted = honest[end].replace(&format!(":{}", end - 1), ":99");
    let mut other = honest.clone();
    other[end] = &counted;
    assert_eq!(flaw(&other), Some(ExportFlaw::NotAsSealed));
    assert_eq!(flaw(&honest[..end]), Some(ExportFlaw::CutOff));
    let mut longer = honest.clone();
    longer.push(honest[end]);
    assert_eq!(flaw(&longer), Some(ExportFlaw::GoesOn));
    // Entries that changed places, came twice or were touched are named beside that.
    let mut swapped = honest.clone();
    swapped.swap(1, 2);
    assert_eq!(verified(&world, &acme, &swapped).1.broken.unwrap().flaw, Flaw::Reordered);
    let mut twice = honest.clone();
    twice.insert(1, honest[1]);
    assert_eq!(verified(&world, &acme, &twice).1.broken.unwrap().flaw, Flaw::Reordered);
    let touched = honest[2].replace("A key", "B key");
    let mut other = honest.clone();
    other[2] = &touched;
    assert_eq!(verified(&world, &acme, &other).1.broken.unwrap().flaw, Flaw::Changed);
}

#[tokio::test]
async fn a_filtered_table_says_so_in_its_header() {
    let world = World::new().await;
    let acme = acme(&world).await;
    let table = acme.owner.get(&acme.path("/audit-logs?format=csv&action=api_key.created")).await.text;
    let (header, rows) = table.split_once("\r\n").unwrap();
    assert!(header.ends_with(",mac,filtered_by"), "{header}");
    assert!(rows.lines().all(|row| row.contains("\"\"action\"\":\"\"api_key.created\"\"")), "{rows}");
}

/// Whether the filtered export of the owner ends as a whole response.
async fn is_finished(world: &World, acme: &Tenant<'_>) -> bool {
    let path = acme.path("/audit-logs?format=ndjson&action=api_key.created");
    let request = acme.owner.request("GET", &path).body(Body::empty()).unwrap();
    let response = world.front.clone().answer(request, None).await;
    response.status() == 200 && response.into_body().collect().await.is_ok()
}

#[tokio::test]
async fn a_broken_log_is_not_sealed_by_a_filtered_export() {
    let world = World::new().await;
    let acme = acme(&world).await;
    assert!(is_finished(&world, &acme).await);
    let created = "SELECT min(id) FROM audit_log WHERE action = 'api_key.created' AND chain_id != x'00000000000000000000000000000000'";
    // The filter would not tell of either.
    rows::run(&world, &format!("UPDATE audit_log SET action = 'api_key.updated' WHERE id = ({created})"))
        .await;
    assert!(!is_finished(&world, &acme).await, "an entry was changed");
    let updated = created.replace("created", "updated");
    rows::run(&world, &format!("DELETE FROM audit_log WHERE id = ({updated})")).await;
    assert!(!is_finished(&world, &acme).await, "an entry was removed");
}
