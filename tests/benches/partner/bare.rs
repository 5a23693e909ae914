//! The baseline: bare SeaORM writing what the product writes, and nothing else.

use std::path::Path;
use std::time::Instant;

use sea_orm::{DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, TransactionTrait};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::figures::rate;
use crate::rows::{Rows, connect, credential, entry, secret};

pub(crate) struct Bare {
    db: DatabaseConnection,
    rows: Rows,
    /// How many copies have been written.
    written: u64,
}

impl Bare {
    pub(crate) async fn open(database: &Path, rows: &Rows) -> Outcome<Self> {
        Ok(Self { db: connect(database, "FULL").await?, rows: rows.clone(), written: 0 })
    }

    /// Writes about `count` credentials from so many tasks at once; answers how many a second. The
    /// rows are there before the clock starts.
    pub(crate) async fn write(&mut self, tasks: usize, count: usize) -> Outcome<f64> {
        let each = count / tasks;
        let mut work: Vec<Vec<Rows>> = Vec::new();
        for _ in 0..tasks {
            let until = self.written + u64::try_from(each)?;
            work.push((self.written + 1..=until).map(|number| self.rows.copy(number)).collect());
            self.written = until;
        }
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for rows in work {
            let db = self.db.clone();
            running.spawn(async move {
                for rows in rows {
                    insert(&db, rows).await?;
                }
                Ok::<_, DbErr>(())
            });
        }
        while let Some(done) = running.join_next().await {
            done??;
        }
        Ok(rate(each * tasks, begun.elapsed()))
    }

    pub(crate) async fn close(self) -> Outcome<()> {
        Ok(self.db.close().await?)
    }
}

async fn insert(db: &DatabaseConnection, rows: Rows) -> Result<(), DbErr> {
    let Rows { credential, secret, entry } = rows;
    let tx = db.begin().await?;
    credential::Entity::insert(credential.into_active_model()).exec_without_returning(&tx).await?;
    secret::Entity::insert(secret.into_active_model()).exec_without_returning(&tx).await?;
    entry::Entity::insert(entry.into_active_model()).exec_without_returning(&tx).await?;
    tx.commit().await
}

/// How many credentials, secrets and changes in the audit log a database holds.
pub(crate) async fn census(database: &Path) -> Outcome<[u64; 3]> {
    let db = connect(database, "FULL").await?;
    let census = [
        credential::Entity::find().count(&db).await?,
        secret::Entity::find().count(&db).await?,
        entry::Entity::find().count(&db).await?,
    ];
    db.close().await?;
    Ok(census)
}
