use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::credential::Refill;

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn limits(text: &str) -> Limits {
    text.parse().unwrap()
}

fn list(text: &str) -> IpAllowlist {
    text.parse().unwrap()
}

fn refill(amount: u64, hours: i64) -> Option<Refill> {
    Some(Refill { amount, every: TimeDelta::hours(hours), since: at(0) })
}

#[test]
fn a_key_ends_no_later_than_its_maker() {
    for (maker, key, is_admitted, inherited) in [
        (None, None, true, None),
        (None, Some(9), true, Some(9)),
        (Some(5), Some(5), true, Some(5)),
        (Some(5), Some(4), true, Some(4)),
        (Some(5), Some(6), false, Some(5)),
        (Some(5), None, false, Some(5)),
    ] {
        let maker = Restrictions { expires_at: maker.map(at), ..Restrictions::default() };
        assert_eq!(maker.admit_expiry(key.map(at)).is_ok(), is_admitted, "{maker:?} {key:?}");
        assert_eq!(maker.inherited_expiry(key.map(at)), inherited.map(at), "{maker:?} {key:?}");
    }
}

#[test]
fn a_key_is_used_from_its_makers_networks() {
    for (maker, key, is_admitted) in [
        ("", "", true),
        ("", "192.0.2.0/24", true),
        ("192.0.2.0/24", "", false),
        ("192.0.2.0/24", "192.0.2.0/24", true),
        ("192.0.2.0/24", "192.0.2.7", true),
        ("192.0.2.0/24", "192.0.2.7,198.51.100.1", false),
        ("192.0.2.0/24", "192.0.0.0/16", false),
        ("192.0.2.0/25,192.0.2.128/25", "192.0.2.0/24", true),
        ("192.0.2.0/25", "192.0.2.0/24", false),
        ("192.0.2.0/24,2001:db8::/32", "2001:db8:1::/48", true),
        ("0.0.0.0/0", "::1", false),
    ] {
        let maker = Restrictions { ip_allowlist: list(maker), ..Restrictions::default() };
        assert_eq!(maker.admit_addresses(&list(key)).is_ok(), is_admitted, "{maker:?} {key}");
    }
}

#[test]
fn a_key_keeps_each_of_its_makers_limits() {
    let user = Some(UserAccountId::from_uuid(Uuid::from_u128(1)));
    for (maker, user_account, key, is_admitted) in [
        ("", None, "", true),
        ("a:10/60", None, "", false),
        ("a:10/60", None, "a:10/60", true),
        ("a:10/60", None, "b:9/60", true),
        ("a:10/60", None, "a:11/60", false),
        // Another window: what passes in any 60 seconds counts.
        ("a:10/60", None, "a:10/3600", true),
        ("a:10/60", None, "a:1/6", true),
        ("a:10/60", None, "a:1/5", false),
        ("a:10/60", None, "a:1/7", true),
        ("a:10/60,b:100/3600", None, "a:10/60", false),
        ("a:10/60,b:100/3600", None, "c:1/60", true),
        ("a:10/60,b:50/3600", None, "c:1/60", false),
        // What is shared stays shared.
        ("a:10/60", None, "a:10/60@organization", true),
        ("a:10/60@organization", None, "a:10/60@organization", true),
        ("a:10/60@organization", None, "a:5/60@organization", true),
        ("a:10/60@organization", None, "a:11/60@organization", false),
        ("a:10/60@organization", None, "a:1/60", false),
        ("a:10/60@organization", None, "b:1/60@organization", false),
        ("a:10/60@organization", None, "a:1/61@organization", false),
        ("a:10/60@user_account", user, "a:10/60@user_account", true),
        ("a:10/60@user_account", user, "a:10/60", false),
        // A key of no user shares with nobody.
        ("a:10/60@user_account", None, "a:10/60", true),
    ] {
        let maker = Restrictions { limits: limits(maker), user_account, ..Restrictions::default() };
        assert_eq!(maker.admit_limits(&limits(key)).is_ok(), is_admitted, "{maker:?} {key}");
    }
}

#[test]
fn a_key_that_is_told_nothing_has_its_makers_limits_and_the_usual_ones() {
    for (maker, usual, inherited) in [
        ("", "u:5/1", "u:5/1"),
        ("a:10/60", "", "a:10/60"),
        ("a:10/60", "u:5/1", "a:10/60,u:5/1"),
        ("a:10/60", "a:5/60", "a:5/60"),
        ("a:10/60", "a:50/60,u:5/1", "a:10/60,u:5/1"),
        ("a:10/60@organization", "a:1/60", "a:10/60@organization"),
    ] {
        let maker = Restrictions { limits: limits(maker), ..Restrictions::default() };
        assert_eq!(maker.inherited_limits(limits(usual)), limits(inherited), "{maker:?} {usual}");
    }
}

#[test]
fn a_maker_with_credits_gives_none() {
    let spends = |remaining| Restrictions {
        credits: Some(Credits::granted(remaining, None)),
        ..Restrictions::default()
    };
    let free = Restrictions::default();
    let balance = |remaining, refill| Some(Balance { remaining, refill });
    for (maker, given, is_admitted) in [
        (&free, None, true),
        (&free, balance(9, refill(9, 1)), true),
        (&spends(100), None, false),
        (&spends(100), balance(1, None), false),
        (&spends(100), balance(0, refill(1, 1)), false),
        (&spends(100), balance(0, None), true),
    ] {
        assert_eq!(maker.admit_balance(given).is_ok(), is_admitted, "{maker:?} {given:?}");
    }
    assert_eq!(free.inherited_balance(), None);
    assert_eq!(spends(7).inherited_balance(), balance(0, None));
}

#[test]
fn a_key_that_is_handed_out_has_no_more_credits_than_its_maker() {
    let with = |credits: Option<(u64, Option<Refill>)>| Restrictions {
        credits: credits.map(|(remaining, refill)| Credits::granted(remaining, refill)),
        ..Restrictions::default()
    };
    for (maker, key, is_admitted) in [
        (None, None, true),
        (Some((5, None)), None, false),
        (Some((5, None)), Some((5, None)), true),
        (Some((5, None)), Some((6, None)), false),
        (Some((5, None)), Some((5, refill(1, 1))), false),
        (Some((5, refill(10, 10))), Some((5, refill(10, 10))), true),
        (Some((5, refill(10, 10))), Some((5, refill(1, 1))), true),
        (Some((5, refill(10, 10))), Some((5, refill(2, 1))), false),
        (Some((5, refill(10, 10))), Some((5, refill(11, 20))), false),
    ] {
        assert_eq!(with(maker).admit(&with(key), at(0)).is_ok(), is_admitted, "{maker:?} {key:?}");
    }
}

proptest! {
    /// What a restricted key makes without saying anything is admitted, and so is the key itself.
    #[test]
    fn what_is_inherited_is_admitted(
        maker in "(a|b):[1-9]/(1|60)(@organization)?", usual in "(a|b|c):[1-9]/(1|60)", end in prop::option::of(0_i64..9),
    ) {
        let maker = Restrictions { limits: limits(&maker), expires_at: Some(at(4)), ..Restrictions::default() };
        prop_assert!(maker.admit_limits(&maker.inherited_limits(limits(&usual))).is_ok());
        prop_assert!(maker.admit_expiry(maker.inherited_expiry(end.map(at))).is_ok());
        prop_assert!(maker.admit(&maker, at(0)).is_ok());
    }
}
