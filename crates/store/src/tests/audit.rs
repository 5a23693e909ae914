//! The audit log: what is written is read back, and filters show what they name.

use std::time::Duration;

use claviger_domain::actor::Owner;
use claviger_domain::audit::{Author, AuthorKind, Detail, Entry, Resource, Target, Verb};
use claviger_domain::ids::{AdminKeyId, AuditEntryId};
use tokio::sync::Notify;

use super::fixtures::{Dice, at, audit_keys, entry, owner, partner, uuid, window, write};
use crate::{AuditFilter, Change, Changed, Store, Tables};

on_each_database!(
    entries_are_read_back,
    filters_agree_with_the_entries,
    many_are_written_at_once,
    a_batch_that_comes_again_is_there_once,
    changes_are_fed_in_the_order_of_insertion,
    a_running_transaction_is_known_until_it_ends
);

async fn read_back(store: &Store, written: &Entry) {
    write(store, async |tx| tx.audit_log().append(&audit_keys(), std::slice::from_ref(written)).await)
        .await
        .unwrap();
    let filter = AuditFilter { include_reads: true, ..AuditFilter::default() };
    let newest = store.audit_log().list(Owner::Installation, filter, window(1, 0)).await.unwrap();
    assert_eq!(newest.items, std::slice::from_ref(written));
}

async fn entries_are_read_back(store: Store) {
    let author = partner(&store, 1).await;
    let bare =
        Entry { author: Author::UNKNOWN, organization: None, ..entry(1, "credential.denied", &author) };
    read_back(&store, &bare).await;
    let text = |text: &str| Detail::Text(text.to_owned());
    let full = Entry {
        author: Author { name: Some("Acme 'n' Söhne".into()), ..entry(2, "usage.read", &author).author },
        target: Some(Target { resource: Resource::UserAccount, id: uuid(3, 1) }),
        address: Some("2001:db8::1".parse().unwrap()),
        details: vec![
            ("name".into(), text("a \"b\" \\ \u{0} \n 🔑")),
            ("before".into(), Detail::Null),
            ("after".into(), Detail::Number(i64::MIN)),
            ("flag".into(), Detail::Flag(true)),
            ("list".into(), Detail::List(vec![Detail::Number(i64::MAX), text(""), Detail::List(vec![])])),
            ("map".into(), Detail::Map(vec![("z".into(), Detail::Flag(false)), ("a".into(), Detail::Null)])),
        ],
        ..entry(2, "user_account.updated", &author)
    };
    read_back(&store, &full).await;
    let address = Some("192.0.2.1".parse().unwrap());
    let mut n = 2;
    for kind in AuthorKind::ALL {
        n += 1;
        let author_without_key = Author { kind: *kind, ..Author::UNKNOWN };
        read_back(&store, &Entry { author: author_without_key, address, ..entry(n, "usage.read", &author) })
            .await;
    }
    for resource in Resource::ALL {
        for verb in Verb::ALL {
            n += 1;
            let action = format!("{}.{}", resource.word(), verb.word());
            let target = Some(Target { resource: *resource, id: uuid(9, n) });
            read_back(&store, &Entry { target, ..entry(n, &action, &author) }).await;
        }
    }
}

async fn filters_agree_with_the_entries(store: Store) {
    let keys = [partner(&store, 1).await, partner(&store, 2).await];
    let mut dice = Dice(11);
    let actions = ["credential.created", "credential.revoked", "credential.read", "usage.denied"];
    let mut entries = Vec::new();
    for n in 1..=80 {
        let key = dice.one_of(&keys);
        let mut entry = entry(n, dice.one_of::<&str>(&actions), key);
        if dice.below(5) == 0 {
            // The bootstrap key acts upon an organization: nobody's own entry, but the tenant's.
            entry.author = Author {
                kind: AuthorKind::Bootstrap,
                id: Some(uuid(8, 1)),
                name: None,
                organization: None,
                user: None,
            };
        }
        entry.target = (dice.below(3) > 0)
            .then(|| Target { resource: Resource::Credential, id: uuid(4, 1 + dice.below(3)) });
        entries.push(entry);
    }
    for entry in &entries {
        write(&store, async |tx| tx.audit_log().append(&audit_keys(), std::slice::from_ref(entry)).await)
            .await
            .unwrap();
    }
    entries.reverse();
    let unknown = AdminKeyId::from_uuid(uuid(2, 9));
    let owners = [owner(&keys[0]), Owner::Organization(keys[1].organization), Owner::Installation];
    for owner in owners {
        for action in [None, Some(actions[0]), Some(actions[2])] {
            for admin_key in [None, Some(keys[0].id), Some(keys[1].id), Some(unknown)] {
                for target in [None, Some(uuid(4, 1)), Some(uuid(4, 9))] {
                    for include_reads in [false, true] {
                        let action = action.map(|action| action.parse().unwrap());
                        let filter = AuditFilter { action, admin_key, target, include_reads };
                        compare(&store, &entries, owner, filter).await;
                    }
                }
            }
        }
    }
}

async fn compare(store: &Store, newest_first: &[Entry], owner: Owner, filter: AuditFilter) {
    let AuditFilter { action, admin_key, target, include_reads } = filter;
    let expected: Vec<_> = newest_first
        .iter()
        .filter(|entry| match owner {
            Owner::Installation => true,
            Owner::Organization(id) => entry.organization == Some(id),
            Owner::AdminKey(id) => entry.author.admin_key() == Some(id),
        })
        .filter(|entry| include_reads || entry.action.verb.is_change())
        .filter(|entry| action.is_none_or(|action| entry.action == action))
        .filter(|entry| admin_key.is_none() || entry.author.admin_key() == admin_key)
        .filter(|entry| target.is_none_or(|target| entry.target.is_some_and(|told| told.id == target)))
        .map(|entry| entry.id)
        .collect();
    for (limit, offset) in [(100, 0), (3, 2)] {
        let list = store.audit_log().list(owner, filter, window(limit, offset)).await.unwrap();
        let shown: Vec<AuditEntryId> = list.items.iter().map(|entry| entry.id).collect();
        let (skip, take) = (usize::try_from(offset).unwrap(), usize::try_from(limit).unwrap());
        let cut: Vec<_> = expected.iter().skip(skip).take(take).copied().collect();
        assert_eq!(shown, cut, "{owner:?} {filter:?}");
        assert_eq!(list.total, expected.len() as u64, "{owner:?} {filter:?}");
    }
}

async fn changes_are_fed_in_the_order_of_insertion(store: Store) {
    let author = partner(&store, 1).await;
    let after =
        async |revision, limit| store.audit_log().changes_after_unscoped(revision, limit).await.unwrap();
    assert_eq!(after(0, 10).await, vec![]);
    assert_eq!(store.audit_log().last_revision_unscoped().await.unwrap(), 0);
    let mut dice = Dice(2);
    let mut entries = Vec::new();
    for n in 1..=60 {
        let resource = *dice.one_of(Resource::ALL);
        let action = format!("{}.{}", resource.word(), dice.one_of(Verb::ALL).word());
        // The thing that changed, and the one that the action is named after, may be of two kinds.
        let target = Target { resource: *dice.one_of(Resource::ALL), id: uuid(9, dice.below(9)) };
        let target = (dice.below(3) > 0).then_some(target);
        entries.push(Entry { target, ..entry(n, &action, &author) });
    }
    // What is inserted last comes last, whatever its time.
    entries.reverse();
    for entry in &entries {
        let entries = std::slice::from_ref(entry);
        write(&store, async |tx| tx.audit_log().append(&audit_keys(), entries).await).await.unwrap();
    }
    let expected: Vec<_> = entries
        .iter()
        .map(|entry| {
            let target = entry.target.filter(|_| entry.action.verb.is_change());
            let changed =
                target.map(|Target { resource, id }| Changed { resource: Some(resource), target: id });
            (entry.id, changed)
        })
        .collect();
    let changes = after(0, u64::MAX).await;
    assert!(changes.is_sorted_by(|one, next| one.revision < next.revision));
    let fed = |changes: &[Change]| changes.iter().map(|it| (it.entry, it.changed)).collect::<Vec<_>>();
    assert_eq!(fed(&changes), expected);
    assert_eq!(fed(&after(0, 7).await), expected[..7]);
    assert_eq!(fed(&after(changes[6].revision, 7).await), expected[7..14]);
    let last = store.audit_log().last_revision_unscoped().await.unwrap();
    assert_eq!((last, after(last, 7).await), (changes[59].revision, vec![]));
}

/// A reader that has seen a revision knows when no lower one can appear any more.
async fn a_running_transaction_is_known_until_it_ends(store: Store) {
    if store.is_embedded() {
        assert_eq!(store.newest_transaction().await.unwrap(), 0);
        assert_eq!(store.oldest_running_transaction().await.unwrap(), 0);
        return;
    }
    let author = partner(&store, 1).await;
    let (has_written, may_end) = (Notify::new(), Notify::new());
    let writing = write(&store, async |tx| {
        tx.audit_log().append(&audit_keys(), &[entry(1, "credential.created", &author)]).await?;
        has_written.notify_one();
        may_end.notified().await;
        Ok(())
    });
    let reading = async {
        has_written.notified().await;
        let newest = store.newest_transaction().await.unwrap();
        for _ in 0..3 {
            assert!(store.oldest_running_transaction().await.unwrap() <= newest);
        }
        may_end.notify_one();
        newest
    };
    let (written, newest) = tokio::join!(writing, reading);
    written.unwrap();
    // Ids are those of the whole PostgreSQL server: transactions of other tests may still be running.
    let has_passed = async || store.oldest_running_transaction().await.unwrap() > newest;
    tokio::time::timeout(Duration::from_secs(60), async {
        while !has_passed().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

/// As when the answer to a commit was lost, and the batch comes again with what was added to it.
async fn a_batch_that_comes_again_is_there_once(store: Store) {
    let author = partner(&store, 1).await;
    let entries: Vec<_> = (1..=5).map(|n| entry(n, "credential.created", &author)).collect();
    for written in [&entries[..3], &entries[..]] {
        write(&store, async |tx| tx.audit_log().append(&audit_keys(), written).await).await.unwrap();
    }
    let list = store.audit_log().list(owner(&author), AuditFilter::default(), window(10, 0)).await.unwrap();
    assert_eq!((list.total, list.items.len()), (5, 5));
}

async fn many_are_written_at_once(store: Store) {
    let author = partner(&store, 1).await;
    let entries: Vec<_> = (1..=1_203).map(|n| entry(n, "credential.read", &author)).collect();
    write(&store, async |tx| {
        tx.audit_log().append(&audit_keys(), &[]).await?;
        tx.audit_log().append(&audit_keys(), &entries).await
    })
    .await
    .unwrap();
    let filter = AuditFilter { include_reads: true, ..AuditFilter::default() };
    let list = store.audit_log().list(owner(&author), filter, window(1, 1_202)).await.unwrap();
    assert_eq!((list.total, list.items), (1_203, vec![entries[0].clone()]));
    assert_eq!(entries[0].at, at(1));
}
