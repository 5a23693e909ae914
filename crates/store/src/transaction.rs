//! Transactions: begun on a clean connection, and done only when the commit was acknowledged.

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::{Store, StoreError, Tx};

impl Store {
    /// Runs `work` as one transaction: committed when it answers `Ok`, undone in every other case,
    /// being dropped included.
    ///
    /// # Errors
    /// What `work` answers, or [`StoreError`] when the transaction cannot begin or commit.
    pub async fn transaction<T, E: From<StoreError>>(
        &self,
        work: impl AsyncFnOnce(&Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = Tx(self.begin().await.map_err(StoreError::from)?);
        let answer = match work(&tx).await {
            Ok(answer) => answer,
            Err(error) => {
                if tx.0.rollback().await.is_err() {
                    self.suspect.mark();
                }
                return Err(error);
            }
        };
        self.commit(tx).await?;
        Ok(answer)
    }

    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        if self.is_embedded() {
            let begun = self.writer.begin_with_options(options).await;
            // Without a connection there is none to be suspected.
            if matches!(&begun, Err(error) if !matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)))
            {
                self.suspect.mark();
            }
            return begun;
        }
        // A BEGIN that is abandoned half-way would leave its connection inside a transaction that the driver does not
        // know of. In a task of its own it is not abandoned, and its transaction is rolled back when nobody takes it.
        let writer = self.writer.clone();
        match tokio::spawn(async move { writer.begin_with_options(options).await }).await {
            Ok(begun) => begun,
            Err(error) => Err(DbErr::Custom(error.to_string())),
        }
    }

    async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        // PostgreSQL answers the COMMIT of a transaction in which a statement failed with success, and rolls it back.
        // Any other statement fails in it.
        if tx.0.get_database_backend() == DatabaseBackend::Postgres {
            tx.0.execute_unprepared("SELECT 1").await?;
        }
        if let Err(error) = tx.0.commit().await {
            self.suspect.mark();
            return Err(error.into());
        }
        Ok(())
    }
}
