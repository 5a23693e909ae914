//! System calls that fail in the middle of a change: what was answered is stored and in force, what was refused has
//! changed nothing, and the running process, the database and the process after a restart agree.
//!
//! A shim that is loaded into the server (`faults/shim.c`) counts the calls of a change and lets one fail. A position
//! is one call of one change; each is tried with every fault that such a call can have. `CLAVIGER_TEST_FAULTS` says how
//! many positions are tried for each kind of change, call and fault (0: all), `CLAVIGER_TEST_SEED` which. Without it a short
//! form is run. The tests need a C compiler, `cc`.

mod changes;
mod control;
mod full_disk;
mod ledger;
mod scene;
mod usage_log;

use changes::Kind;
use claviger_test_postgres::Database;
use control::{DATABASE, FILE_CHANGES, Fault, MAIN_FILE, Plan, RECEIVE, SEND, SOCKET, SYNC, WRITE};
use scene::{Failure, Scene, failures, setting};

#[expect(clippy::print_stdout, reason = "a long series tells how far it is")]
async fn series(scene: &mut Scene, base: &Plan) {
    let most = setting("CLAVIGER_TEST_FAULTS", 1);
    let seed = setting("CLAVIGER_TEST_SEED", 0);
    for (turn, kind) in Kind::ALL.into_iter().enumerate() {
        let trace = scene.count(kind, base).await;
        println!("{kind:?} makes {} calls", trace.len());
        // The short form takes every other one; the next kind of change takes those that this one leaves out.
        let is_short = std::env::var_os("CLAVIGER_TEST_FAULTS").is_none();
        for (place, failure) in failures(&trace, base, most, turn + seed).iter().enumerate() {
            if !is_short || (place + turn).is_multiple_of(2) {
                scene.round(kind, failure).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_no_answered_change_is_lost_when_a_system_call_fails() {
    let mut scene = Scene::new(&[], None).await;
    let base =
        Plan { scope: DATABASE, ops: FILE_CHANGES, position: 0, fault: Fault::IoError, times: 1, port: 0 };
    series(&mut scene, &base).await;
    scene.finish("SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_no_answered_change_is_lost_when_a_checkpoint_fails() {
    let mut scene = Scene::new(&[], None).await;
    let base =
        Plan { scope: MAIN_FILE, ops: FILE_CHANGES, position: 0, fault: Fault::IoError, times: 1, port: 0 };
    let trace = scene.checkpoint(&Failure { plan: base, op: WRITE }).await;
    assert!(trace.contains(&WRITE), "no checkpoint: {trace:?}");
    println!("a checkpoint makes {} calls", trace.len());
    let (most, seed) = (setting("CLAVIGER_TEST_FAULTS", 1), setting("CLAVIGER_TEST_SEED", 0));
    // Hundreds of pages are written alike: some of them are enough also where all positions are tried.
    for failure in failures(&trace, &base, if most == 0 { 8 } else { most }, seed) {
        if failure.op & (WRITE | SYNC) != 0 {
            scene.checkpoint(&failure).await;
        }
    }
    scene.finish("SQLite, checkpoints").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_no_answered_change_is_lost_when_a_system_call_fails() {
    let database = Database::empty().await;
    let url = database.url();
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
    let maintenance = sea_orm::Database::connect(&url).await.unwrap();
    let peppers = format!("1:{}", "5a".repeat(32));
    let more = [("CLAVIGER_DATABASE_URL", url), ("CLAVIGER_PEPPERS", peppers)];
    let mut scene = Scene::new(&more, Some(maintenance)).await;
    let base =
        Plan { scope: SOCKET, ops: SEND | RECEIVE, position: 0, fault: Fault::IoError, times: 1, port };
    series(&mut scene, &base).await;
    scene.finish("PostgreSQL").await;
    database.remove().await;
}
