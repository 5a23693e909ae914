//! What calls leave behind: balances, last uses, counters of limits; and the answers that are kept.

use chrono::TimeDelta;
use claviger_domain::actor::Owner;
use claviger_domain::credential::{Credential, Credits, Refill};
use claviger_domain::limit::Counter;

use super::fixtures::{Dice, at, credential, credential_id, owner, partner, uuid, write};
use crate::{KeptAnswer, Left, Spent, Store, Tables};

on_each_database!(
    a_call_leaves_its_time_and_balance,
    many_calls_leave_the_last_time_and_balance,
    counters_are_put_and_read_by_owner,
    answers_are_kept_and_forgotten
);

async fn a_call_leaves_its_time_and_balance(store: Store) {
    let maker = partner(&store, 1).await;
    let refill = Refill { amount: 50, every: TimeDelta::hours(1), since: at(0) };
    let credits = Credits::granted(10, Some(refill));
    let written = Credential { credits: Some(credits), ..credential(1, &maker) };
    let other = Credential { credits: Some(credits), ..credential(2, &maker) };
    write(&store, async |tx| {
        tx.credentials().insert(&written).await?;
        tx.credentials().insert(&other).await
    })
    .await
    .unwrap();
    let find = async || store.credentials().find(owner(&maker), written.id).await.unwrap().unwrap();
    let leave = async |left: Left| {
        write(&store, async |tx| tx.credentials().leave_unscoped(&[left]).await).await.unwrap();
    };

    leave(Left { credential: written.id, used_at: Some(at(5)), credits: None }).await;
    let used = Credential { last_used_at: Some(at(5)), ..written.clone() };
    assert_eq!(find().await, used, "the balance is as it was, and so is the revision");

    let spent = Credits::granted(3, Some(Refill { since: at(3_600), ..refill }));
    leave(Left { credential: written.id, used_at: Some(at(6)), credits: Some(spent) }).await;
    let after = Credential { last_used_at: Some(at(6)), credits: Some(spent), ..written.clone() };
    assert_eq!(find().await, after);

    // A change of the credential afterwards is made in the revision that was read before the call.
    let renamed = Credential { credits: after.credits, ..written.clone().touched(at(7)) };
    write(&store, async |tx| tx.credentials().save(&renamed).await).await.unwrap();
    assert_eq!(find().await, Credential { last_used_at: Some(at(6)), ..renamed });
    assert_eq!(store.credentials().find(owner(&maker), other.id).await.unwrap(), Some(other));
}

/// Against the same done by hand, over more credentials than one statement takes.
async fn many_calls_leave_the_last_time_and_balance(store: Store) {
    let maker = partner(&store, 1).await;
    let mut dice = Dice(5);
    let refill = Refill { amount: 50, every: TimeDelta::hours(1), since: at(0) };
    let mut expected: Vec<Credential> = (0..230)
        .map(|n| {
            let refill = (n % 3 == 0).then_some(refill);
            let credits = (n % 2 == 0).then_some(Credits::granted(n, refill));
            let last_used_at = (dice.below(3) > 0).then(|| at(dice.below(100).cast_signed()));
            Credential { credits, last_used_at, ..credential(n, &maker) }
        })
        .collect();
    write(&store, async |tx| {
        for credential in &expected {
            tx.credentials().insert(credential).await?;
        }
        tx.credentials().leave_unscoped(&[]).await
    })
    .await
    .unwrap();
    // Both, uses only, balances only, neither; and some credentials twice.
    for (uses, balances) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut left = Vec::new();
        for _ in 0..300 {
            let credential = dice.one_of(&expected);
            let used_at = (uses && dice.below(2) == 0).then(|| at(dice.below(100).cast_signed()));
            let credits = credential.credits.filter(|_| balances && dice.below(2) == 0).map(|credits| {
                let since = at(dice.below(9_000).cast_signed());
                let refill = credits.refill.map(|refill| Refill { since, ..refill });
                Credits { remaining: dice.below(1_000), refill, ..credits }
            });
            left.push(Left { credential: credential.id, used_at, credits });
        }
        left.push(Left { credential: credential_id(999), used_at: Some(at(1)), credits: None });
        write(&store, async |tx| tx.credentials().leave_unscoped(&left).await).await.unwrap();
        for Left { credential, used_at, credits } in left {
            for held in expected.iter_mut().filter(|held| held.id == credential) {
                held.last_used_at = held.last_used_at.max(used_at);
                held.credits = credits.or(held.credits);
            }
        }
        let ids: Vec<_> = expected.iter().map(|credential| credential.id).collect();
        let mut kept = store.credentials().find_many(Owner::Installation, &ids).await.unwrap();
        kept.sort_by_key(|credential| credential.id);
        assert_eq!(kept, expected, "{uses} {balances}");
    }
}

async fn counters_are_put_and_read_by_owner(store: Store) {
    let spent = |owner: u64, name: &str, window_seconds: u32, n: u64| Spent {
        owner: uuid(8, owner),
        name: name.to_owned(),
        window_seconds,
        counter: Counter { cell: n.cast_signed() - 5, current: n + 1, previous: n + 2 },
    };
    let put = async |spent: &[Spent]| {
        write(&store, async |tx| tx.counters().put(spent).await).await.unwrap();
    };
    let of = async |owners: &[u64]| {
        let owners: Vec<_> = owners.iter().map(|owner| uuid(8, *owner)).collect();
        let mut found = store.counters().of_owners(&owners).await.unwrap();
        found.sort_by_key(|spent| (spent.owner, spent.name.clone(), spent.window_seconds));
        found
    };
    put(&[]).await;
    assert_eq!(of(&[1, 2]).await, []);
    put(&[spent(1, "a", 60, 1), spent(1, "a", 3_600, 2), spent(1, "b", 60, 3), spent(2, "a", 60, 4)]).await;
    assert_eq!(of(&[1]).await, [spent(1, "a", 60, 1), spent(1, "a", 3_600, 2), spent(1, "b", 60, 3)]);
    put(&[spent(1, "a", 60, 11), spent(2, "b", 60, 5)]).await;
    assert_eq!(of(&[2, 3]).await, [spent(2, "a", 60, 4), spent(2, "b", 60, 5)]);
    assert_eq!(of(&[1]).await, [spent(1, "a", 60, 11), spent(1, "a", 3_600, 2), spent(1, "b", 60, 3)]);
    // More than one statement takes.
    let many: Vec<_> = (100..1_300).map(|owner| spent(owner, "requests", 60, owner)).collect();
    put(&many).await;
    assert_eq!(of(&(100..1_300).collect::<Vec<_>>()).await, many);
}

async fn answers_are_kept_and_forgotten(store: Store) {
    let answer = |n: u8, seconds| KeptAnswer {
        caller: uuid(7, 1),
        key_hash: [n; 32],
        fingerprint: [n + 100; 32],
        sealed: (0..=255).cycle().take(5_000).collect(),
        created_at: at(seconds),
    };
    let written =
        [answer(1, 0), answer(2, 10), answer(3, 20), KeptAnswer { sealed: vec![], ..answer(4, 30) }];
    for answer in &written {
        write(&store, async |tx| tx.kept_answers().insert(answer).await).await.unwrap();
    }
    let find = async |caller, n: u8| store.kept_answers().find(uuid(7, caller), &[n; 32]).await.unwrap();
    for (n, answer) in (1..).zip(&written) {
        assert_eq!(find(1, n).await.as_ref(), Some(answer));
    }
    assert_eq!(find(2, 1).await, None, "somebody else's");
    assert_eq!(find(1, 9).await, None);
    let forget = async |before| {
        write(&store, async |tx| tx.kept_answers().delete_older_unscoped(before, 2).await).await.unwrap()
    };
    assert_eq!(forget(at(10)).await, 1);
    assert_eq!((find(1, 1).await, find(1, 2).await.is_some()), (None, true));
    write(&store, async |tx| tx.kept_answers().delete(uuid(7, 1), &[3; 32]).await).await.unwrap();
    assert_eq!((find(1, 3).await, find(1, 4).await.is_some()), (None, true));
    assert_eq!(forget(at(99)).await, 2);
}
