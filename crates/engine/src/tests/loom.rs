//! Every order in which threads can get to the engine's locks. What the tables of readers do inside
//! themselves is not looked into.

use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::sync::Mutex;
use ::loom::thread;

use super::*;

/// In more orders than these, more than so often, a thread would have to be stopped where it need not wait.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Two credentials name the limits they share in opposite orders: whoever took the locks in that order would
/// wait for ever, and loom says so.
#[test]
fn calls_and_changes_never_wait_for_each_other_and_charge_all_or_none() {
    let acme = organization(1);
    let account = user_account(1, &acme);
    let issued = [
        "own:5/60,ours:5/60@user_account,all:3/60@organization",
        "all:3/60@organization,ours:5/60@user_account,own:5/60",
    ];
    let issued = [0, 1]
        .map(|n| super::issued(n as u64, &acme, Some(&account), |it| it.limits = issued[n].parse().unwrap()));
    let change = issued[0].clone().rotated(at(9));
    explore(move || {
        let engine = Arc::new(knowing(&issued));
        let callers = issued.each_ref().map(|issued| {
            let (engine, key) = (engine.clone(), issued.key().to_owned());
            thread::spawn(move || code(&engine, &key, 2, at(0)))
        });
        engine.apply(change.clone());
        let codes = callers.map(|caller| caller.join().unwrap());
        let passed = codes.map(|code| code == Code::Valid);
        assert!(passed[0] != passed[1], "of three units, one call of two takes two: {codes:?}");
        let spent = passed.map(|passed| if passed { 2 } else { 0 });
        assert_eq!(left(&engine, issued[0].key(), at(0)).0, [5 - spent[0], 3, 1]);
        assert_eq!(left(&engine, issued[1].key(), at(0)).0, [1, 3, 5 - spent[1]]);
    });
}

#[test]
fn a_reader_that_is_told_to_read_again_ends_with_the_last_change() {
    let mut before = issued(1, &organization(1), None, |_| {});
    let first = before.loaded();
    let changes = [before.changed(|_| {}), before.revoked()];
    explore(move || {
        let engine = Arc::new(engine());
        let database = Arc::new(Mutex::new(first.clone()));
        let reader = {
            let (engine, database) = (engine.clone(), database.clone());
            thread::spawn(move || {
                loop {
                    let mark = engine.mark();
                    let read = database.lock().unwrap().clone();
                    if engine.insert(mark, read) {
                        break;
                    }
                }
            })
        };
        for change in &changes {
            if let Change::Credential(credential, _) = change {
                database.lock().unwrap().credential = (**credential).clone();
            }
            engine.apply(change.clone());
        }
        reader.join().unwrap();
        assert_eq!(code(&engine, before.key(), 1, at(0)), Code::Revoked);
    });
}

/// The balance that a change brings and the one that a call is just spending do not undo each other.
#[test]
fn a_grant_and_a_call_do_not_undo_each_other() {
    use claviger_domain::credential::Credits;
    let mut issued = issued(1, &organization(1), None, |it| it.credits = Some(Credits::granted(5, None)));
    let first = issued.clone();
    let same = issued.changed(|_| {});
    let new = issued.changed(|it| it.credits = Some(Credits { grant: 2, ..Credits::granted(9, None) }));
    explore(move || {
        let engine = Arc::new(knowing([&first]));
        let caller = {
            let (engine, key) = (engine.clone(), first.key().to_owned());
            thread::spawn(move || decide(&engine, &key, 2, at(0)).about.unwrap().credits.unwrap())
        };
        engine.apply(same.clone());
        engine.apply(new.clone());
        let told = caller.join().unwrap();
        let expected = if told.grant == 1 { (3, 9) } else { (7, 7) };
        let balance = left(&engine, first.key(), at(0)).1;
        assert_eq!((told.remaining, balance), (expected.0, Some(expected.1)), "of grant {}", told.grant);
    });
}
