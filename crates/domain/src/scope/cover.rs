//! What many scopes cover together, asked many times: each question costs a look at the word, however many they are.

use std::collections::HashSet;

use super::{EVERYTHING, PLATFORM, Scope, Scopes, including};

/// The words of some scopes, for looking up.
#[derive(Debug)]
pub(super) struct Cover<'a> {
    words: HashSet<&'a str>,
    /// What stands before the `*` of the wildcards: nothing, or parts with their colons.
    stems: HashSet<&'a str>,
}

impl<'a> Cover<'a> {
    pub(super) fn of(scopes: &'a Scopes) -> Self {
        let words: HashSet<_> = scopes.iter().map(Scope::as_str).collect();
        let stems = words.iter().filter_map(|word| word.strip_suffix('*')).collect();
        Self { words, stems }
    }

    /// Whether they cover `wanted`: [`Scopes::cover_word`].
    pub(super) fn covers(&self, wanted: &str) -> bool {
        self.covers_itself(wanted) || including(wanted).is_some_and(|word| self.covers_itself(word))
    }

    fn covers_itself(&self, wanted: &str) -> bool {
        let whole = self.words.contains(EVERYTHING) && !wanted.starts_with(PLATFORM);
        let part = || wanted.match_indices(':').any(|(colon, _)| self.stems.contains(&wanted[..=colon]));
        whole || self.words.contains(wanted) || part()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        let own = "(organizations|api-keys):(read|write|\\*)|admin:(orgs|audit)|usage:read";
        prop_oneof!["\\*", "(a|b|admin):(x|y|\\*)", "(a|b):(x|y):(u|\\*)", own]
    }

    proptest! {
        #[test]
        fn together_they_cover_what_any_of_them_does(
            words in prop::collection::vec(word(), 0..5), wanted in word(),
        ) {
            let scopes: Scopes = words.join(" ").parse().unwrap();
            let wanted: Scope = wanted.parse().unwrap();
            let covered = Cover::of(&scopes).covers(wanted.as_str());
            prop_assert_eq!(covered, scopes.cover(&wanted));
            let one_by_one = scopes.iter().any(|scope| Scopes::new(vec![scope.clone()]).cover(&wanted));
            prop_assert_eq!(covered, one_by_one);
        }

        #[test]
        fn what_both_cover_is_covered_by_what_they_have_in_common(
            one in prop::collection::vec(word(), 0..5), other in prop::collection::vec(word(), 0..5), wanted in word(),
        ) {
            let (one, other): (Scopes, Scopes) = (one.join(" ").parse().unwrap(), other.join(" ").parse().unwrap());
            let both = one.cover_word(&wanted) && other.cover_word(&wanted);
            prop_assert_eq!(one.meet(&other).cover_word(&wanted), both);
            let either = one.cover_word(&wanted) || other.cover_word(&wanted);
            prop_assert_eq!(one.join(&other).cover_word(&wanted), either);
        }
    }

    #[test]
    fn no_word_stands_twice_in_what_is_common_or_joined() {
        let (one, other): (Scopes, Scopes) = ("a:* a:x b:y".parse().unwrap(), "a:x a:* c:z".parse().unwrap());
        assert_eq!(one.meet(&other).to_string(), "a:* a:x");
        assert_eq!(one.join(&other).to_string(), "a:* a:x b:y c:z");
    }
}
