//! Scopes: open words an API's owner gives its own resources, such as `workflows:read`.
//!
//! ```
//! use claviger_domain::scope::{InvalidScope, ScopeExpression, Scopes};
//!
//! let held: Scopes = "workflows:read transactions:*".parse()?;
//! let wanted: ScopeExpression = "workflows:read AND (transactions:read OR admin:audit)".parse()?;
//! assert!(wanted.is_satisfied_by(&held));
//!
//! let wanted: ScopeExpression = "workflows:write".parse()?;
//! assert!(!wanted.is_satisfied_by(&held));
//! # Ok::<(), InvalidScope>(())
//! ```

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

mod cover;
mod held;

use cover::Cover;
pub use held::Held;

/// Every scope but those of the platform.
const EVERYTHING: &str = "*";
/// What the scopes begin with that open the operator's surface.
const PLATFORM: &str = "admin:";

/// Scopes of Claviger's own that another one includes, with the scope that includes them: the published examples use
/// the including scopes only.
pub const INCLUDED: [(&str, &str); 5] = [
    ("api-keys:read", "organizations:read"),
    ("usage:read", "organizations:read"),
    ("api-keys:write", "organizations:write"),
    ("admin:analytics", "admin:orgs"),
    ("admin:audit", "admin:orgs"),
];

/// The scope that includes this one; `None` of most.
fn including(word: &str) -> Option<&'static str> {
    INCLUDED.iter().find(|(included, _)| *included == word).map(|(_, including)| *including)
}

/// The text is not a scope, or not an expression over scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope expression")]
pub struct InvalidScope;

/// One word `resource:action`, `resource:*` for every action of a resource, or `*` for every scope that does
/// not open the operator's surface (`admin:…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    /// The longest scope, in characters.
    pub const MAX: usize = 128;

    /// Whether holding `self` is enough where `wanted` is asked. A wildcard covers every scope that
    /// goes on from its place, other wildcards included; asked for, it is covered by wildcards only.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        self.covers_word(&wanted.0)
    }

    fn covers_word(&self, wanted: &str) -> bool {
        match self.0.strip_suffix('*') {
            // Whoever may do everything in an organization may not run the installation.
            Some("") => !wanted.starts_with(PLATFORM),
            Some(stem) => wanted.starts_with(stem),
            None => self.0 == wanted,
        }
    }

    /// Whether it opens the operator's surface.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.0.starts_with(PLATFORM)
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// Reads `*`, or two or more parts joined by colons. A part is letters, digits, `_`, `-` and `.` of ASCII; the
    /// last one may be `*` instead. Case matters.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text == EVERYTHING {
            return Ok(Self(text.to_owned()));
        }
        let word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let parts: Vec<_> = text.split(':').collect();
        let Some((last, first)) = parts.split_last() else { return Err(InvalidScope) };
        let sound = text.len() <= Self::MAX
            && !first.is_empty()
            && first.iter().all(|part| word(part))
            && (*last == "*" || word(last));
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidScope) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The scopes a credential holds, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Holds `scopes`, in this order; without any, nothing is covered.
    #[must_use]
    pub fn new(scopes: Vec<Scope>) -> Self {
        Self(scopes)
    }

    /// `*` alone, which covers all but what is the operator's.
    #[must_use]
    pub fn everything() -> Self {
        Self(vec![Scope("*".to_owned())])
    }

    /// Whether any of them covers `wanted`, by itself or by the scope that includes it ([`INCLUDED`]).
    #[must_use]
    pub fn cover(&self, wanted: &Scope) -> bool {
        self.cover_word(&wanted.0)
    }

    /// As [`cover`](Self::cover), of a scope in its written form.
    #[must_use]
    pub fn cover_word(&self, wanted: &str) -> bool {
        let covers = |wanted: &str| self.0.iter().any(|held| held.covers_word(wanted));
        covers(wanted) || including(wanted).is_some_and(covers)
    }

    /// Those of `wanted` that none of them covers.
    #[must_use]
    pub fn lacking(&self, wanted: &Self) -> Vec<Scope> {
        let cover = Cover::of(self);
        wanted.iter().filter(|scope| !cover.covers(scope.as_str())).cloned().collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What both cover, no word twice: of either, what the other covers.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let (own, others) = (Cover::of(self), Cover::of(other));
        let from_own = self.iter().filter(|scope| others.covers(scope.as_str()));
        let mut both: Self =
            from_own.chain(other.iter().filter(|scope| own.covers(scope.as_str()))).collect();
        // `organizations:*` and `api-keys:*` have `api-keys:write` in common, and neither of the two names it.
        for (word, _) in INCLUDED {
            if own.covers(word) && others.covers(word) && !both.cover_word(word) {
                both.0.push(Scope(word.to_owned()));
            }
        }
        both
    }

    /// What either covers, no word twice.
    #[must_use]
    pub fn join(self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// The scopes, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl<'a> FromIterator<&'a Scope> for Scopes {
    /// In the order they come, no word twice.
    fn from_iter<T: IntoIterator<Item = &'a Scope>>(scopes: T) -> Self {
        let mut seen = HashSet::new();
        Self(scopes.into_iter().filter(|scope| seen.insert(scope.as_str())).cloned().collect())
    }
}

impl fmt::Display for Scopes {
    /// Separated by spaces, as in RFC 6749, section 3.3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    /// Reads scopes separated by white space; the empty text is no scopes.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// What a call demands: scopes joined by `AND` and `OR`, with parentheses; `AND` binds tighter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeExpression {
    /// This one must be covered.
    Scope(Scope),
    /// All of these must be satisfied; of none, that is so.
    All(Vec<ScopeExpression>),
    /// At least one of these must be satisfied; of none, that is never so.
    Any(Vec<ScopeExpression>),
}

impl ScopeExpression {
    /// The longest expression, in characters.
    pub const MAX: usize = 2048;
    const MAX_DEPTH: usize = 16;

    /// Whether `held` satisfies the expression.
    #[must_use]
    pub fn is_satisfied_by<'a>(&self, held: impl Into<Held<'a>>) -> bool {
        let held = held.into();
        match self {
            Self::Scope(scope) => held.cover(scope),
            Self::All(parts) => parts.iter().all(|part| part.is_satisfied_by(held)),
            Self::Any(parts) => parts.iter().any(|part| part.is_satisfied_by(held)),
        }
    }
}

impl FromStr for ScopeExpression {
    type Err = InvalidScope;

    /// Reads scopes, `AND` and `OR` in either case, and parentheses, 16 deep at most.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text.len() > Self::MAX {
            return Err(InvalidScope);
        }
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut tokens = spaced.split_ascii_whitespace().peekable();
        let expression = any(&mut tokens, 0)?;
        if tokens.next().is_some() { Err(InvalidScope) } else { Ok(expression) }
    }
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>;

fn any(tokens: &mut Tokens<'_>, depth: usize) -> Result<ScopeExpression, InvalidScope> {
    joined(tokens, "OR", ScopeExpression::Any, |tokens| {
        joined(tokens, "AND", ScopeExpression::All, |tokens| single(tokens, depth))
    })
}

fn joined<'a>(
    tokens: &mut Tokens<'a>,
    word: &str,
    join: fn(Vec<ScopeExpression>) -> ScopeExpression,
    part: impl Fn(&mut Tokens<'a>) -> Result<ScopeExpression, InvalidScope>,
) -> Result<ScopeExpression, InvalidScope> {
    let first = part(tokens)?;
    let mut parts = vec![first];
    while tokens.next_if(|token| token.eq_ignore_ascii_case(word)).is_some() {
        parts.push(part(tokens)?);
    }
    Ok(match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    })
}

fn single(tokens: &mut Tokens<'_>, depth: usize) -> Result<ScopeExpression, InvalidScope> {
    match tokens.next() {
        Some("(") if depth < ScopeExpression::MAX_DEPTH => {
            let inner = any(tokens, depth + 1)?;
            if tokens.next() == Some(")") { Ok(inner) } else { Err(InvalidScope) }
        }
        // Nobody asks for everything.
        Some(EVERYTHING) => Err(InvalidScope),
        Some(word) => word.parse().map(ScopeExpression::Scope),
        None => Err(InvalidScope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(held: &str, wanted: &str) -> bool {
        let expression: ScopeExpression = wanted.parse().unwrap();
        expression.is_satisfied_by(&held.parse().unwrap())
    }

    #[test]
    fn expressions_mean_what_they_say() {
        for (held, wanted, expected) in [
            ("a:read", "a:read", true),
            ("a:read", "a:write", false),
            ("a:*", "a:write", true),
            ("a:*", "ab:write", false),
            ("a:b:*", "a:b:c:d", true),
            ("a:read", "a:*", false),
            ("a:x c:x", "a:x AND (b:x OR c:x)", true),
            ("a:x", "a:x and (b:x or c:x)", false),
            ("c:x", "a:x AND b:x OR c:x", true),
            ("c:x", "a:x AND (b:x OR c:x)", false),
            ("", "a:x", false),
            ("*", "a:x AND b:c:*", true),
            ("*", "admin:keys", false),
            ("admin:*", "admin:keys", true),
            ("admin:*", "a:x", false),
            ("organizations:read", "api-keys:read AND usage:read", true),
            ("organizations:read", "api-keys:write", false),
            ("organizations:*", "api-keys:write", true),
            ("organizations:write", "api-keys:unrestrict OR api-keys:*", false),
            ("admin:orgs", "admin:analytics AND admin:audit", true),
            ("admin:orgs", "admin:keys OR admin:users OR admin:settings", false),
            ("*", "admin:audit", false),
        ] {
            assert_eq!(holds(held, wanted), expected, "{held} | {wanted}");
        }
    }

    #[test]
    fn what_is_not_an_expression_is_refused() {
        let deep = format!("{}a:b{}", "(".repeat(200), ")".repeat(200));
        for text in
            ["", "a", "a:", ":a", "a:b AND", "AND", "(a:b", "a:b)", "a:b c:d", "a:*:b", "*", "a:é", &deep]
        {
            assert_eq!(text.parse::<ScopeExpression>(), Err(InvalidScope), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_otherwise(text in "[a-c:*() ANDOR]{0,60}") {
            let _ = text.parse::<ScopeExpression>();
        }

        #[test]
        fn scopes_read_back_what_they_print(words in prop::collection::vec("[a-z]{1,8}:([a-z]{1,8}|\\*)", 0..6)) {
            let scopes: Scopes = words.join(" ").parse().unwrap();
            prop_assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
    }
}
