use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::milliseconds(ms)
}

fn per_minute(limit: u32) -> Limit {
    Limit { name: "requests".into(), limit, window_seconds: 60, pool: Pool::Credential }
}

/// Spends `cost` when it fits; answers whether it did.
fn take(limit: &Limit, counter: &mut Counter, cost: u64, ms: i64) -> bool {
    let fits = !limit.look(*counter, cost, at(ms)).exceeded;
    if fits {
        *counter = limit.spend(*counter, cost, at(ms));
    }
    fits
}

#[test]
fn a_burst_at_the_edge_of_a_cell_does_not_pass_twice() {
    let limit = per_minute(10);
    let mut counter = Counter::default();
    assert_eq!((0..20).filter(|_| take(&limit, &mut counter, 1, 59_999)).count(), 10);
    assert_eq!((0..20).filter(|_| take(&limit, &mut counter, 1, 60_000)).count(), 0);
    assert_eq!((0..20).filter(|_| take(&limit, &mut counter, 1, 90_000)).count(), 5);
}

#[test]
fn steady_traffic_at_the_limit_is_never_starved() {
    let limit = per_minute(60);
    let mut counter = Counter::default();
    let admitted = (0..600).filter(|second| take(&limit, &mut counter, 1, second * 1000)).count();
    assert!(admitted >= 590, "{admitted} of 600 over ten windows");
}

#[test]
fn a_clock_set_back_frees_nothing() {
    let limit = per_minute(2);
    let mut counter = Counter::default();
    assert!(take(&limit, &mut counter, 2, 120_000));
    assert!(!take(&limit, &mut counter, 1, 60_000));
    assert!(!take(&limit, &mut counter, 1, 130_000));
}

#[test]
fn a_clock_that_was_far_ahead_does_not_lock_anybody_out() {
    let limit = per_minute(2);
    let mut counter = Counter::default();
    assert!(take(&limit, &mut counter, 2, 86_400_000_000));
    assert!(take(&limit, &mut counter, 2, 0));
}

#[test]
fn the_largest_figures_do_not_overflow() {
    let limit =
        Limit { name: "all".into(), limit: u32::MAX, window_seconds: u32::MAX, pool: Pool::Credential };
    let counter = limit.spend(Counter::default(), u64::MAX, at(0));
    assert!(limit.look(counter, u64::MAX, at(i64::from(u32::MAX) * 1500)).exceeded);
}

#[test]
fn a_cost_above_the_limit_never_fits_and_says_so() {
    let standing = per_minute(5).look(Counter::default(), 6, at(0));
    assert!(standing.exceeded);
    assert_eq!(standing.retry_at_ms, None);
}

#[test]
fn limits_read_back_what_they_print() {
    let limits: Limits = "requests:60/60,tokens:1000000/86400".parse().unwrap();
    assert_eq!(limits.to_string(), "requests:60/60,tokens:1000000/86400");
    assert_eq!(limits.figure_per_minute(), Some(60));
    assert_eq!("".parse(), Ok(Limits::default()));
    let shared: Limits = "calls:9/60@organization,tokens:5/60@user_account".parse().unwrap();
    assert_eq!(shared.to_string(), "calls:9/60@organization,tokens:5/60@user_account");
    assert_eq!(
        shared.iter().map(|limit| limit.pool).collect::<Vec<_>>(),
        [Pool::Organization, Pool::UserAccount]
    );
    for bad in ["a:1/60@", "a:1/60@all", "a", "a:1", "a:0/60", "a:1/0", "a:1/60,a:2/60", "A:1/60", ":1/60"] {
        assert_eq!(bad.parse::<Limits>(), Err(InvalidLimits), "{bad}");
    }
}

proptest! {
    /// The slow, obviously right model: no cell of one window's length ever holds more than the limit.
    #[test]
    fn no_cell_ever_holds_more_than_the_limit(
        steps in prop::collection::vec((0_i64..40_000, 1_u64..5), 1..200),
        figure in 1_u32..30,
    ) {
        let limit = per_minute(figure);
        let (mut counter, mut now) = (Counter::default(), 0);
        let mut spent = std::collections::BTreeMap::<i64, u64>::new();
        for (wait, cost) in steps {
            now += wait;
            if take(&limit, &mut counter, cost, now) {
                *spent.entry(now / 60_000).or_default() += cost;
            }
        }
        prop_assert!(spent.values().all(|units| *units <= u64::from(figure)));
    }

    /// Waiting until the promised instant is enough, and one millisecond less is not.
    #[test]
    fn the_promised_retry_is_exact(
        steps in prop::collection::vec((0_i64..40_000, 1_u64..5), 1..60),
        figure in 1_u32..30,
        cost in 1_u64..5,
    ) {
        let limit = per_minute(figure);
        let (mut counter, mut now) = (Counter::default(), 0);
        for (wait, spent) in steps {
            now += wait;
            take(&limit, &mut counter, spent, now);
        }
        if let Some(retry) = limit.look(counter, cost, at(now)).retry_at_ms {
            prop_assert!(retry > now);
            prop_assert!(!limit.look(counter, cost, at(retry)).exceeded);
            prop_assert!(limit.look(counter, cost, at(retry - 1)).exceeded);
        }
    }

    #[test]
    fn after_the_reset_the_whole_limit_is_free(spent in 0_u64..40, ms in 0_i64..200_000, figure in 1_u32..30) {
        let limit = per_minute(figure);
        let counter = limit.spend(Counter::default(), spent, at(ms));
        let standing = limit.look(counter, 0, at(ms));
        prop_assert_eq!(limit.look(counter, 0, at(standing.reset_at_ms)).remaining, figure);
    }
}
