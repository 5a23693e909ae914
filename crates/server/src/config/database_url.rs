//! Where the database is. The password in it is a secret: neither `Debug` nor what is shown has it.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::value::Reason;

/// `sqlite://<path>`, `sqlite::memory:` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    text: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Embedded(Embedded),
    Postgres { shown: String },
}

/// The database that lives in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Embedded {
    /// Gone when the process ends.
    Memory,
    File(PathBuf),
}

/// What would end the path, or be taken for an escape, in an SQLite address.
const IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

impl DatabaseUrl {
    /// The embedded database in `path`.
    pub(crate) fn file(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = format!("sqlite://{}", utf8_percent_encode(&path.to_string_lossy(), IN_PATH));
        Self { text, kind: Kind::Embedded(Embedded::File(path)) }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let kind = match text.strip_prefix("sqlite:") {
            Some(":memory:" | "//:memory:") => Kind::Embedded(Embedded::Memory),
            Some(path) => Kind::Embedded(Embedded::File(sqlite_path(path)?)),
            None => Kind::Postgres { shown: postgres_without_secrets(text)? },
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The address itself, for the store alone.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    pub(crate) fn embedded(&self) -> Option<&Embedded> {
        match &self.kind {
            Kind::Embedded(embedded) => Some(embedded),
            Kind::Postgres { .. } => None,
        }
    }

    /// The address without what must not be seen.
    pub(crate) fn shown(&self) -> &str {
        match &self.kind {
            Kind::Embedded(_) => &self.text,
            Kind::Postgres { shown } => shown,
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseUrl").field(&self.shown()).finish()
    }
}

fn sqlite_path(text: &str) -> Result<PathBuf, Reason> {
    let path = text.strip_prefix("//").ok_or(Reason("the path follows `sqlite://`"))?;
    if path.is_empty() {
        return Err(Reason("the path is missing"));
    }
    if path.contains(['?', '#']) {
        return Err(Reason("parameters are not taken; in a path, ? is %3F and # is %23"));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| Reason("the path is not UTF-8"))?;
    Ok(PathBuf::from(path.as_ref()))
}

fn postgres_without_secrets(text: &str) -> Result<String, Reason> {
    let mut url = Url::parse(text).map_err(|_| Reason("it is not a URL"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(Reason("only sqlite and postgres are known"));
    }
    if !url.has_host() {
        return Err(Reason("the host is missing"));
    }
    if url.password().is_some() {
        url.set_password(Some("***")).map_err(|()| Reason("it cannot hold a password"))?;
    }
    // `password=` and `sslkey=` may stand among the parameters too.
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    url.set_fragment(None);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        for (given, shown) in [
            ("postgres://claviger:hunter2@db/claviger", "postgres://claviger:***@db/claviger"),
            ("postgresql://claviger@db:5433/claviger", "postgresql://claviger@db:5433/claviger"),
            ("postgres://db/claviger?password=hunter2&sslmode=require", "postgres://db/claviger?***"),
        ] {
            let url = DatabaseUrl::parse(given).unwrap();
            assert_eq!((url.expose(), url.shown()), (given, shown));
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown:?})"));
            assert_eq!(url.embedded(), None);
        }
    }

    #[test]
    fn odd_paths_survive() {
        for path in ["/var/lib/a b/x.db", "/tmp/50%/what?.db", "/tmp/#1/é.db"] {
            let url = DatabaseUrl::file(Path::new(path));
            assert_eq!(url.embedded(), Some(&Embedded::File(PathBuf::from(path))));
            assert_eq!(DatabaseUrl::parse(url.expose()).unwrap(), url);
        }
        assert_eq!(
            DatabaseUrl::parse("sqlite://data/x.db").unwrap().embedded(),
            Some(&Embedded::File(PathBuf::from("data/x.db")))
        );
        assert_eq!(DatabaseUrl::parse("sqlite::memory:").unwrap().embedded(), Some(&Embedded::Memory));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in [
            "",
            "claviger.db",
            "sqlite:",
            "sqlite://",
            "sqlite:x.db",
            "sqlite:///x.db?mode=ro",
            "mysql://db/x",
            "postgres:",
        ] {
            assert!(DatabaseUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
