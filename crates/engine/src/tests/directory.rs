//! Who is known, and since when: changes, reads that they overtake, and what both leave of a purse.

use claviger_domain::credential::Credits;

use super::*;

#[test]
fn a_key_is_known_once_it_was_taken_in() {
    let acme = organization(1);
    let issued = issued(1, &acme, None, |_| {});
    let engine = engine();
    assert_eq!(code(&engine, "iiak_nonsense", 1, at(0)), Code::Malformed);
    assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::NotFound);
    feed(&engine, &issued);
    assert_eq!((code(&engine, issued.key(), 1, at(0)), engine.known_keys()), (Code::Valid, 1));
}

/// Each change is applied between the mark and the read that it overtakes.
#[test]
fn a_read_that_a_change_has_overtaken_is_refused() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let read = issued(1, &acme, Some(&account), |_| {});
    let elsewhere = organization(2);
    let strangers = issued(2, &elsewhere, None, |_| {});
    for (change, is_refused) in [
        (read.clone().revoked(), true),
        (read.clone().rotated(at(5)), true),
        (Change::UserAccount(account.clone().suspend(at(0)).unwrap().into(), Vec::new()), true),
        (Change::Organization(suspended(&acme).into()), true),
        (strangers.clone().revoked(), false),
        (Change::Organization(suspended(&elsewhere).into()), false),
    ] {
        for is_known in [false, true] {
            let engine = engine();
            if is_known {
                feed(&engine, &read);
            }
            let mark = engine.mark();
            engine.apply(change.clone());
            assert_eq!(engine.insert(mark, read.loaded()), !is_refused, "{change:?}");
            let passes = code(&engine, read.key(), 1, at(9)) == Code::Valid;
            assert_eq!(passes, !is_refused, "{change:?}");
            // Read again from a database that is behind: refused where something newer is known of the credential.
            let is_behind = is_known && matches!(change, Change::Credential(..)) && is_refused;
            assert_eq!(engine.insert(engine.mark(), read.loaded()), !is_behind, "{change:?}");
            assert_eq!(code(&engine, read.key(), 1, at(9)) == Code::Valid, !is_refused || !is_known);
        }
    }
}

#[test]
fn an_older_state_changes_nothing() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let mut issued = issued(1, &acme, Some(&account), |_| {});
    let engine = knowing([&issued]);
    let first = issued.clone();
    let renamed = issued.changed(|it| it.network = None);
    engine.apply(issued.revoked());
    for older in [renamed, Change::Credential(first.credential.clone().into(), Some(first.secrets.clone()))] {
        engine.apply(older);
        // Between the two states that were told of, one was missing when the newer came: the database is to be asked.
        assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::NotFound);
    }
    assert!(!engine.insert(engine.mark(), first.loaded()), "the database is behind");
    assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::NotFound);
    feed(&engine, &issued);
    assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::Revoked);

    let other = super::issued(2, &acme, Some(&account), |_| {});
    let stopped = account.clone().suspend(at(0)).unwrap();
    engine.apply(Change::UserAccount(stopped.into(), Vec::new()));
    engine.apply(Change::UserAccount(account.into(), Vec::new()));
    feed(&engine, &other);
    assert_eq!(code(&engine, other.key(), 1, at(0)), Code::UserSuspended);
    let other = super::issued(3, &acme, None, |_| {});
    engine.apply(Change::Organization(suspended(&acme).into()));
    engine.apply(Change::Organization(acme.into()));
    feed(&engine, &other);
    assert_eq!(code(&engine, other.key(), 1, at(0)), Code::OrganizationSuspended);
}

/// The second of two changes may be told of first: neither may be lost, least of all the end of a key.
#[test]
fn a_rotation_that_is_told_of_late_is_not_lost() {
    let mut issued = issued(1, &organization(1), None, |_| {});
    let engine = knowing([&issued]);
    let old = issued.key().to_owned();
    let rotated = issued.rotated(at(0));
    let renamed = issued.changed(|it| it.network = None);
    engine.apply(renamed);
    engine.apply(rotated);
    for key in [&*old, issued.key()] {
        assert_eq!(code(&engine, key, 1, at(1)), Code::NotFound, "the database is asked");
    }
    feed(&engine, &issued);
    assert_eq!(code(&engine, &old, 1, at(1)), Code::Expired);
    assert_eq!(code(&engine, issued.key(), 1, at(1)), Code::Valid);
}

/// As when a key is found in a list and revoked before its making has been told of.
#[test]
fn what_has_ended_before_it_was_told_of_never_begins() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let mut issued = issued(1, &acme, Some(&account), |_| {});
    let engine = engine();
    engine.apply(Change::Organization(acme.into()));
    engine.apply(Change::UserAccount(account.clone().suspend(at(0)).unwrap().into(), Vec::new()));
    engine.apply(Change::UserAccount(account.into(), Vec::new()));
    let made = Change::Credential(issued.credential.clone().into(), Some(issued.secrets.clone()));
    engine.apply(issued.revoked());
    engine.apply(made);
    assert_eq!(code(&engine, issued.key(), 1, at(1)), Code::NotFound, "the database is asked");
    feed(&engine, &issued);
    assert_eq!(code(&engine, issued.key(), 1, at(1)), Code::Revoked);
}

#[test]
fn a_rotation_leaves_the_keys_before_it_their_time() {
    let mut issued = issued(1, &organization(1), None, |it| it.limits = "calls:9/60".parse().unwrap());
    let engine = knowing([&issued]);
    engine.apply(issued.rotated(at(5_000)));
    engine.apply(issued.rotated(at(9_000)));
    assert_eq!(engine.known_keys(), 3);
    for (ms, expected) in [
        (4_999, [Code::Valid, Code::Valid, Code::Valid]),
        (5_000, [Code::Expired, Code::Valid, Code::Valid]),
        (8_999, [Code::Expired, Code::Valid, Code::Valid]),
        (9_000, [Code::Expired, Code::Expired, Code::Valid]),
    ] {
        let codes: Vec<_> = issued.keys.iter().map(|key| code(&engine, key, 1, at(ms))).collect();
        assert_eq!(codes, expected, "after {ms} ms");
    }
    assert_eq!(left(&engine, issued.key(), at(9_000)).0, [1], "all keys spend from one limit");
    // A change that tells nothing of secrets leaves them their ends.
    engine.apply(issued.changed(|it| it.limits = "calls:90/60".parse().unwrap()));
    let codes: Vec<_> = issued.keys.iter().map(|key| code(&engine, key, 0, at(9_000))).collect();
    assert_eq!(codes, [Code::Expired, Code::Expired, Code::Valid]);
}

#[test]
fn a_suspension_is_in_force_for_all_that_hang_on_it_and_for_nobody_else() {
    let (acme, other) = (organization(1), organization(2));
    let (one, two) = (user_account(1, &acme), user_account(2, &acme));
    let all = [
        issued(1, &acme, Some(&one), |_| {}),
        issued(2, &acme, Some(&one), |_| {}),
        issued(3, &acme, Some(&two), |_| {}),
        issued(4, &acme, None, |_| {}),
        issued(5, &other, None, |_| {}),
    ];
    let engine = knowing(&all);
    let codes = |engine: &Engine| all.each_ref().map(|issued| code(engine, issued.key(), 1, at(0)));
    let (user, tenant, valid) = (Code::UserSuspended, Code::OrganizationSuspended, Code::Valid);
    let stopped = one.suspend(at(0)).unwrap();
    engine.apply(Change::UserAccount(stopped.clone().into(), Vec::new()));
    assert_eq!(codes(&engine), [user, user, valid, valid, valid]);
    let closed = suspended(&acme);
    engine.apply(Change::Organization(closed.clone().into()));
    assert_eq!(codes(&engine), [user, user, tenant, tenant, valid]);
    engine.apply(Change::UserAccount(stopped.reactivate(at(0)).unwrap().into(), Vec::new()));
    assert_eq!(codes(&engine), [tenant, tenant, tenant, tenant, valid]);
    engine.apply(Change::Organization(Organization { revision: closed.revision.next(), ..acme }.into()));
    assert_eq!(codes(&engine), [valid; 5]);
}

/// A credential made just now spends from nothing that stands in a database: it is taken in as it is.
#[test]
fn what_was_made_just_now_is_in_force_if_its_owners_are_known() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let issued = issued(1, &acme, Some(&account), |_| {});
    let made = Change::Credential(issued.credential.clone().into(), Some(issued.secrets.clone()));
    let owners =
        [Change::Organization(acme.clone().into()), Change::UserAccount(account.clone().into(), Vec::new())];
    for missing in [0, 1] {
        let engine = engine();
        engine.apply(owners[1 - missing].clone());
        engine.apply(made.clone());
        assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::NotFound, "without owner {missing}");
        feed(&engine, &issued);
        assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::Valid);
    }
    let engine = engine();
    owners.into_iter().for_each(|owner| engine.apply(owner));
    engine.apply(made);
    assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::Valid);
    // An owner that is older may have spent before: only a database knows what.
    let engine = super::engine();
    engine.apply(Change::Organization(Organization { revision: acme.revision.next(), ..acme }.into()));
    engine.apply(Change::Credential(issued.credential.clone().into(), Some(issued.secrets.clone())));
    assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::NotFound);
}

#[test]
fn a_credential_whose_owner_is_not_known_is_forgotten_and_asked_for_again() {
    let acme = organization(1);
    let mut issued = issued(1, &acme, None, |it| {
        it.limits = "calls:9/60".parse().unwrap();
        it.credits = Some(Credits::granted(9, None));
    });
    let engine = knowing([&issued]);
    assert_eq!(code(&engine, issued.key(), 4, at(0)), Code::Valid);
    let account = user_account(1, &acme);
    issued.user_account = Some(account.clone());
    let mark = engine.mark();
    engine.apply(issued.changed(|it| it.user_account = Some(account.id)));
    assert_eq!(code(&engine, issued.key(), 4, at(0)), Code::NotFound);
    assert!(!engine.insert(mark, issued.loaded()), "it may have been read before the change");
    feed(&engine, &issued);
    assert_eq!(left(&engine, issued.key(), at(0)), (vec![5], Some(5)), "what was spent stays spent");
}

#[test]
fn a_purse_survives_every_replacement() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let limits = "own:10/60,ours:20/60@user_account,all:30/60@organization";
    let mut issued = issued(1, &acme, Some(&account), |it| {
        it.limits = limits.parse().unwrap();
        it.credits = Some(Credits::granted(40, None));
    });
    let engine = knowing([&issued]);
    assert_eq!(code(&engine, issued.key(), 3, at(0)), Code::Valid);
    let first = issued.loaded();
    let changes = [
        issued.changed(|it| it.scopes = "a:read".parse().unwrap()),
        issued.rotated(at(1_000)),
        Change::UserAccount(account.touched(at(0)).into(), Vec::new()),
        Change::Organization(Organization { revision: acme.revision.next(), ..acme }.into()),
    ];
    for change in changes {
        engine.apply(change);
        // A database that is behind sets nothing back either.
        assert!(!engine.insert(engine.mark(), first.clone()));
        feed(&engine, &issued);
        assert_eq!(left(&engine, issued.key(), at(0)), (vec![7, 17, 27], Some(37)));
    }
    // Another limit of the same name and window goes on with what was spent; one of another window does not.
    engine.apply(issued.changed(|it| it.limits = "own:100/60,ours:20/3600@user_account".parse().unwrap()));
    assert_eq!(left(&engine, issued.key(), at(0)).0, [97, 20]);
    engine.apply(issued.changed(|it| it.limits = limits.parse().unwrap()));
    assert_eq!(left(&engine, issued.key(), at(0)).0, [7, 17, 27]);
}

#[test]
fn what_a_database_says_was_spent_counts_for_those_not_known_before() {
    let acme = organization(1);
    let limits = "own:10/60,all:30/60@organization";
    let [one, two] = [1, 2].map(|n| issued(n, &acme, None, |it| it.limits = limits.parse().unwrap()));
    let counter = |units| Counter { cell: at(0).timestamp() / 60, current: units, previous: 0 };
    let spent = |owner, name: &str, units| LoadedCounter {
        owner,
        name: name.to_owned(),
        window_seconds: 60,
        counter: counter(units),
    };
    let engine = engine();
    let of_acme = spent(acme.id.uuid(), "all", 12);
    let of_one = spent(one.credential.id.uuid(), "own", 4);
    let loaded = Loaded { spent: vec![of_one, of_acme.clone()], ..one.loaded() };
    assert!(engine.insert(engine.mark(), loaded.clone()));
    assert_eq!(left(&engine, one.key(), at(0)).0, [6, 18]);
    assert_eq!(code(&engine, one.key(), 5, at(0)), Code::Valid);
    // The organization has spent here since: the database is behind.
    let of_two = spent(two.credential.id.uuid(), "own", 7);
    assert!(engine.insert(engine.mark(), Loaded { spent: vec![of_two, of_acme], ..two.loaded() }));
    assert!(engine.insert(engine.mark(), loaded));
    assert_eq!(left(&engine, two.key(), at(0)).0, [3, 13]);
    assert_eq!(left(&engine, one.key(), at(0)).0, [1, 13]);
}

#[test]
fn a_new_grant_sets_the_balance_and_the_same_one_does_not() {
    let granted = |grant, remaining| Some(Credits { grant, ..Credits::granted(remaining, None) });
    let mut issued = issued(1, &organization(1), None, |it| it.credits = granted(1, 10));
    let engine = knowing([&issued]);
    let balance = |engine: &Engine, issued: &Issued| left(engine, issued.key(), at(0)).1;
    assert_eq!(code(&engine, issued.key(), 4, at(0)), Code::Valid);
    for (credits, expected, why) in [
        (granted(1, 10), Some(6), "the database is behind what was spent here"),
        (granted(1, 3), Some(6), "whatever it says"),
        (granted(2, 8), Some(8), "a new grant"),
        (granted(2, 1), Some(8), ""),
        (None, None, "no balance any more"),
        (granted(3, 5), Some(5), "a balance again"),
    ] {
        engine.apply(issued.changed(|it| it.credits = credits));
        assert_eq!(balance(&engine, &issued), expected, "{why}");
    }
    assert_eq!(code(&engine, issued.key(), 6, at(0)), Code::CreditsExhausted);
}

/// Only so many changes are remembered: whoever began to read before them must begin again.
#[test]
fn a_mark_is_void_once_too_many_changes_have_followed_it() {
    let (acme, elsewhere) = (organization(1), organization(2));
    let issued = issued(1, &acme, None, |_| {});
    let engine = engine();
    let others = Change::Organization(elsewhere.into());
    let mark = engine.mark();
    for _ in 0..8_192 {
        engine.apply(others.clone());
    }
    assert!(engine.insert(mark, issued.loaded()));
    engine.apply(others.clone());
    assert!(!engine.insert(mark, issued.loaded()), "nobody knows what the first of them was about");
    feed(&engine, &issued);
    // Of those that are remembered, the oldest still counts.
    let mark = engine.mark();
    engine.apply(Change::Organization(acme.into()));
    for _ in 0..8_191 {
        engine.apply(others.clone());
    }
    assert!(!engine.insert(mark, issued.loaded()));
}

/// Whoever reads again whenever it is told to, ends with what was changed last.
#[test]
fn readers_and_changers_at_once_end_with_the_last_change() {
    for trial in 0..200 {
        let acme = organization(1);
        let mut issued = issued(trial, &acme, None, |_| {});
        let engine = engine();
        let database = std::sync::Mutex::new(issued.loaded());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let mark = engine.mark();
                        let read = database.lock().unwrap().clone();
                        std::thread::yield_now();
                        if engine.insert(mark, read) {
                            break;
                        }
                    }
                });
            }
            for last in [false, true] {
                let change = if last { issued.revoked() } else { issued.changed(|_| {}) };
                *database.lock().unwrap() = issued.loaded();
                engine.apply(change);
            }
        });
        assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::Revoked);
    }
}

#[test]
fn a_role_that_is_gone_is_forgotten() {
    let acme = organization(1);
    let roles: Vec<_> = (1..=3).map(|n| role(n, &acme, "a:read")).collect();
    let mut account = user_account(1, &acme);
    account.roles = RoleIds::new(roles.iter().map(|role| role.id)).unwrap();
    let issued = issued(1, &acme, Some(&account), |it| it.scopes = "a:*".parse().unwrap());
    let engine = engine();
    assert!(engine.insert(engine.mark(), Loaded { roles: roles.clone(), ..issued.loaded() }));
    assert_eq!(engine.directory.known_roles(), (3, 3));
    account.roles = RoleIds::new([roles[0].id]).unwrap();
    engine.apply(Change::UserAccount(account.touched(at(1)).into(), vec![roles[0].clone()]));
    for gone in &roles[1..] {
        engine.apply(Change::RoleDeleted(gone.id));
    }
    assert_eq!(engine.directory.known_roles(), (1, 1));
    // Whoever has the one that is left follows it.
    let wider = Role { permissions: "a:write".parse().unwrap(), ..roles[0].clone() }.touched(at(2));
    engine.apply(Change::Role(wider.into()));
    assert_eq!(scopes_of(&engine, issued.key()), "a:write");
}
