//! The chains of the audit log: whatever is done to the tables by other means is found and named, and nothing
//! that the store does itself breaks them.

use std::collections::BTreeSet;

use claviger_domain::actor::Owner;
use claviger_domain::audit::{
    AuditKeys, ChainId, Detail, End, Entry, Flaw, Head, Resource, Target, Walk, Walked,
};
use claviger_domain::ids::AuditEntryId;
use claviger_domain::secret::Peppers;
use sea_orm::ConnectionTrait;
use tokio::task::JoinSet;

use super::fixtures::{Dice, at, audit_keys, entry, owner, partner, uuid, window, write};
use crate::{AuditFilter, AuditSearch, Store, Tables};

on_each_database!(
    what_is_done_to_rows_is_named,
    every_bit_of_every_column_is_covered,
    what_is_done_to_heads_is_named,
    what_is_old_leaves_and_the_rest_is_whole,
    what_was_tampered_with_is_not_removed,
    many_at_once_leave_no_gap,
    a_batch_that_comes_again_is_chained_once,
    a_new_pepper_goes_on_with_the_chain,
    a_forged_head_is_not_made_true_by_appending,
    chains_are_found_one_after_the_other,
    a_search_agrees_with_the_entries,
);

const PAGE: u64 = 7;

async fn walk_with(store: &Store, keys: &AuditKeys, chain: ChainId) -> Walked {
    let sealed = store.audit_log().head(chain).await.unwrap();
    let head = sealed.map_or(Head::new(chain), |sealed| sealed.head);
    let mut walk = Walk::whole(keys, &head, &[]);
    let mut after = None;
    loop {
        let page = store.audit_log().of_chain(chain, after, PAGE).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        for entry in &page {
            walk.take(entry.id, &entry.link, entry.material());
        }
    }
    walk.end(End::Sealed(sealed.as_ref()))
}

async fn walk(store: &Store, chain: ChainId) -> Walked {
    walk_with(store, &audit_keys(), chain).await
}

async fn append(store: &Store, keys: &AuditKeys, entries: &[Entry]) {
    write(store, async |tx| tx.audit_log().append(keys, entries).await).await.unwrap();
}

/// A chain of this partner's with so many entries.
async fn chain(store: &Store, n: u64, many: u64) -> ChainId {
    let author = partner(store, n).await;
    let entries: Vec<_> = (1..=many)
        .map(|number| Entry {
            details: vec![("n".into(), Detail::Number(number.cast_signed()))],
            target: Some(Target { resource: Resource::Credential, id: uuid(4, number) }),
            address: Some("192.0.2.1".parse().unwrap()),
            ..entry(n * 1_000 + number, "credential.created", &author)
        })
        .collect();
    append(store, &audit_keys(), &entries).await;
    Some(author.organization).into()
}

async fn sql(store: &Store, statement: &str) {
    store.writer.execute_unprepared(statement).await.unwrap();
}

/// The literal of some bytes.
fn bytes(store: &Store, hex: &str) -> String {
    if store.is_embedded() { format!("x'{hex}'") } else { format!(r"'\x{hex}'") }
}

fn id(store: &Store, id: uuid::Uuid) -> String {
    if store.is_embedded() { bytes(store, &id.simple().to_string()) } else { format!("'{id}'") }
}

/// As somebody with the database and without the peppers may do it.
async fn what_is_done_to_rows_is_named(store: Store) {
    sql(&store, "DROP INDEX audit_log_chain_id_sequence").await;
    let columns = "at, action, is_change, author_kind, author_id, author_name, author_organization_id, \
                   author_user_id, author_user_name, admin_key_id, organization_id, target_type, target_id, address, request_id, details, chain_id, \
                   pepper, mac";
    let stranger = id(&store, uuid(6, 999_999));
    let renumber = |from: u64, by: i64| {
        format!("UPDATE audit_log SET sequence = sequence + {by} WHERE sequence >= {from} AND {{here}}")
    };
    let swap = |a: u64, b: u64| {
        format!(
            "UPDATE audit_log SET sequence = CASE sequence WHEN {a} THEN {b} ELSE {a} END \
             WHERE sequence IN ({a}, {b}) AND {{here}}"
        )
    };
    let copy = |from: u64, to: u64| {
        format!(
            "INSERT INTO audit_log (id, sequence, {columns}) SELECT {stranger}, {to}, {columns} FROM audit_log \
             WHERE sequence = {from} AND {{here}}"
        )
    };
    let deeds: Vec<(Vec<String>, u64, Flaw)> = vec![
        (vec!["DELETE FROM audit_log WHERE sequence = 1 AND {here}".into()], 1, Flaw::Removed { through: 1 }),
        (
            vec!["DELETE FROM audit_log WHERE sequence IN (9, 10) AND {here}".into()],
            9,
            Flaw::Removed { through: 10 },
        ),
        (
            vec!["DELETE FROM audit_log WHERE sequence = 20 AND {here}".into()],
            20,
            Flaw::Removed { through: 20 },
        ),
        (vec!["DELETE FROM audit_log WHERE {here}".into()], 1, Flaw::Removed { through: 20 }),
        (
            vec!["DELETE FROM audit_log WHERE sequence = 9 AND {here}".into(), renumber(10, -1)],
            9,
            Flaw::Removed { through: 9 },
        ),
        (vec![swap(5, 6)], 5, Flaw::Reordered),
        (vec![swap(3, 15)], 3, Flaw::Reordered),
        (vec!["UPDATE audit_log SET sequence = 50 WHERE sequence = 7 AND {here}".into()], 7, Flaw::Reordered),
        (vec!["UPDATE audit_log SET sequence = -7 WHERE sequence = 7 AND {here}".into()], 0, Flaw::Inserted),
        (vec![copy(5, 5)], 5, Flaw::Inserted),
        (vec![renumber(12, 1), copy(5, 12)], 12, Flaw::Inserted),
        (vec![copy(5, 21)], 21, Flaw::Inserted),
    ];
    for (n, (statements, sequence, flaw)) in (1..).zip(deeds) {
        let chain = chain(&store, n, 20).await;
        assert_eq!(walk(&store, chain).await.broken, None);
        let here = format!("chain_id = {}", id(&store, chain.uuid()));
        for statement in &statements {
            sql(&store, &statement.replace("{here}", &here)).await;
        }
        let broken = walk(&store, chain).await.broken.unwrap_or_else(|| panic!("not found: {statements:?}"));
        assert_eq!((broken.sequence, broken.flaw), (sequence, flaw), "{statements:?}");
        sql(&store, &format!("DELETE FROM audit_log WHERE {here}")).await;
    }
}

async fn every_bit_of_every_column_is_covered(store: Store) {
    sql(&store, "DROP INDEX audit_log_chain_id_sequence").await;
    let chain = chain(&store, 1, 5).await;
    let flipped = if store.is_embedded() { "1 - is_change" } else { "NOT is_change" };
    let other = id(&store, uuid(99, 99));
    let mac = bytes(&store, &"00".repeat(32));
    let short = bytes(&store, "00");
    for (column, value) in [
        ("id", other.as_str()),
        ("at", "at + 1"),
        ("action", "'credential.revoked'"),
        ("action", "'no.such'"),
        ("is_change", flipped),
        ("author_kind", "'operator'"),
        ("author_id", other.as_str()),
        ("author_id", "NULL"),
        ("author_name", "'Somebody'"),
        ("author_user_name", "'Somebody'"),
        ("author_organization_id", other.as_str()),
        ("admin_key_id", other.as_str()),
        ("organization_id", other.as_str()),
        ("organization_id", "NULL"),
        ("target_type", "'user_account'"),
        ("target_type", "NULL"),
        ("target_id", other.as_str()),
        ("address", "'192.0.2.2'"),
        ("address", "'192.0.2.001'"),
        ("request_id", "request_id || '!'"),
        ("details", "'{}'"),
        ("details", "replace(details, ':', ': ')"),
        ("sequence", "sequence + 8"),
        ("pepper", "2"),
        ("pepper", "-1"),
        ("mac", mac.as_str()),
        ("mac", short.as_str()),
        ("chain_id", other.as_str()),
    ] {
        let third = format!("request_id LIKE '%1003{}'", if column == "request_id" { "%" } else { "" });
        let old = format!("CREATE TABLE saved AS SELECT * FROM audit_log WHERE {third}");
        sql(&store, &old).await;
        sql(&store, &format!("UPDATE audit_log SET {column} = {value} WHERE {third}")).await;
        let broken =
            walk(&store, chain).await.broken.unwrap_or_else(|| panic!("{column} = {value}: not found"));
        assert_eq!(broken.sequence, 3, "{column} = {value}");
        sql(&store, &format!("DELETE FROM audit_log WHERE {third}")).await;
        sql(&store, "INSERT INTO audit_log SELECT * FROM saved").await;
        sql(&store, "DROP TABLE saved").await;
        assert_eq!(walk(&store, chain).await.broken, None, "put back");
    }
}

async fn what_is_done_to_heads_is_named(store: Store) {
    let zeros = bytes(&store, &"00".repeat(32));
    let deeds: Vec<(Vec<String>, Flaw)> = vec![
        (vec!["DELETE FROM audit_chains WHERE {here}".into()], Flaw::HeadMissing),
        (vec!["UPDATE audit_chains SET sequence = 21 WHERE {here}".into()], Flaw::HeadForged),
        (vec![format!("UPDATE audit_chains SET mac = {zeros} WHERE {{here}}")], Flaw::HeadForged),
        (vec![format!("UPDATE audit_chains SET seal = {zeros} WHERE {{here}}")], Flaw::SealBroken),
        (vec!["UPDATE audit_chains SET pepper = 9 WHERE {here}".into()], Flaw::UnknownPepper(9)),
        (
            // The tail is cut off, and the head made to fit.
            vec![
                "DELETE FROM audit_log WHERE sequence > 15 AND {here}".into(),
                "UPDATE audit_chains SET sequence = 15, mac = (SELECT mac FROM audit_log WHERE sequence = 15 AND {here}) \
                 WHERE {here}"
                    .into(),
            ],
            Flaw::SealBroken,
        ),
        (
            // The beginning is cut off, as if it had been old.
            vec![
                "UPDATE audit_chains SET pruned_through = 5, pruned_mac = (SELECT mac FROM audit_log WHERE sequence = 5 \
                 AND {here}) WHERE {here}"
                    .into(),
                "DELETE FROM audit_log WHERE sequence <= 5 AND {here}".into(),
            ],
            Flaw::AnchorForged,
        ),
    ];
    for (n, (statements, flaw)) in (1..).zip(deeds) {
        let chain = chain(&store, n, 20).await;
        let here = format!("chain_id = {}", id(&store, chain.uuid()));
        for statement in &statements {
            sql(&store, &statement.replace("{here}", &here)).await;
        }
        let broken = walk(&store, chain).await.broken;
        assert_eq!(broken.map(|broken| broken.flaw), Some(flaw), "{statements:?}");
    }
}

async fn prune(store: &Store, chain: ChainId, before: i64, most: u64) -> u64 {
    write(store, async |tx| tx.audit_log().prune(&audit_keys(), chain, at(before), at(before), most).await)
        .await
        .unwrap()
}

async fn what_is_old_leaves_and_the_rest_is_whole(store: Store) {
    let one = chain(&store, 1, 20).await;
    let other = chain(&store, 2, 20).await;
    let mut old = BTreeSet::new();
    let mut after = None;
    while let Some((chains, last)) = store.audit_log().old_chains_unscoped(at(1_008), after, 3).await.unwrap()
    {
        old.extend(chains);
        after = Some(last);
    }
    assert_eq!(old, BTreeSet::from([one, other]), "by the ids of these, all are old");
    let mut removed = Vec::new();
    loop {
        match prune(&store, one, 1_008, 3).await {
            0 => break,
            many => removed.push(many),
        }
        let walked = walk(&store, one).await;
        assert_eq!((walked.broken, walked.last), (None, 20));
    }
    assert_eq!(removed, [3, 3, 1]);
    let walked = walk(&store, one).await;
    assert_eq!((walked.first, walked.entries, walked.broken), (Some(8), 13, None));
    assert_eq!(walk(&store, other).await.entries, 20);
    // Everything may go, and the chain goes on.
    while prune(&store, one, 5_000, 1_000).await > 0 {}
    assert_eq!((walk(&store, one).await.entries, walk(&store, one).await.broken), (0, None));
    let author = super::fixtures::admin_key(1, one.organization().unwrap());
    append(&store, &audit_keys(), &[entry(1_900, "credential.created", &author)]).await;
    let walked = walk(&store, one).await;
    assert_eq!((walked.first, walked.last, walked.broken), (Some(21), 21, None));
    let list = store.audit_log().list(owner(&author), AuditFilter::default(), window(1, 0)).await.unwrap();
    assert_eq!(list.total, 1, "what triggers count knows that the old ones are gone");
    assert_eq!(prune(&store, ChainId::from_uuid(uuid(99, 1)), 5_000, 10).await, 0);
}

async fn what_was_tampered_with_is_not_removed(store: Store) {
    let chain = chain(&store, 1, 20).await;
    sql(&store, "UPDATE audit_log SET request_id = 'other' WHERE sequence = 5").await;
    assert_eq!(prune(&store, chain, 5_000, 100).await, 0);
    let broken = walk(&store, chain).await.broken.unwrap();
    assert_eq!((broken.sequence, broken.flaw), (5, Flaw::Changed));
}

/// Transactions with several chains each, in differing orders.
async fn many_at_once_leave_no_gap(store: Store) {
    let mut authors = Vec::new();
    for n in 1..=5 {
        authors.push(partner(&store, n).await);
    }
    let mut tasks = JoinSet::new();
    for batch in 0..60_u64 {
        let mut dice = Dice(batch);
        let entries: Vec<_> = (0..1 + dice.below(6))
            .map(|n| entry(batch * 100 + n, "credential.created", dice.one_of(&authors)))
            .collect();
        let store = store.clone();
        tasks.spawn(async move {
            append(&store, &audit_keys(), &entries).await;
            entries.len() as u64
        });
    }
    let written: u64 = tasks.join_all().await.into_iter().sum();
    let mut walked = 0;
    for author in &authors {
        let of_one = walk(&store, Some(author.organization).into()).await;
        assert_eq!((of_one.broken, of_one.last), (None, of_one.entries));
        walked += of_one.entries;
    }
    assert_eq!(walked, written);
}

async fn a_batch_that_comes_again_is_chained_once(store: Store) {
    let author = partner(&store, 1).await;
    let entries: Vec<_> = (1..=5).map(|n| entry(n, "credential.created", &author)).collect();
    for batch in [&entries[..3], &entries[..3], &entries[..], &entries[1..]] {
        append(&store, &audit_keys(), batch).await;
        let walked = walk(&store, Some(author.organization).into()).await;
        assert_eq!((walked.broken, walked.last), (None, walked.entries));
    }
    assert_eq!(walk(&store, Some(author.organization).into()).await.entries, 5);
}

async fn a_new_pepper_goes_on_with_the_chain(store: Store) {
    let author = partner(&store, 1).await;
    let keys = |peppers: &[u32]| {
        let peppers =
            peppers.iter().map(|version| (*version, [u8::try_from(*version).unwrap(); 32])).collect();
        Peppers::new(peppers).unwrap().audit_keys()
    };
    for (n, peppers) in [(1, &[1][..]), (2, &[1]), (3, &[1, 2]), (4, &[1, 2])] {
        append(&store, &keys(peppers), &[entry(n, "credential.created", &author)]).await;
    }
    let chain = Some(author.organization).into();
    let walked = walk_with(&store, &keys(&[1, 2]), chain).await;
    assert_eq!((walked.broken, walked.held), (None, 4));
    // A chain that nothing is added to is sealed anew, once; a forged head stays so.
    let idle = one_entry(&store, &keys(&[1]), 2).await;
    let forged = one_entry(&store, &keys(&[1]), 3).await;
    let forged_is = format!("chain_id = {}", id(&store, forged.uuid()));
    sql(&store, &format!("UPDATE audit_chains SET sequence = 7 WHERE {forged_is}")).await;
    for (given, expected) in [(&[1][..], 0), (&[2], 0), (&[1, 2], 2), (&[1, 2], 0)] {
        let done = write(&store, async |tx| tx.audit_log().seal_anew_unscoped(&keys(given), 10).await);
        assert_eq!(done.await.unwrap(), expected, "{given:?}");
    }
    assert_eq!(store.audit_log().head(idle).await.unwrap().unwrap().pepper, 2);
    assert_eq!(walk_with(&store, &keys(&[1, 2]), idle).await.broken, None);
    let broken = walk_with(&store, &keys(&[1, 2]), forged).await.broken;
    assert_eq!(broken.map(|broken| broken.flaw), Some(Flaw::SealBroken));
    for (peppers, flaw) in [(&[2][..], Flaw::UnknownPepper(1)), (&[1], Flaw::UnknownPepper(2))] {
        assert_eq!(
            walk_with(&store, &keys(peppers), chain).await.broken.map(|broken| broken.flaw),
            Some(flaw)
        );
    }
}

async fn one_entry(store: &Store, keys: &AuditKeys, n: u64) -> ChainId {
    let author = partner(store, n).await;
    append(store, keys, &[entry(n * 1_000, "credential.created", &author)]).await;
    Some(author.organization).into()
}

async fn a_forged_head_is_not_made_true_by_appending(store: Store) {
    let author = partner(&store, 1).await;
    let chain = Some(author.organization).into();
    let add = async |n| append(&store, &audit_keys(), &[entry(n, "credential.created", &author)]).await;
    for n in 1..=9 {
        add(n).await;
    }
    sql(&store, "DELETE FROM audit_log WHERE sequence > 5").await;
    sql(&store, "UPDATE audit_chains SET sequence = 5, mac = (SELECT mac FROM audit_log WHERE sequence = 5)")
        .await;
    for n in 10..=12 {
        add(n).await;
        let walked = walk(&store, chain).await;
        assert_eq!(walked.broken.map(|broken| broken.flaw), Some(Flaw::SealBroken));
        assert_eq!(walked.held, n - 4, "what is written goes on from what is there");
    }
    // Neither by removing it.
    sql(&store, "DELETE FROM audit_chains").await;
    add(13).await;
    assert_eq!(walk(&store, chain).await.broken.map(|broken| broken.flaw), Some(Flaw::SealBroken));
}

async fn chains_are_found_one_after_the_other(store: Store) {
    assert_eq!(store.audit_log().chain_after_unscoped(None).await.unwrap(), None);
    let mut expected = vec![ChainId::INSTALLATION];
    for n in [3, 1, 2] {
        expected.push(chain(&store, n, 2).await);
    }
    let author = partner(&store, 9).await;
    append(&store, &audit_keys(), &[Entry { organization: None, ..entry(1, "usage.read", &author) }]).await;
    expected.sort();
    // One without a head, and one without entries.
    sql(&store, &format!("DELETE FROM audit_chains WHERE chain_id = {}", id(&store, expected[1].uuid())))
        .await;
    sql(&store, &format!("DELETE FROM audit_log WHERE chain_id = {}", id(&store, expected[2].uuid()))).await;
    let mut found = Vec::new();
    while let Some(next) = store.audit_log().chain_after_unscoped(found.last().copied()).await.unwrap() {
        found.push(next);
    }
    assert_eq!(found, expected);
}

async fn a_search_agrees_with_the_entries(store: Store) {
    let authors = [partner(&store, 1).await, partner(&store, 2).await];
    let mut dice = Dice(5);
    let actions = ["credential.created", "credential.read", "usage.denied"];
    let entries: Vec<_> = (1..=60)
        .map(|n: u64| Entry {
            id: AuditEntryId::least_of(at(n.cast_signed())),
            target: Some(Target { resource: Resource::Credential, id: uuid(4, dice.below(3)) }),
            ..entry(n, dice.one_of::<&str>(&actions), dice.one_of(&authors))
        })
        .collect();
    append(&store, &audit_keys(), &entries).await;
    let some = |dice: &mut Dice| dice.below(3) == 0;
    for _ in 0..60 {
        let author = dice.one_of(&authors).clone();
        let search = AuditSearch {
            organization: some(&mut dice).then_some(author.organization),
            action: some(&mut dice).then(|| dice.one_of::<&str>(&actions).parse().unwrap()),
            actor: some(&mut dice).then_some(author.id.uuid()),
            target: some(&mut dice).then_some(uuid(4, dice.below(4))),
            from: some(&mut dice).then(|| at(dice.below(60).cast_signed())),
            until: some(&mut dice).then(|| at(dice.below(60).cast_signed())),
            include_reads: dice.below(2) == 0,
        };
        let expected: Vec<_> = entries.iter().rev().filter(|entry| search.admits(entry)).cloned().collect();
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|entry: &Entry| entry.id);
            let page = store.audit_log().search(Owner::Installation, &search, after, 4).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "{search:?}");
    }
}
