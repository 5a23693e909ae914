//! From the moment a change is applied, nothing that begins later is decided without it, however many
//! threads are at it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::*;

const TRIALS: usize = 1_000;
const THREADS: usize = 3;

#[derive(Default)]
struct Trial {
    /// Set once the change has been applied.
    is_over: AtomicBool,
    passed_before: AtomicU32,
    began_after: AtomicU32,
    passed_after: AtomicU32,
}

/// Applies `change` to each of many credentials while threads verify it; answers how many calls passed
/// that began when it was in force.
fn passed_after(expected: Code, change: impl Fn(&mut Issued) -> Change) -> u32 {
    let mut all: Vec<_> = (0..TRIALS as u64)
        .map(|n| {
            let organization = organization(n);
            issued(n, &organization, Some(&user_account(n, &organization)), |it| {
                // So that the threads meet at the purses, too.
                it.limits = "own:4000000000/60,shared:4000000000/60@organization".parse().unwrap();
            })
        })
        .collect();
    let engine = knowing(&all);
    let keys: Vec<_> = all.iter().map(|issued| issued.key().to_owned()).collect();
    let trials: Vec<_> = (0..TRIALS).map(|_| Trial::default()).collect();
    let current = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let n = current.load(Ordering::Acquire);
                    let (Some(trial), Some(key)) = (trials.get(n), keys.get(n)) else { break };
                    let is_over = trial.is_over.load(Ordering::Acquire);
                    let code = code(&engine, key, 1, at(0));
                    match (is_over, code) {
                        (false, Code::Valid) => trial.passed_before.fetch_add(1, Ordering::Relaxed),
                        (false, _) => 0,
                        (true, Code::Valid) => trial.passed_after.fetch_add(1, Ordering::Relaxed),
                        (true, code) => {
                            assert_eq!(code, expected);
                            trial.began_after.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                    if trial.passed_after.load(Ordering::Relaxed) > 0 {
                        trial.began_after.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for (n, (trial, issued)) in trials.iter().zip(&mut all).enumerate() {
            current.store(n, Ordering::Release);
            until(|| trial.passed_before.load(Ordering::Relaxed) > 2);
            engine.apply(change(issued));
            trial.is_over.store(true, Ordering::Release);
            until(|| trial.began_after.load(Ordering::Relaxed) > 2);
        }
        current.store(TRIALS, Ordering::Release);
    });
    trials.iter().map(|trial| trial.passed_after.load(Ordering::Relaxed)).sum()
}

fn until(holds: impl Fn() -> bool) {
    while !holds() {
        std::thread::yield_now();
    }
}

#[test]
fn no_call_passes_that_begins_after_a_revocation() {
    assert_eq!(passed_after(Code::Revoked, Issued::revoked), 0);
}

#[test]
fn no_call_passes_that_begins_after_its_organization_was_suspended() {
    let change = |it: &mut Issued| Change::Organization(suspended(&it.organization).into());
    assert_eq!(passed_after(Code::OrganizationSuspended, change), 0);
}

#[test]
fn no_call_passes_that_begins_after_its_user_account_was_suspended() {
    let change = |it: &mut Issued| {
        let account = it.user_account.clone().unwrap();
        Change::UserAccount(account.suspend(at(0)).unwrap().into(), Vec::new())
    };
    assert_eq!(passed_after(Code::UserSuspended, change), 0);
}

#[test]
fn no_call_passes_with_a_key_that_a_rotation_has_ended() {
    assert_eq!(passed_after(Code::Expired, |it| it.rotated(at(0))), 0);
}
