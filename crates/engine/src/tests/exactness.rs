//! However many threads call at once: so much passes as may, and not one call more or less.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};

use claviger_domain::credential::Credits;

use super::super::journal::JournalSettings;
use super::*;
use crate::journal::Positions;

const THREADS: usize = 4;

/// Makes the calls of `calls`, each a key and a cost, from several threads at once. Answers each call's
/// place in the list with its decision.
fn rush(engine: &Engine, calls: &[(&str, u32)]) -> Vec<(usize, Decision)> {
    let start = Barrier::new(THREADS);
    let decided = Mutex::new(Vec::with_capacity(calls.len()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (start, decided) = (&start, &decided);
            scope.spawn(move || {
                start.wait();
                let own = calls.iter().enumerate().skip(thread).step_by(THREADS);
                let mine: Vec<_> =
                    own.map(|(place, (key, cost))| (place, decide(engine, key, *cost, at(0)))).collect();
                decided.lock().unwrap().extend(mine);
            });
        }
    });
    decided.into_inner().unwrap()
}

/// How many decisions had each code.
fn codes(decided: &[(usize, Decision)]) -> BTreeMap<&'static str, usize> {
    let mut codes = BTreeMap::new();
    for (_, decision) in decided {
        *codes.entry(decision.code.word()).or_default() += 1;
    }
    codes
}

/// What each admitted call was told to have left, from the highest.
fn told(decided: &[(usize, Decision)], of: impl Fn(&About) -> u64) -> Vec<u64> {
    let valid = decided.iter().filter(|(_, decision)| decision.code == Code::Valid);
    let mut told: Vec<_> = valid.map(|(_, decision)| of(decision.about.as_ref().unwrap())).collect();
    told.sort_unstable_by_key(|left| std::cmp::Reverse(*left));
    told
}

#[test]
fn a_limit_of_n_admits_n_of_however_many_call_at_once() {
    for (limit, calls, cost) in [
        (1, 2_000, 1),
        (137, 2_000, 1),
        (9_999, 10_000, 1),
        (10_000, 10_000, 1),
        (10_000, 5_000, 1),
        (10_000, 6_000, 3),
        (10, 500, 4),
        (10, 500, 10),
        (10, 500, 11),
    ] {
        let limits = format!("calls:{limit}/60").parse().unwrap();
        let issued = issued(1, &organization(1), None, |it| it.limits = limits);
        let engine = knowing([&issued]);
        let decided = rush(&engine, &vec![(issued.key(), cost); calls]);
        let admitted = calls.min((limit / cost) as usize);
        let passed = told(&decided, |about| u64::from(about.standings[0].remaining));
        // Each admitted call has found another remainder, without a gap.
        let expected: Vec<_> =
            (1..=admitted as u64).map(|n| u64::from(limit) - n * u64::from(cost)).collect();
        assert_eq!(passed, expected, "{limit} for {calls} calls of {cost}");
        let denied = codes(&decided).remove("RATE_LIMITED").unwrap_or_default();
        assert_eq!(denied, calls - admitted, "{limit} for {calls} calls of {cost}");
        assert_eq!(left(&engine, issued.key(), at(0)).0, [limit - admitted as u32 * cost]);
    }
}

#[test]
fn credits_are_spent_to_the_last_one_and_never_below_zero() {
    for (limit, credits, calls, cost) in [
        (10_000, 700, 2_000, 1),
        (700, 10_000, 2_000, 1),
        (500, 500, 2_000, 1),
        (10_000, 1_000, 2_000, 3),
        (1_000, 10_000, 2_000, 7),
        (5, 3, 100, 4),
        (5, 0, 100, 1),
    ] {
        let issued = issued(1, &organization(1), None, |it| {
            it.limits = format!("calls:{limit}/60").parse().unwrap();
            it.credits = Some(Credits::granted(credits, None));
        });
        let engine = knowing([&issued]);
        let decided = rush(&engine, &vec![(issued.key(), cost); calls]);
        let admitted = (u64::from(limit).min(credits) / u64::from(cost)).min(calls as u64);
        let spent = admitted * u64::from(cost);
        let balances = told(&decided, |about| about.credits.unwrap().remaining);
        let expected: Vec<_> = (1..=admitted).map(|n| credits - n * u64::from(cost)).collect();
        assert_eq!(balances, expected, "{limit}, {credits}");
        let reason =
            if u64::from(limit) < spent + u64::from(cost) { "RATE_LIMITED" } else { "CREDITS_EXHAUSTED" };
        let mut expected = BTreeMap::from([(reason, calls - admitted as usize)]);
        if admitted > 0 {
            expected.insert("VALID", admitted as usize);
        }
        assert_eq!(codes(&decided), expected, "{limit}, {credits}");
        let after = (vec![limit - spent as u32], Some(credits - spent));
        assert_eq!(left(&engine, issued.key(), at(0)), after, "both are charged, or none");
    }
}

/// Two accounts of one organization with two credentials each. What each limit has left must be what the
/// admitted calls have not spent, and nobody may be denied while there is room everywhere.
#[test]
fn shared_and_private_limits_are_charged_all_or_none() {
    for (private, of_account, of_organization) in
        [(10_000, 10_000, 1_000), (10_000, 600, 10_000), (300, 10_000, 10_000), (400, 700, 1_300)]
    {
        for most in [1, 3] {
            let acme = organization(1);
            let accounts = [user_account(1, &acme), user_account(2, &acme)];
            let issued: Vec<_> = (0..4)
                .map(|n| {
                    issued(n, &acme, Some(&accounts[n as usize / 2]), |it| {
                        // Not all name their limits in the same order.
                        let mut limits = [
                            format!("own:{private}/60"),
                            format!("all:{of_account}/60@user_account"),
                            format!("all-of-us:{of_organization}/60@organization"),
                        ];
                        limits.rotate_left(n as usize % 3);
                        it.limits = limits.join(",").parse().unwrap();
                    })
                })
                .collect();
            let engine = knowing(&issued);
            let calls: Vec<_> =
                (0..6_000).map(|n| (issued[n % 4].key(), (n / 4) as u32 % most + 1)).collect();
            let decided = rush(&engine, &calls);
            let mut spent = [0; 4];
            for (place, decision) in &decided {
                match decision.code {
                    Code::Valid => spent[place % 4] += calls[*place].1,
                    other => assert_eq!(other, Code::RateLimited),
                }
            }
            let all: u32 = spent.iter().sum();
            for (n, issued) in issued.iter().enumerate() {
                let mut remaining = left(&engine, issued.key(), at(0)).0;
                remaining.rotate_right(n % 3);
                let account = spent[n / 2 * 2] + spent[n / 2 * 2 + 1];
                let expected = [private - spent[n], of_account - account, of_organization - all];
                assert_eq!(remaining, expected, "of credential {n}, {spent:?}");
                let room = remaining.iter().min().unwrap();
                // More than enough was asked of each: the cheapest call that was made does not fit any more.
                assert_eq!(*room, 0, "of credential {n}, {spent:?}");
            }
        }
    }
}

#[test]
fn every_call_is_counted_with_what_it_was_decided() {
    let directory = tempfile::tempdir().unwrap();
    let engine = journaled(&directory, 1 << 30);
    let issued = issued(1, &organization(1), None, |it| it.limits = "calls:700/60".parse().unwrap());
    feed(&engine, &issued);
    let decided = rush(&engine, &vec![(issued.key(), 1); 2_000]);
    let counted = engine.journal().unwrap().read(10_000).unwrap().records;
    let mut codes_counted = BTreeMap::<_, usize>::new();
    for record in &counted {
        assert_eq!((record.credential, record.cost, record.at), (issued.credential.id, 1, at(0)));
        *codes_counted.entry(record.code.word()).or_default() += 1;
    }
    assert_eq!(codes_counted, codes(&decided));
    assert_eq!(codes_counted, BTreeMap::from([("VALID", 700), ("RATE_LIMITED", 1_300)]));
}

#[test]
fn a_call_that_cannot_be_counted_is_refused_and_spends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let engine = journaled(&directory, 3 * 40);
    let issued = issued(1, &organization(1), None, |it| {
        it.limits = "own:10/60,shared:10/60@organization".parse().unwrap();
        it.credits = Some(Credits::granted(10, None));
    });
    feed(&engine, &issued);
    for _ in 0..3 {
        assert_eq!(code(&engine, issued.key(), 1, at(0)), Code::Valid);
    }
    for cost in [1, 0, 100] {
        let refused = engine.verify(issued.key(), &Demand { cost, ..Demand::default() }, at(0));
        assert!(matches!(refused, Err(JournalError::Full { .. })));
    }
    let journal = engine.journal().unwrap();
    journal.drained(&journal.read(9).unwrap().upto).unwrap();
    assert_eq!(left(&engine, issued.key(), at(0)), (vec![7, 7], Some(7)));
}

fn journaled(directory: &tempfile::TempDir, max_bytes: u64) -> Engine {
    let directory = directory.path().join("journal");
    let settings = JournalSettings { directory, max_bytes, segment_bytes: 1 << 20, lanes: 2 };
    let found = Journal::find(settings, Uuid::from_u128(7)).unwrap();
    Engine::new(peppers(), Some(found.resume(&Positions::default()).unwrap()))
}
