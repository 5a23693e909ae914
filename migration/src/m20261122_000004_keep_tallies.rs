//! Row counts that lists show as `total`, kept by triggers: counting a million rows for a page of
//! twenty would make every list as slow as the table is long, and no way of writing can forget them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::schema::{number, text, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// One counted thing: rows of `table` that satisfy `when`, by each of their owners. `{row}` is the row.
struct Counted {
    table: &'static str,
    /// The columns that say whose the row is.
    owners: &'static [&'static str],
    /// The word under which the count is kept, as an SQL expression over the row.
    what: &'static str,
    when: &'static str,
    /// The column whose change may move a row in or out; `None` when rows never change.
    changes: Option<&'static str>,
}

/// Both who made it and the tenant see it in a list with a total.
const SHARED: &[&str] = &["admin_key_id", "organization_id"];
/// The log is counted for partners only: other surfaces page through it with a cursor.
const PARTNERS: &[&str] = &["admin_key_id"];

const COUNTED: [Counted; 5] = [
    Counted { table: "credentials", owners: SHARED, what: "'credentials'", when: "TRUE", changes: None },
    Counted {
        table: "credentials",
        owners: SHARED,
        what: "'credentials.live'",
        when: "{row}.revoked_at IS NULL",
        changes: Some("revoked_at"),
    },
    Counted {
        table: "user_accounts",
        owners: SHARED,
        what: "'users.' || {row}.status",
        when: "TRUE",
        changes: Some("status"),
    },
    Counted { table: "audit_log", owners: PARTNERS, what: "'audit'", when: "TRUE", changes: None },
    Counted {
        table: "audit_log",
        owners: PARTNERS,
        what: "'audit.changes'",
        when: "{row}.is_change",
        changes: None,
    },
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tallies = Table::create()
            .table("tallies")
            .col(uuid("owner_id"))
            .col(text("what"))
            .col(number("n"))
            .primary_key(Index::create().col("owner_id").col("what"))
            .take();
        manager.create_table(tallies).await?;
        let connection = manager.get_connection();
        for (place, counted) in COUNTED.iter().enumerate() {
            for (event, removes, adds) in events(counted) {
                let name =
                    format!("tally_{place}_{}", event.split(' ').next().unwrap_or_default().to_lowercase());
                let mut parts = Vec::new();
                for owner in counted.owners {
                    parts.extend(removes.then(|| part(counted, owner, "OLD", -1)));
                    parts.extend(adds.then(|| part(counted, owner, "NEW", 1)));
                }
                let step = step(&parts);
                let table = counted.table;
                let statements = match manager.get_database_backend() {
                    DbBackend::Postgres => vec![
                        format!(
                            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
                             $$ BEGIN {step} RETURN NULL; END $$"
                        ),
                        format!(
                            "CREATE TRIGGER {name} AFTER {event} ON {table} \
                             FOR EACH ROW EXECUTE FUNCTION {name}()"
                        ),
                    ],
                    _ => vec![format!("CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {step} END")],
                };
                for statement in statements {
                    connection.execute_unprepared(&statement).await?;
                }
            }
        }
        Ok(())
    }
}

/// Which events move the count, and whether each takes the old row out and puts the new one in.
fn events(counted: &Counted) -> Vec<(String, bool, bool)> {
    let mut events = vec![("INSERT".to_owned(), false, true), ("DELETE".to_owned(), true, false)];
    if let Some(column) = counted.changes {
        events.push((format!("UPDATE OF {column}"), true, true));
    }
    events
}

/// What one state of a row adds to its count, as a query of at most one row.
fn part(counted: &Counted, owner: &str, row: &str, by: i8) -> String {
    let what = counted.what.replace("{row}", row);
    let when = counted.when.replace("{row}", row);
    format!(
        "SELECT {row}.{owner} AS owner_id, {what} AS what, {by} AS n \
         WHERE {row}.{owner} IS NOT NULL AND {when}"
    )
}

/// Counts that do not move are left alone, and the others are taken in one order: transactions that
/// move the same two in opposite directions would otherwise wait for each other.
fn step(parts: &[String]) -> String {
    let moves = match parts {
        [only] => only.clone(),
        parts => format!(
            "SELECT owner_id, what, sum(n) FROM ({}) AS moved GROUP BY owner_id, what \
             HAVING sum(n) <> 0 ORDER BY owner_id, what",
            parts.join(" UNION ALL ")
        ),
    };
    format!(
        "INSERT INTO tallies (owner_id, what, n) {moves} \
         ON CONFLICT (owner_id, what) DO UPDATE SET n = tallies.n + excluded.n;"
    )
}
