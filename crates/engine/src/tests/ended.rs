//! What leaves memory: ended keys, and counters that no credential names.

use super::*;

const DAY: i64 = 86_400_000;

#[test]
fn ended_credentials_and_secrets_leave_and_come_back_when_looked_up() {
    let acme = organization(1);
    let mut revoked = issued(1, &acme, None, |_| {});
    let expired = issued(2, &acme, None, |it| it.expires_at = Some(at(5)));
    let mut rotated = issued(3, &acme, None, |_| {});
    let live = issued(4, &acme, None, |it| it.expires_at = Some(at(DAY)));
    let engine = knowing([&revoked, &expired, &rotated, &live]);
    engine.apply(revoked.revoked());
    engine.apply(rotated.rotated(at(5)));
    assert_eq!(engine.forget_ended(at(-1)), 0, "nothing has ended by then");
    assert_eq!(engine.known_keys(), 5);
    assert_eq!(engine.forget_ended(at(5)), 3, "a revoked, an expired and a rotated key");
    assert_eq!(engine.known_keys(), 2);
    let asked = |key: &str| code(&engine, key, 1, at(6));
    for gone in [revoked.key(), expired.key(), &*rotated.keys[0]] {
        assert_eq!(asked(gone), Code::NotFound, "the database is asked");
    }
    assert_eq!([asked(rotated.key()), asked(live.key())], [Code::Valid; 2]);
    for issued in [&revoked, &expired, &rotated] {
        feed(&engine, issued);
    }
    assert_eq!(asked(revoked.key()), Code::Revoked);
    assert_eq!(asked(expired.key()), Code::Expired);
    assert_eq!([asked(&rotated.keys[0]), asked(rotated.key())], [Code::Expired, Code::Valid]);
    // An expiry that is put off brings a credential back, whether or not it is in memory.
    let mut later = expired.clone();
    assert_eq!(engine.forget_ended(at(5)), 3, "what was looked up goes again");
    engine.apply(later.changed(|it| it.expires_at = None));
    assert_eq!(asked(later.key()), Code::NotFound, "the database is asked");
    feed(&engine, &later);
    assert_eq!(asked(later.key()), Code::Valid);
    assert_eq!(engine.forget_ended(at(5)), 0);
    assert_eq!(asked(later.key()), Code::Valid);
}

#[test]
fn of_ended_keys_that_are_looked_up_few_are_kept() {
    let acme = organization(1);
    let engine = engine();
    let live = issued(1, &acme, None, |_| {});
    feed(&engine, &live);
    for n in 2..6_000 {
        let expired = issued(n, &acme, None, |it| it.expires_at = Some(at(0)));
        feed(&engine, &expired);
        let key = PresentedKey::recognise(expired.key()).unwrap();
        assert!(engine.find(key).unwrap().has_ended(at(0)));
        engine.keep_briefly(key, at(0));
        assert_eq!(code(&engine, expired.key(), 1, at(1)), Code::Expired);
        assert!(engine.known_keys() <= 4_097, "{}", engine.known_keys());
    }
    assert_eq!(code(&engine, live.key(), 1, at(1)), Code::Valid);
}

/// A tenant names its limits anew again and again: neither the pool nor its own counters grow.
#[test]
fn counters_of_names_that_nobody_has_any_more_are_dropped() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let mut issued = issued(1, &acme, Some(&account), |_| {});
    let neighbour = super::issued(2, &acme, None, |it| {
        it.limits = "all:1000/31622400@organization".parse().unwrap();
    });
    let engine = knowing([&issued, &neighbour]);
    assert_eq!(code(&engine, neighbour.key(), 7, at(0)), Code::Valid);
    let key = issued.keys[0].clone();
    let most = |engine: &Engine| {
        let known = engine.find(PresentedKey::recognise(&key).unwrap()).unwrap();
        let shared = [Pool::Organization, Pool::UserAccount]
            .map(|pool| known.snapshot.shared_purse(pool).unwrap().open().len());
        [shared[0], shared[1], known.record.purse.open().len()]
    };
    for n in 0..1_500 {
        let year = 31_622_400;
        let names = format!("a{n}:9/{year}@organization,b{n}:9/{year}@user_account,c{n}:9/{year}");
        engine.apply(issued.changed(|it| it.limits = names.parse().unwrap()));
        assert_eq!(code(&engine, &key, 1, at(0)), Code::Valid);
    }
    let [organization, user_account, own] = most(&engine);
    assert!(organization <= 66 && user_account <= 66 && own <= 17, "{organization} {user_account} {own}");
    assert_eq!(engine.counts(acme.id.uuid(), "a0", 31_622_400), Some(false));
    assert_eq!(engine.counts(acme.id.uuid(), "a1499", 31_622_400), Some(true));
    assert_eq!(engine.counts(issued.credential.id.uuid(), "c1499", 31_622_400), Some(true));
    assert_eq!(engine.counts(issued.credential.id.uuid(), "c0", 31_622_400), Some(false));
    assert_eq!(engine.counts(Uuid::nil(), "a0", 31_622_400), None);
    engine.drop_unnamed_counters();
    assert_eq!(most(&engine)[..2], [2, 1]);
    assert_eq!(left(&engine, neighbour.key(), at(0)).0, [993], "what others count stays");
    // With its last credential, a name goes.
    engine.apply(issued.revoked());
    engine.forget_ended(at(0));
    assert_eq!(engine.counts(acme.id.uuid(), "a1499", 31_622_400), Some(false));
}
