//! What a call demands: scopes joined by `AND` and `OR`.

use std::str::FromStr;

use super::{EVERYTHING, Held, InvalidScope, Scope};

/// The text is not an expression over scopes, or a larger one than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpression {
    /// It does not follow the grammar.
    #[error("not a scope expression")]
    Malformed,
    /// It has more bytes than [`ScopeExpression::MAX`].
    #[error("longer than {} bytes", ScopeExpression::MAX)]
    TooLong,
    /// It names more scopes than [`ScopeExpression::MAX_TERMS`].
    #[error("more than {} scopes", ScopeExpression::MAX_TERMS)]
    TooManyTerms,
}

impl From<InvalidScope> for InvalidExpression {
    fn from(_: InvalidScope) -> Self {
        Self::Malformed
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
    /// The most bytes of an expression; of a list of expressions, of all its texts together.
    pub const MAX: usize = 4096;
    /// The most scopes that an expression or a list of expressions may name.
    pub const MAX_TERMS: usize = 128;
    const MAX_DEPTH: usize = 16;

    /// Reads a list of expressions, all of which must be satisfied. The limits are those of one expression.
    ///
    /// # Errors
    /// [`InvalidExpression`] of the first text that is none, or of the list when it is too large.
    pub fn all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidExpression> {
        let mut bytes = 0;
        let mut budget = Self::MAX_TERMS;
        let mut parts = Vec::new();
        for text in texts {
            bytes += text.len();
            if bytes > Self::MAX {
                return Err(InvalidExpression::TooLong);
            }
            parts.push(parse(text, &mut budget)?);
        }
        Ok(Self::All(parts))
    }

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

    /// How many scopes it names: a decision costs at most one look-up for each.
    #[must_use]
    pub fn terms(&self) -> usize {
        match self {
            Self::Scope(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::terms).sum(),
        }
    }
}

impl FromStr for ScopeExpression {
    type Err = InvalidExpression;

    /// Reads scopes, `AND` and `OR` in either case, and parentheses, 16 deep at most.
    fn from_str(text: &str) -> Result<Self, InvalidExpression> {
        if text.len() > Self::MAX {
            return Err(InvalidExpression::TooLong);
        }
        parse(text, &mut Self::MAX_TERMS.clone())
    }
}

/// Reads one expression; `budget` is how many more scopes may be named.
fn parse(text: &str, budget: &mut usize) -> Result<ScopeExpression, InvalidExpression> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { tokens: spaced.split_ascii_whitespace().peekable(), budget };
    let expression = parser.any(0)?;
    match parser.tokens.next() {
        Some(_) => Err(InvalidExpression::Malformed),
        None => Ok(expression),
    }
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>,
    budget: &'a mut usize,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<ScopeExpression, InvalidExpression> {
        self.joined("OR", ScopeExpression::Any, |parser| {
            parser.joined("AND", ScopeExpression::All, |parser| parser.single(depth))
        })
    }

    fn joined(
        &mut self,
        word: &str,
        join: fn(Vec<ScopeExpression>) -> ScopeExpression,
        part: impl Fn(&mut Self) -> Result<ScopeExpression, InvalidExpression>,
    ) -> Result<ScopeExpression, InvalidExpression> {
        let first = part(self)?;
        if self.tokens.next_if(|token| token.eq_ignore_ascii_case(word)).is_none() {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.tokens.next_if(|token| token.eq_ignore_ascii_case(word)).is_some() {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn single(&mut self, depth: usize) -> Result<ScopeExpression, InvalidExpression> {
        match self.tokens.next() {
            Some("(") if depth < ScopeExpression::MAX_DEPTH => {
                let inner = self.any(depth + 1)?;
                if self.tokens.next() == Some(")") { Ok(inner) } else { Err(InvalidExpression::Malformed) }
            }
            // Nobody asks for everything.
            Some(EVERYTHING) | None => Err(InvalidExpression::Malformed),
            Some(word) => {
                let scope = word.parse()?;
                *self.budget = self.budget.checked_sub(1).ok_or(InvalidExpression::TooManyTerms)?;
                Ok(ScopeExpression::Scope(scope))
            }
        }
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
            assert_eq!(text.parse::<ScopeExpression>(), Err(InvalidExpression::Malformed), "{text}");
        }
    }

    #[test]
    fn an_expression_and_a_list_have_the_same_limits() {
        let all = |texts: &[String]| ScopeExpression::all(texts.iter().map(String::as_str));
        let terms = |count: usize| vec!["a:b".to_owned(); count];
        let fits = ScopeExpression::MAX_TERMS;
        assert_eq!(all(&terms(fits)).map(|it| it.terms()), Ok(fits));
        assert_eq!(terms(fits).join(" OR ").parse::<ScopeExpression>().map(|it| it.terms()), Ok(fits));
        let many = Err(InvalidExpression::TooManyTerms);
        assert_eq!(all(&terms(fits + 1)), many);
        assert_eq!(terms(fits + 1).join(" OR ").parse::<ScopeExpression>(), many);
        assert_eq!(all(&[terms(fits).join(" OR "), "c:d".to_owned()]), many);

        let long = format!("a:{}", "b".repeat(126));
        let fits = vec![long.clone(); ScopeExpression::MAX / long.len()];
        assert!(all(&fits).is_ok());
        let longer: Vec<_> = fits.into_iter().chain(["a:b".to_owned()]).collect();
        assert_eq!(all(&longer), Err(InvalidExpression::TooLong));
        let padded = format!("a:b{}", " ".repeat(ScopeExpression::MAX));
        assert_eq!(padded.parse::<ScopeExpression>(), Err(InvalidExpression::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_otherwise(text in "[a-c:*() ANDOR]{0,60}") {
            let _ = text.parse::<ScopeExpression>();
        }
    }
}
