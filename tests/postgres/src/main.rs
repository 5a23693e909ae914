//! Holds a throw-away PostgreSQL with the newest schema: prints where it is, and keeps it until its
//! input ends.

use claviger_test_postgres::Database;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "its output is what this program is for")]
async fn main() -> std::io::Result<()> {
    let database = Database::migrated().await;
    println!("{}", database.url());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    database.remove().await;
    Ok(())
}
