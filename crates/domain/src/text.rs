//! Texts with a rule attached: once one of these exists, the rule holds.

use std::fmt;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// There is no text; of a name, once trimmed.
    #[error("empty")]
    Empty,
    /// It has more characters than the kind of text may have.
    #[error("longer than {max} characters")]
    TooLong {
        /// The most that are allowed, in Unicode scalar values.
        max: usize,
    },
    /// One of its characters is of Unicode's category Cc.
    #[error("contains a control character")]
    ControlCharacter,
    /// It breaks the rule of its kind in another way.
    #[error("not of the expected form")]
    Form,
}

fn bounded(text: &str, max: usize) -> Result<(), InvalidText> {
    if text.is_empty() {
        return Err(InvalidText::Empty);
    }
    if text.chars().count() > max {
        return Err(InvalidText::TooLong { max });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidText::ControlCharacter);
    }
    Ok(())
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Takes a stored value back; it was checked when it came in.
            #[must_use]
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

texts! {
    /// What people call a thing: trimmed, 1 to 255 characters, no control characters.
    Name;
    /// Free text of at most 1,024 characters; line breaks and tabs are its only control characters.
    Description;
    /// A partner's own id for a customer: 1 to 255 characters, no control characters.
    ExternalId;
    /// A partner's own id of a billing plan: 1 to 255 characters, no control characters.
    BillingPlan;
    /// A mail address: one `@` with text on both sides, at most 254 characters, no white space.
    Email;
    /// A JSON object as compact text. Its numbers are those of 64-bit integers and doubles.
    Metadata;
}

impl Name {
    /// The longest name, in characters.
    pub const MAX: usize = 255;

    /// Trims and checks a name.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        bounded(text, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }
}

impl Description {
    /// The longest description, in characters.
    pub const MAX: usize = 1024;

    /// Checks a description; an empty one is allowed.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        if text.chars().count() > Self::MAX {
            return Err(InvalidText::TooLong { max: Self::MAX });
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(InvalidText::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }
}

impl ExternalId {
    /// The longest external id, in characters.
    pub const MAX: usize = 255;

    /// Checks an external id; it is kept as given, not trimmed.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        bounded(text, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }
}

impl BillingPlan {
    /// The longest plan id, in characters.
    pub const MAX: usize = 255;

    /// Checks a plan id; it is kept as given, not trimmed.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        bounded(text, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }
}

impl Email {
    /// The longest address (RFC 5321, 4.5.3.1.3, without the angle brackets).
    pub const MAX: usize = 254;

    /// Checks an address' form; whether it receives mail is not asked.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        bounded(text, Self::MAX)?;
        let (local, host) = text.split_once('@').ok_or(InvalidText::Form)?;
        if local.is_empty() || host.is_empty() || host.contains('@') || text.contains(char::is_whitespace) {
            return Err(InvalidText::Form);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why a metadata object was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Its compact JSON text is too long.
    #[error("larger than {max} bytes")]
    TooLarge {
        /// The most bytes that are allowed, in UTF-8.
        max: usize,
    },
    /// Its objects and lists are nested too deep.
    #[error("nested deeper than {max} levels")]
    TooDeep {
        /// The most levels that are allowed.
        max: usize,
    },
}

impl Metadata {
    /// The largest object, in bytes of its compact JSON text.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// The deepest nesting; the object itself is the first level.
    pub const MAX_DEPTH: usize = 8;

    /// Checks the bounds of `json`, the compact JSON text of an object whose nesting is `depth`. That it is
    /// one is the caller's word: this crate reads no JSON.
    ///
    /// # Errors
    /// [`InvalidMetadata`] says which bound is passed.
    pub fn new(json: String, depth: usize) -> Result<Self, InvalidMetadata> {
        if json.len() > Self::MAX_BYTES {
            return Err(InvalidMetadata::TooLarge { max: Self::MAX_BYTES });
        }
        if depth > Self::MAX_DEPTH {
            return Err(InvalidMetadata::TooDeep { max: Self::MAX_DEPTH });
        }
        Ok(Self(json))
    }

    /// The object without members.
    #[must_use]
    pub fn empty() -> Self {
        Self("{}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded_in_characters() {
        assert_eq!(Name::new("  Grüße  ").map(|name| name.0), Ok("Grüße".to_owned()));
        assert_eq!(Name::new(&"ü".repeat(255)).map(|name| name.0.chars().count()), Ok(255));
        assert_eq!(Name::new(&"ü".repeat(256)), Err(InvalidText::TooLong { max: 255 }));
        assert_eq!(Name::new(" \t "), Err(InvalidText::Empty));
        assert_eq!(Name::new("a\0b"), Err(InvalidText::ControlCharacter));
        assert_eq!(Name::new("a\u{85}b"), Err(InvalidText::ControlCharacter));
    }

    #[test]
    fn addresses_have_one_at_sign_between_two_texts() {
        for good in ["a@b", "first.last+tag@example.com"] {
            assert!(Email::new(good).is_ok(), "{good}");
        }
        for bad in ["a", "@b", "a@", "a@b@c", "a b@c", ""] {
            assert!(Email::new(bad).is_err(), "{bad}");
        }
        assert!(Email::new(&format!("{}@b", "a".repeat(253))).is_err());
    }

    #[test]
    fn descriptions_may_have_lines_but_no_nul() {
        assert!(Description::new("one\n\ttwo").is_ok());
        assert!(Description::new("").is_ok());
        assert_eq!(Description::new("\0"), Err(InvalidText::ControlCharacter));
    }

    #[test]
    fn metadata_is_bounded_both_ways() {
        assert!(Metadata::new("x".repeat(16 * 1024), 8).is_ok());
        assert!(Metadata::new("x".repeat(16 * 1024 + 1), 1).is_err());
        assert!(Metadata::new("{}".into(), 9).is_err());
    }
}
