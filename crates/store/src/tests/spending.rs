//! What calls leave behind: balances, last uses, counters of limits; and the answers that are kept.

use chrono::TimeDelta;
use claviger_domain::credential::{Credential, Credits, Refill};
use claviger_domain::limit::{Counter, Limits};

use super::fixtures::{at, credential, credential_id, owner, partner, uuid, write};
use crate::{KeptAnswer, Store, Tables};

on_each_database!(
    a_call_leaves_its_time_and_balance,
    counters_are_put_and_read_by_name,
    answers_are_kept_and_forgotten
);

async fn a_call_leaves_its_time_and_balance(store: Store) {
    let maker = partner(&store, 1).await;
    let refill = Refill { amount: 50, every: TimeDelta::hours(1), since: at(0) };
    let credits = Credits { remaining: 10, refill: Some(refill) };
    let written = Credential { credits: Some(credits), ..credential(1, &maker) };
    let other = Credential { credits: Some(credits), ..credential(2, &maker) };
    write(&store, async |tx| {
        tx.credentials().insert(&written).await?;
        tx.credentials().insert(&other).await
    })
    .await
    .unwrap();
    let find = async || store.credentials().find(owner(&maker), written.id).await.unwrap().unwrap();

    write(&store, async |tx| tx.credentials().spend_unscoped(written.id, None, at(5)).await).await.unwrap();
    let used = Credential { last_used_at: Some(at(5)), ..written.clone() };
    assert_eq!(find().await, used, "the balance is as it was, and so is the revision");

    let spent = Credits { remaining: 3, refill: Some(Refill { since: at(3_600), ..refill }) };
    write(&store, async |tx| tx.credentials().spend_unscoped(written.id, Some(spent), at(6)).await)
        .await
        .unwrap();
    let after = Credential { last_used_at: Some(at(6)), credits: Some(spent), ..written.clone() };
    assert_eq!(find().await, after);

    // A change of the credential afterwards is made in the revision that was read before the call.
    let renamed = Credential { credits: after.credits, ..written.clone().touched(at(7)) };
    write(&store, async |tx| tx.credentials().save(&renamed).await).await.unwrap();
    assert_eq!(find().await, Credential { last_used_at: Some(at(6)), ..renamed });
    assert_eq!(store.credentials().find(owner(&maker), other.id).await.unwrap(), Some(other));
}

async fn counters_are_put_and_read_by_name(store: Store) {
    let maker = partner(&store, 1).await;
    write(&store, async |tx| {
        tx.credentials().insert(&credential(1, &maker)).await?;
        tx.credentials().insert(&credential(2, &maker)).await
    })
    .await
    .unwrap();
    let limits: Limits = "requests:60/60,burst:5/1,daily:900/86400".parse().unwrap();
    let of = async |n, limits: &Limits| store.counters().of(credential_id(n), limits).await.unwrap();
    let put = async |n, limits: &Limits, counters: &[Counter]| {
        write(&store, async |tx| tx.counters().put(credential_id(n), limits, counters).await).await.unwrap();
    };
    assert_eq!(of(1, &limits).await, [Counter::default(); 3]);
    let counter =
        |n: u64| Counter { window_seconds: 60, cell: n.cast_signed(), current: n + 1, previous: n + 2 };
    put(1, &limits, &[counter(10), counter(20), counter(30)]).await;
    assert_eq!(of(1, &limits).await, [counter(10), counter(20), counter(30)]);
    put(1, &limits, &[counter(11), counter(20), counter(31)]).await;
    // A limit more, one less, and another order: each keeps its own counter.
    let changed: Limits = "daily:900/86400,new:1/1,requests:60/60".parse().unwrap();
    assert_eq!(of(1, &changed).await, [counter(31), Counter::default(), counter(11)]);
    assert_eq!(of(2, &limits).await, [Counter::default(); 3]);
    put(2, &Limits::default(), &[]).await;
    assert_eq!(of(2, &Limits::default()).await, []);
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
        write(&store, async |tx| tx.kept_answers().delete_older_unscoped(before).await).await.unwrap()
    };
    assert_eq!(forget(at(10)).await, 1);
    assert_eq!((find(1, 1).await, find(1, 2).await.is_some()), (None, true));
    write(&store, async |tx| tx.kept_answers().delete(uuid(7, 1), &[3; 32]).await).await.unwrap();
    assert_eq!((find(1, 3).await, find(1, 4).await.is_some()), (None, true));
    assert_eq!(forget(at(99)).await, 2);
}
