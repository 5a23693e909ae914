//! Entries for spreadsheets: RFC 4180, and nothing in it that a spreadsheet takes for a formula.

use std::fmt::{Display, Write};

use chrono::SecondsFormat;
use claviger_domain::audit::{Author, Entry, Link, Target, line};

const COLUMNS: &str = "sequence,id,organization_id,at,action,actor_type,actor_id,actor_name,actor_organization_id,\
                       actor_user_id,actor_user_name,target_type,target_id,ip_address,request_id,details,mac";

/// The header row. Of a filtered export it has one column more, and so have all rows: the filter.
pub(super) fn header(filter: Option<&str>) -> String {
    format!("{COLUMNS}{}\r\n", if filter.is_some() { ",filtered_by" } else { "" })
}

/// Writes one row.
pub(super) fn write(rows: &mut String, entry: &Entry, link: &Link, filter: Option<&str>) {
    let Entry { id, at, action, author, organization, target, address, request_id, details } = entry;
    let Author { kind, id: author_id, name, organization: author_organization, user } = author;
    let (target_type, target_id) = match target {
        Some(Target { resource, id }) => (resource.word(), Some(id)),
        None => ("", None),
    };
    let mut json = String::new();
    line::write_details(&mut json, details);
    // The same JSON, without what some spreadsheets split lines at, inside of quotes too.
    let json = json.replace(';', "\\u003b");
    put(rows, link.sequence);
    for cell in [
        &id as &dyn Display,
        &shown(organization.as_ref()),
        &at.to_rfc3339_opts(SecondsFormat::Micros, true),
        action,
        &kind.word(),
        &shown(author_id.as_ref()),
        &shown(name.as_ref()),
        &shown(author_organization.as_ref()),
        &shown(user.as_ref().map(|user| &user.id)),
        &shown(user.as_ref().map(|user| &user.name)),
        &target_type,
        &shown(target_id),
        &shown(address.as_ref()),
        request_id,
        &json,
        &link.mac,
    ] {
        rows.push(',');
        cell_of(rows, &cell.to_string());
    }
    if let Some(filter) = filter {
        rows.push(',');
        cell_of(rows, filter);
    }
    rows.push_str("\r\n");
}

fn shown(value: Option<&impl Display>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// Writing to a string cannot fail.
fn put(rows: &mut String, value: impl Display) {
    let _ = write!(rows, "{value}");
}

fn cell_of(rows: &mut String, text: &str) {
    // What begins like a formula is run by spreadsheets, wherever it came from; an apostrophe makes it text.
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(char::is_control);
    let apostrophe = if is_formula { "'" } else { "" };
    let text = &defused(text);
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        put(rows, format_args!("\"{apostrophe}{}\"", text.replace('"', "\"\"")));
    } else {
        put(rows, format_args!("{apostrophe}{text}"));
    }
}

/// Where lists are separated by semicolons, a spreadsheet takes what comes after one for a cell of its own.
fn defused(text: &str) -> String {
    text.replace(';', ";'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, cell) in [
            ("", ""),
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("1=1", "1=1"),
            ("x;=1+1;y", "x;'=1+1;'y"),
        ] {
            let mut written = String::new();
            cell_of(&mut written, text);
            assert_eq!(written, cell, "{text:?}");
        }
        assert_eq!(header(None).matches(',').count(), 16);
    }
}
