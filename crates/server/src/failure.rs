//! Why the program ends early: one sentence for the operator, and the exit code that goes with it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The reason a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration or the usage is wrong; nothing was begun.
    Configuration(String),
    /// The configuration is fine, but the world did not allow it.
    Operation(String),
    /// What was to be judged could not be read: nothing is said of it.
    Unread(String),
}

impl Failure {
    pub(crate) fn configuration(sentence: impl Into<String>) -> Self {
        Self::Configuration(sentence.into())
    }

    pub(crate) fn operation(sentence: impl Into<String>) -> Self {
        Self::Operation(sentence.into())
    }

    pub(crate) fn unread(sentence: impl Into<String>) -> Self {
        Self::Unread(sentence.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) | Self::Unread(_) => ExitCode::from(2),
            Self::Operation(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(sentence) | Self::Operation(sentence) | Self::Unread(sentence) => {
                f.write_str(sentence)
            }
        }
    }
}

/// The error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own words.
        if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = error.source();
    }
    sentence
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Outer(io::Error, &'static str);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn causes_follow_unless_they_were_said() {
        let cause = || io::Error::other("disk full");
        assert_eq!(with_causes(&Outer(cause(), "cannot write")), "cannot write: disk full");
        assert_eq!(with_causes(&Outer(cause(), "no: disk full")), "no: disk full");
    }
}
