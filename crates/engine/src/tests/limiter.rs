//! The engine's limits and balances against a model that keeps every call and adds them up anew each time.

use std::collections::BTreeMap;

use claviger_domain::credential::{Credits, Refill};
use claviger_domain::limit::Limit;
use proptest::prelude::*;

use super::*;

/// A limit, and all that was ever spent of it.
struct Model {
    limit: i64,
    window: i64,
    /// In which window of time, counted from the epoch, how much was spent.
    log: Vec<(i64, i64)>,
}

impl Model {
    fn new(limit: &Limit) -> Self {
        let window = i64::from(limit.window_seconds) * 1000;
        Self { limit: i64::from(limit.limit), window, log: Vec::new() }
    }

    /// Whether a clock that shows `now` was wrong when it showed the time of the last call: it has gone
    /// back by more than an hour beyond the window's own length.
    fn was_wrong(&self, now: i64) -> bool {
        let reached = self.log.last().map_or(i64::MIN, |(window, _)| *window);
        let windows = reached.saturating_sub(now.div_euclid(self.window));
        windows > 0 && windows.saturating_mul(self.window) >= 3_600_000 + self.window
    }

    /// The window that `now` is in, and the part of it that is over. Time already reached stays reached.
    fn place(&self, now: i64) -> (i64, i64) {
        let shown = now.div_euclid(self.window);
        match self.log.last() {
            Some((reached, _)) if *reached > shown && !self.was_wrong(now) => (*reached, 0),
            _ => (shown, now.rem_euclid(self.window)),
        }
    }

    fn used(&self, now: i64) -> i64 {
        let (window, elapsed) = self.place(now);
        let spent_in = |wanted: i64| -> i64 {
            let of_it = self.log.iter().filter(|(window, _)| *window == wanted && !self.was_wrong(now));
            of_it.map(|(_, cost)| cost).sum()
        };
        // A part of a unit is a unit.
        let covered = spent_in(window - 1) * (self.window - elapsed);
        spent_in(window) + covered / self.window + i64::from(covered % self.window > 0)
    }

    fn spend(&mut self, cost: i64, now: i64) {
        if self.was_wrong(now) {
            self.log.clear();
        }
        self.log.push((self.place(now).0, cost));
    }
}

/// A balance that is brought up to date one refill after the other.
fn refilled(credits: Credits, now: Timestamp) -> Credits {
    let Some(mut refill) = credits.refill else { return credits };
    let mut remaining = credits.remaining;
    while refill.since + refill.every <= now {
        refill.since += refill.every;
        remaining = refill.amount;
    }
    Credits { remaining, refill: Some(refill), ..credits }
}

/// How the clock moves before a call, in milliseconds.
#[derive(Debug, Clone, Copy)]
enum Move {
    By(i64),
    /// To the next edge of a window of so many seconds, and so far beyond it.
    ToEdge(i64, i64),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..1_500_i64).prop_map(Move::By),
        4 => (0..90_000_i64).prop_map(Move::By),
        1 => (0..5_000_000_i64).prop_map(Move::By),
        3 => (prop::sample::select(&WINDOWS[..4]), -1..=1_i64)
            .prop_map(|(window, beyond)| Move::ToEdge(i64::from(window), beyond)),
        2 => (-20_000..0_i64).prop_map(Move::By),
        // Around the hour beyond which a clock was wrong.
        1 => (-3_800_000..-3_400_000_i64).prop_map(Move::By),
        1 => (-9_000_000..9_000_000_i64).prop_map(Move::By),
    ]
}

const WINDOWS: [u32; 5] = [1, 10, 60, 3_600, 86_400];

fn limits() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((1_u32..40, prop::sample::select(&WINDOWS[..])), 0..5)
}

fn balance() -> impl Strategy<Value = Option<(u64, Option<(u64, i64)>)>> {
    prop::option::of((0..60_u64, prop::option::of((0..60_u64, 1_000..7_200_000_i64))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_those_of_the_slow_model(
        figures in limits(),
        balance in balance(),
        steps in prop::collection::vec((moves(), 0..5_u32), 1..150),
    ) {
        let text: Vec<_> =
            figures.iter().enumerate().map(|(n, (limit, window))| format!("l{n}:{limit}/{window}")).collect();
        let limits: Limits = text.join(",").parse().unwrap();
        let mut credits = balance.map(|(remaining, refill)| {
            let refill = refill.map(|(amount, every)| Refill {
                amount,
                every: TimeDelta::milliseconds(every),
                since: at(0),
            });
            Credits::granted(remaining, refill)
        });
        let mut models: Vec<_> = limits.iter().map(Model::new).collect();
        let issued = issued(1, &organization(1), None, |it| {
            it.limits = limits.clone();
            it.credits = credits;
        });
        let engine = knowing([&issued]);
        let mut shown = 0;
        for (step, cost) in steps {
            shown = match step {
                Move::By(ms) => shown + ms,
                Move::ToEdge(seconds, beyond) => {
                    let window = seconds * 1000;
                    (shown.div_euclid(window) + 1) * window + beyond
                }
            };
            let instant = at(shown);
            let now = instant.timestamp_millis();
            let told = decide(&engine, issued.key(), cost, instant);
            let fits: Vec<_> =
                models.iter().map(|model| model.used(now) + i64::from(cost) <= model.limit).collect();
            let due = credits.map(|credits| refilled(credits, instant));
            let expected = if fits.contains(&false) {
                Code::RateLimited
            } else if due.is_some_and(|due| due.remaining < u64::from(cost)) {
                Code::CreditsExhausted
            } else {
                Code::Valid
            };
            prop_assert_eq!(told.code, expected);
            let mut balance = due;
            if expected == Code::Valid && cost > 0 {
                models.iter_mut().for_each(|model| model.spend(cost.into(), now));
                balance = due.map(|due| Credits { remaining: due.remaining - u64::from(cost), ..due });
                credits = balance;
            }
            let about = told.about.unwrap();
            prop_assert_eq!(about.credits, balance);
            for ((standing, model), fits) in about.standings.iter().zip(&models).zip(fits) {
                prop_assert_eq!(i64::from(standing.remaining), (model.limit - model.used(now)).max(0));
                prop_assert_eq!(standing.exceeded, !fits);
            }
        }
    }

    /// In a window of the clock never more than the limit; in any other stretch of its length less than
    /// twice the limit, for what is before an edge is taken as spread evenly, and a burst is not.
    #[test]
    fn no_stretch_of_time_admits_more_than_is_promised(
        figure in 1_u32..30,
        seconds in prop::sample::select(&WINDOWS[..4]),
        steps in prop::collection::vec((0..100_i64, 1..4_u32, 1..40_u32), 1..80),
    ) {
        let limits = format!("calls:{figure}/{seconds}").parse().unwrap();
        let issued = issued(1, &organization(1), None, |it| it.limits = limits);
        let engine = knowing([&issued]);
        let window = i64::from(seconds) * 1000;
        let mut admitted = Vec::new();
        let mut now = 0;
        for (hundredths, cost, burst) in steps {
            now += window * hundredths / 100;
            for _ in 0..burst {
                if code(&engine, issued.key(), cost, at(now)) == Code::Valid {
                    admitted.push((now, cost));
                }
            }
        }
        let mut windows = BTreeMap::<i64, u32>::new();
        for (now, cost) in &admitted {
            *windows.entry(now / window).or_default() += cost;
        }
        prop_assert!(windows.values().all(|units| *units <= figure), "{:?}", windows);
        for (end, _) in &admitted {
            let stretch = admitted.iter().filter(|(at, _)| (end - window + 1..=*end).contains(at));
            let units: u32 = stretch.map(|(_, cost)| cost).sum();
            prop_assert!(units < 2 * figure, "{} of {} until {}", units, figure, end);
        }
    }
}

proptest! {
    // Each case is thousands of calls.
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Calls in an even rhythm, as fast as the limit or faster: over whole windows at most the limit each,
    /// and at least one less, because a part of a call is taken for a whole one. Of a limit of one that is
    /// every other window. (As fast as the limit and a millisecond off now and then, two may be lacking.)
    #[test]
    fn steady_traffic_is_admitted_at_nearly_the_limit(
        // So that each call comes at a whole millisecond.
        figure in prop::sample::select(&[1_i64, 2, 4, 5, 8, 10, 16, 20, 25, 40, 50, 80, 100, 125, 200][..]),
        haste in 1_i64..5,
        phase in 0..100_i64,
        seconds in prop::sample::select(&[10_i64, 60, 3_600][..]),
    ) {
        const OVER: i64 = 12;
        let limits = format!("calls:{figure}/{seconds}").parse().unwrap();
        let issued = issued(1, &organization(1), None, |it| it.limits = limits);
        let engine = knowing([&issued]);
        let window = seconds * 1000;
        let calls = figure * haste;
        let begin = window * phase / calls / 100;
        let passed = (0..OVER * calls)
            .filter(|n| code(&engine, issued.key(), 1, at(begin + n * window / calls)) == Code::Valid)
            .count() as i64;
        let least = if figure == 1 { OVER / 2 } else { OVER * (figure - 1) };
        prop_assert!((least..=OVER * figure).contains(&passed), "{} of {}", passed, OVER * figure);
    }
}
