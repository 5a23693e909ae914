//! Calls of the usage log that fail while keys are verified: every verification that was answered is counted once.

use std::fs::OpenOptions;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use super::changes::{Issued, Tenant};
use super::control::{Fault, LOG_CHANGES, Plan, SYNC, USAGE_LOG, WRITE};
use super::ledger::ask;
use super::scene::{Failure, Scene, failures, op_name, setting};

/// Bytes after which a new segment is begun, as the server has it.
const SEGMENT_BYTES: u64 = 8 << 20;
const RECORD: u64 = 40;

/// What was seen of one credential's verifications.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    answered: u64,
    /// With an error: these must not be counted, but for those whose fsync failed after they were written.
    refused: u64,
    unanswered: u64,
}

struct Stage {
    scene: Scene,
    tenant: Tenant,
    issued: Issued,
    sum: Sum,
    syncs_each: bool,
}

const BASE: Plan =
    Plan { scope: USAGE_LOG, ops: LOG_CHANGES, position: 0, fault: Fault::IoError, times: 1, port: 0 };

impl Stage {
    async fn new(durability: &str) -> Self {
        let more = [
            ("CLAVIGER_JOURNAL_DURABILITY", durability.to_owned()),
            // One lane: every call of a round goes to one file.
            ("CLAVIGER_WORKER_THREADS", "1".to_owned()),
        ];
        let scene = Scene::new(&more, None).await;
        let tenant = Tenant::new(&scene.server, &scene.bootstrap, "Usage").await;
        let issued = tenant.credential(&scene.server, "Used", &json!({})).await;
        Self { scene, tenant, issued, sum: Sum::default(), syncs_each: durability == "disk" }
    }

    async fn verify(&mut self, times: usize) {
        let body = json!({"key": self.issued.key, "network_id": 0});
        for _ in 0..times {
            let scene = &self.scene;
            let reply =
                ask(&scene.server, Method::POST, "/v1/keys/verify", &scene.bootstrap, Some(&body)).await;
            *self.scene.ledger.statuses.entry(reply.status).or_default() += 1;
            match reply.status {
                200 => self.sum.answered += 1,
                0 => {
                    self.sum.unanswered += 1;
                    return;
                }
                _ => self.sum.refused += 1,
            }
        }
    }

    /// What is counted in the database; asking has the log written to it.
    async fn counted(&self) -> Option<u64> {
        let path = format!("/v1/admin/usage/{}", self.issued.id);
        let reply = ask(&self.scene.server, Method::GET, &path, &self.tenant.admin, None).await;
        reply.body["data"]["total_requests"].as_u64()
    }

    /// Makes the next few calls begin a new segment: a power cut can leave zeros at the end of a file as well.
    fn fill_segments(&self) {
        for entry in std::fs::read_dir(self.scene.installation.data("journal")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "usage") {
                let file = OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(SEGMENT_BYTES - 5 * RECORD).unwrap();
            }
        }
    }

    /// The calls of a round: some verifications, a new segment, the old one written to the database and deleted.
    async fn traffic(&mut self) {
        self.verify(3).await;
        self.counted().await;
        self.verify(6).await;
        self.counted().await;
        self.verify(3).await;
    }

    async fn round(&mut self, number: u32, failure: &Failure) {
        let Failure { plan, op } = failure;
        let sticky = plan.times > 1;
        let before = self.scene.verified_so_far;
        self.sum = Sum::default();
        self.scene.stop(number.is_multiple_of(2));
        self.fill_segments();
        self.scene.restart().await;
        self.scene.control.arm(plan);
        self.traffic().await;
        if *op == SYNC && !self.syncs_each {
            // The log is synced every second.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        let fired = self.scene.control.fired();
        self.scene.control.disarm();
        let lasting = if sticky { " (lasting)" } else { "" };
        let what = format!("{} {:?}{lasting}", op_name(*op), plan.fault);
        match fired {
            0 => self.scene.ledger.not_reached += 1,
            _ => *self.scene.ledger.faults.entry(what.clone()).or_default() += 1,
        }
        if fired > 0 && plan.fault.kills() {
            self.scene.server.ended();
            self.scene.restart().await;
        }
        self.recover(&what).await;
        self.verify(5).await;
        self.scene.stop(number.is_multiple_of(3));
        self.scene.restart().await;
        let counted = self.counted().await.unwrap_or_default() - before;
        self.scene.verified_so_far += counted;
        let Sum { answered, refused, unanswered } = self.sum;
        // A record that was written, and not brought to disk, cannot be taken back.
        let may_be = answered + unanswered + if *op == SYNC || self.syncs_each { refused } else { 0 };
        self.scene.ledger.verifications += answered;
        if counted < answered || counted > may_be {
            let text = format!(
                "COUNTS: round {number}, call {} ({what}): {counted} are counted of {:?}",
                plan.position, self.sum
            );
            self.scene.ledger.loss(text);
        }
    }

    /// After the fault verifications are answered again.
    async fn recover(&mut self, what: &str) {
        for _ in 0..400 {
            let answered = self.sum.answered;
            self.verify(1).await;
            if self.sum.answered > answered {
                return;
            }
            // A refused sync counts until the log was written to the database.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.scene.ledger.loss(format!("NOT RECOVERED: {what}: {:?}", self.sum));
    }
}

async fn series(durability: &str) {
    let mut stage = Stage::new(durability).await;
    stage.traffic().await;
    stage.scene.verified_so_far = stage.counted().await.unwrap();
    stage.scene.stop(false);
    stage.fill_segments();
    stage.scene.restart().await;
    stage.scene.control.arm(&BASE);
    stage.traffic().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stage.scene.control.disarm();
    stage.scene.verified_so_far = stage.counted().await.unwrap();
    let trace = stage.scene.control.trace();
    for op in [WRITE, SYNC, super::control::OPEN, super::control::UNLINK] {
        assert!(trace.contains(&op), "a round makes no {}: {trace:?}", op_name(op));
    }
    let (most, seed) = (setting("CLAVIGER_TEST_FAULTS", 1), setting("CLAVIGER_TEST_SEED", 0));
    for (number, failure) in (1..).zip(failures(&trace, &BASE, most, seed)) {
        stage.round(number, &failure).await;
    }
    stage.scene.server.signal(Signal::TERM);
    stage.scene.finish(&format!("usage log, durability {durability}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_verification_is_counted_once_when_a_call_of_the_usage_log_fails() {
    series("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_durability_disk_an_answered_verification_is_counted_once_when_a_call_fails() {
    series("disk").await;
}
