//! The database as it lies there, read past the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claviger_domain::ids::CredentialId;
use claviger_store::Tables;
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement};

use crate::support::World;

async fn query(world: &World, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(DatabaseBackend::Sqlite, sql);
    world.app.store().connection().query_all_raw(statement).await.unwrap()
}

/// Changes the database past the store.
pub(crate) async fn run(world: &World, sql: &str) {
    let statement = Statement::from_string(DatabaseBackend::Sqlite, sql);
    let done = world.app.store().connection().execute_raw(statement).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

async fn texts(world: &World, sql: &str) -> Vec<String> {
    let rows = query(world, sql).await;
    rows.iter().map(|row| row.try_get_by_index::<Option<String>>(0).unwrap().unwrap_or_default()).collect()
}

async fn tables(world: &World) -> Vec<String> {
    texts(world, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").await
}

/// How many rows each table has.
pub(crate) async fn counts(world: &World) -> BTreeMap<String, i64> {
    let tables = tables(world).await;
    let parts: Vec<_> =
        tables.iter().map(|name| format!("SELECT '{name}', count(*) FROM \"{name}\"")).collect();
    let rows = query(world, &parts.join(" UNION ALL ")).await;
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

/// The one row of numbers that a query answers: all of them of one instant.
pub(crate) async fn numbers(world: &World, sql: &str) -> Vec<i64> {
    let row = query(world, sql).await.remove(0);
    (0..row.column_names().len()).map(|place| row.try_get_by_index(place).unwrap()).collect()
}

/// How many rows one table has.
pub(crate) async fn count(world: &World, table: &str) -> i64 {
    counts(world).await[table]
}

/// Every row of every table, in SQL's spelling: blobs are hexadecimal.
pub(crate) async fn everything(world: &World) -> String {
    let mut dump = String::new();
    for table in tables(world).await {
        dump.push_str(&all_of(world, &table).await);
    }
    dump
}

/// Every row of one table, as in [`everything`].
pub(crate) async fn all_of(world: &World, table: &str) -> String {
    let columns = texts(world, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
    let quoted: Vec<_> = columns.iter().map(|name| format!("quote(\"{name}\")")).collect();
    let rows = texts(world, &format!("SELECT {} FROM \"{table}\"", quoted.join(" || ',' || "))).await;
    rows.into_iter().map(|row| format!("{table}: {row}\n")).collect()
}

/// The rows of one credential, without what is each one's own: ids, digests, prefixes; instants are counted from when it
/// was made.
pub(crate) async fn of_credential(world: &World, id: CredentialId) -> Vec<String> {
    let id = format!("x'{}'", id.uuid().simple());
    let made = format!("(SELECT created_at FROM credentials WHERE id = {id})");
    let mut told = Vec::new();
    for (table, owner, order) in [
        ("credentials", "id", "id"),
        ("secrets", "credential_id", "number"),
        ("usage", "credential_id", "span_seconds"),
    ] {
        let columns = texts(world, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
        let parts: Vec<_> = columns
            .iter()
            .filter(|name| !["id", "credential_id", "prefix", "digest", "starts_at"].contains(&name.as_str()))
            .map(|name| match name.ends_with("_at") {
                true => format!("'{name}=' || quote(\"{name}\" - {made})"),
                false => format!("'{name}=' || quote(\"{name}\")"),
            })
            .collect();
        let parts = parts.join(" || ', ' || ");
        let sql = format!("SELECT {parts} FROM \"{table}\" WHERE {owner} = {id} ORDER BY {order}, 1");
        told.extend(texts(world, &sql).await.into_iter().map(|row| format!("{table}: {row}")));
    }
    told
}

/// Whether `text` stands in a dump, as it is or inside a blob.
pub(crate) fn stands_in(text: &str, dump: &str) -> bool {
    let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    dump.contains(text) || dump.contains(&hex)
}

/// The bytes of the database's files, its journals and the usage journal included.
pub(crate) async fn files(world: &World) -> Vec<u8> {
    let file = texts(world, "SELECT file FROM pragma_database_list WHERE name = 'main'").await.remove(0);
    bytes_below(PathBuf::from(file).parent().unwrap())
}

fn bytes_below(folder: &Path) -> Vec<u8> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { bytes_below(&path) } else { std::fs::read(path).unwrap() })
        .collect()
}
