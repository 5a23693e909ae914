//! The schema of Claviger's database, one file per change. Runs on SQLite and on PostgreSQL.

use sea_orm_migration::prelude::*;

mod m20261122_000001_create_tenants;
mod m20261122_000002_create_credentials;
mod m20261122_000003_create_records;
mod m20261122_000004_keep_tallies;
mod m20261122_000005_create_installation;
mod schema;

/// Applies the changes in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_tenants::Migration),
            Box::new(m20261122_000002_create_credentials::Migration),
            Box::new(m20261122_000003_create_records::Migration),
            Box::new(m20261122_000004_keep_tallies::Migration),
            Box::new(m20261122_000005_create_installation::Migration),
        ]
    }
}

/// The names of all changes this build knows, oldest first.
#[must_use]
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}
