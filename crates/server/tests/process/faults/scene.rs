//! A server with the shim, and one round: a change during which a call fails, more changes, a restart, and the
//! comparison of what was answered with what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;

use super::changes::{Change, Issued, Kind, Tenant};
use super::control::{Control, Fault, Plan, WRITE};
use super::ledger::{Answer, Found, Ledger, Line, Observer, Probe, Reply, ask};
use crate::support::{Installation, Server};

pub(super) struct Scene {
    pub(super) installation: Installation,
    pub(super) control: Control,
    pub(super) server: Server,
    pub(super) bootstrap: String,
    pub(super) ledger: Ledger,
    environment: Vec<(&'static str, String)>,
    /// To PostgreSQL, for ending the server's connections.
    maintenance: Option<DatabaseConnection>,
    rounds: u32,
    pub(super) verified_so_far: u64,
    /// What was decided in earlier rounds: no later one may take it back.
    kept: Vec<(Line, Found)>,
}

/// Each adds about fifteen pages to the database's log, which is written to the main file after a thousand.
const CREATES_TO_A_CHECKPOINT: usize = 110;

/// What is to fail in a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) plan: Plan,
    pub(super) op: u32,
}

impl Scene {
    pub(super) async fn new(
        more: &[(&'static str, String)],
        maintenance: Option<DatabaseConnection>,
    ) -> Self {
        Self::with(more, maintenance, |_| {}).await
    }

    /// The same, after something was done about the data directory.
    pub(super) async fn with(
        more: &[(&'static str, String)],
        maintenance: Option<DatabaseConnection>,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let (installation, control) = (Installation::new(), Control::new());
        let data = installation.path("claviger-data");
        prepare(&data);
        let mut environment = control.environment(&data);
        environment.extend(more.iter().cloned());
        let server = start(&installation, &environment);
        let bootstrap = server.bootstrap_key();
        Self {
            installation,
            control,
            server,
            bootstrap,
            ledger: Ledger::default(),
            environment,
            maintenance,
            rounds: 0,
            verified_so_far: 0,
            kept: Vec::new(),
        }
    }

    /// The calls that one change of this kind makes.
    pub(super) async fn count(&mut self, kind: Kind, plan: &Plan) -> Vec<u32> {
        let name = format!("Counted {kind:?}");
        let tenant = Tenant::new(&self.server, &self.bootstrap, &name).await;
        let change = tenant.prepare(&self.server, kind, &name).await;
        self.control.arm(&Plan { position: 0, ..*plan });
        let reply = change.make(&self.server).await;
        self.control.disarm();
        assert_eq!(reply.answer(), Answer::Done, "{kind:?} without a fault: {reply:?}");
        self.control.trace()
    }

    pub(super) async fn round(&mut self, kind: Kind, failure: &Failure) {
        self.rounds += 1;
        let Failure { plan, op } = failure;
        let sticky = plan.times > 1;
        let what = format!(
            "round {}, call {} ({}), {:?}{}",
            self.rounds,
            plan.position,
            op_name(*op),
            plan.fault,
            if sticky { " from there on" } else { "" }
        );
        let name = format!("Round {}", self.rounds);
        let tenant = Tenant::new(&self.server, &self.bootstrap, &name).await;
        let mut change = tenant.prepare(&self.server, kind, &format!("Changed {}", self.rounds)).await;
        let mut later = [
            tenant.prepare(&self.server, Kind::Create, "Later").await,
            tenant.prepare(&self.server, Kind::Revoke, "Later revoked").await,
            tenant.prepare(&self.server, Kind::Rotate, "Later rotated").await,
            tenant.prepare(&self.server, Kind::Disable, "Later disabled").await,
        ];
        let mut verified = BTreeMap::new();
        let logged = self.actions(&tenant).await;

        self.control.arm(plan);
        let reply = self.make(&change, plan.fault).await;
        let mut lines = change.lines(&what, &reply, &tenant);
        let mut credentials = change.credentials.clone();
        if sticky && !self.server.has_ended() {
            // The disk is full for longer than one change takes.
            self.rolled_back(&tenant).await;
            let mut full = tenant.creation("While it lasts");
            let reply = full.make(&self.server).await;
            lines.extend(full.lines(&format!("{what}, while it lasts"), &reply, &tenant));
            credentials.extend(full.credentials);
        }
        let fired = self.control.fired();
        self.control.disarm();
        let fault = format!("{} {:?}{}", op_name(*op), plan.fault, if sticky { " (lasting)" } else { "" });
        match fired {
            0 => self.ledger.not_reached += 1,
            _ => *self.ledger.faults.entry(fault).or_default() += 1,
        }
        if fired > 0 && plan.fault.kills() {
            self.server.ended();
            self.restart().await;
        } else if reply.status == 503 && !sticky && self.rounds.is_multiple_of(3) {
            // Nothing comes between the refusal and the crash.
            self.stop(true);
            self.restart().await;
        }
        self.rolled_back(&tenant).await;
        for change in &mut later {
            let reply = change.make(&self.server).await;
            lines.extend(change.lines(&format!("{what}, afterwards"), &reply, &tenant));
            credentials.extend(change.credentials.clone());
        }
        lines.extend(self.recovered(&tenant, &what, &mut credentials).await);

        let live = self.look_live(&lines, &mut verified).await;
        self.stop(self.rounds.is_multiple_of(2));
        self.restart().await;
        let found = self.look(&lines, &mut verified).await;
        let mut expected = logged;
        for ((line, live), found) in lines.into_iter().zip(&live).zip(found) {
            self.ledger.judge(&line, Some(live), &found);
            if found == Found::After && !line.action.is_empty() {
                *expected.entry(line.action.to_owned()).or_default() += 1;
            }
            self.kept.push((line, found));
        }
        let logged = self.actions(&tenant).await;
        if logged != expected {
            self.ledger.loss(format!("AUDIT LOG: {what}: it tells {logged:?}, was to tell {expected:?}"));
        }
        self.counted(&tenant, &credentials, &verified, &what).await;
    }

    /// So many creates that the database's log is written to its main file meanwhile; answers the calls of that.
    pub(super) async fn checkpoint(&mut self, failure: &Failure) -> Vec<u32> {
        self.rounds += 1;
        let Failure { plan, op } = failure;
        let name = format!("Checkpoint {}", self.rounds);
        let tenant = Tenant::new(&self.server, &self.bootstrap, &name).await;
        let what = format!("{name}, call {} ({}), {:?}", plan.position, op_name(*op), plan.fault);
        let (mut lines, mut verified) = (Vec::new(), BTreeMap::new());
        self.control.arm(plan);
        for place in 0..CREATES_TO_A_CHECKPOINT {
            let mut change = tenant.creation(&format!("Credential {place}"));
            let reply = change.make(&self.server).await;
            lines.extend(change.lines(&what, &reply, &tenant));
            if reply.status == 0 {
                break;
            }
        }
        let (fired, trace) = (self.control.fired(), self.control.trace());
        self.control.disarm();
        if plan.position > 0 {
            match fired {
                0 => self.ledger.not_reached += 1,
                _ => {
                    let fault = format!("checkpoint: {} {:?}", op_name(*op), plan.fault);
                    *self.ledger.faults.entry(fault).or_default() += 1;
                }
            }
        }
        let is_gone = fired > 0 && plan.fault.kills();
        let live = if is_gone { None } else { Some(self.look_live(&lines, &mut verified).await) };
        if is_gone {
            self.server.ended();
        } else {
            // A clean stop would write the log to the main file, and the next round begin with an empty one.
            self.stop(self.rounds.is_multiple_of(2));
        }
        self.restart().await;
        let found = self.look(&lines, &mut verified).await;
        for (place, (line, found)) in lines.into_iter().zip(found).enumerate() {
            self.ledger.judge(&line, live.as_ref().map(|live| &live[place]), &found);
        }
        trace
    }

    /// Makes the change; on PostgreSQL with the backend ended in the middle of it, if that is the fault.
    async fn make(&self, change: &Change, fault: Fault) -> Reply {
        let (Fault::Terminated, Some(database)) = (fault, &self.maintenance) else {
            return change.make(&self.server).await;
        };
        let terminate = async {
            loop {
                if let Some(port) = self.control.paused() {
                    let statement = format!(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = {port}"
                    );
                    database.execute_unprepared(&statement).await.unwrap();
                    self.control.resume();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            reply = change.make(&self.server) => reply,
            () = terminate => unreachable!(),
        }
    }

    /// A change that is refused in the middle of its transaction.
    async fn rolled_back(&mut self, tenant: &Tenant) {
        let nobody = "01900000-0000-7000-8000-000000000000";
        let body = json!({"name": "Nobody's", "network_id": 0, "user_account_id": nobody});
        let reply =
            ask(&self.server, Method::POST, "/v1/admin/credentials", &tenant.admin, Some(&body)).await;
        assert!(!(200..300).contains(&reply.status), "{reply:?}");
    }

    /// Creates until one is answered 201: the fault has passed.
    async fn recovered(&mut self, tenant: &Tenant, what: &str, credentials: &mut Vec<Issued>) -> Vec<Line> {
        let (begun, mut lines) = (Instant::now(), Vec::new());
        for attempt in 0.. {
            let mut change = tenant.creation(&format!("Recovered {attempt}"));
            let reply = change.make(&self.server).await;
            lines.extend(change.lines(&format!("{what}, recovery"), &reply, tenant));
            credentials.extend(change.credentials.clone());
            if reply.answer() == Answer::Done {
                break;
            }
            if begun.elapsed() > Duration::from_secs(8) {
                self.ledger.loss(format!("NOT RECOVERED: {what}: {reply:?}"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        lines
    }

    /// What the process says that answered. A change of unknown outcome reaches its memory when it reads the change
    /// feed, which it does twice a second.
    async fn look_live(&self, lines: &[Line], verified: &mut BTreeMap<String, u64>) -> Vec<Found> {
        if lines.iter().any(|line| line.answer == Answer::Unknown) {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        self.look(lines, verified).await
    }

    pub(super) async fn look(&self, lines: &[Line], verified: &mut BTreeMap<String, u64>) -> Vec<Found> {
        let mut observer = Observer { server: &self.server, bootstrap: &self.bootstrap, verified };
        let mut found = Vec::with_capacity(lines.len());
        for line in lines {
            found.push(observer.look(line).await);
        }
        found
    }

    /// Every verification that was answered is counted, and no other one.
    async fn counted(
        &mut self,
        tenant: &Tenant,
        credentials: &[Issued],
        verified: &BTreeMap<String, u64>,
        what: &str,
    ) {
        let mut by_credential = BTreeMap::<&str, u64>::new();
        for Issued { id, key } in credentials {
            *by_credential.entry(id).or_default() += verified.get(key).copied().unwrap_or(0);
        }
        // Of a rotated credential the key before the rotation is known under the same id.
        for (id, answered) in by_credential {
            let probe = Probe::Read {
                path: format!("/v1/admin/usage/{id}"),
                key: tenant.admin.clone(),
                pointer: "/data/total_requests",
            };
            let mut unused = BTreeMap::new();
            let mut observer =
                Observer { server: &self.server, bootstrap: &self.bootstrap, verified: &mut unused };
            let (expected, seen) = (format!("200 {answered}"), observer.observe(&probe).await);
            self.ledger.verifications += answered;
            if seen != expected {
                let text =
                    format!("COUNTS: {what}: {answered} calls of {id} were answered, counted are {seen}");
                self.ledger.loss(text);
            }
        }
    }

    /// The changes in the organization's audit log, by action.
    async fn actions(&self, tenant: &Tenant) -> BTreeMap<String, u32> {
        let path = format!("/admin/v1/audit-logs?org_id={}&limit=100", tenant.organization);
        let (status, body) = self.server.get(&path, &self.bootstrap).await;
        assert!(status.is_success(), "{body}");
        let mut actions = BTreeMap::new();
        for entry in body["data"].as_array().unwrap() {
            let action = entry["action"].as_str().unwrap();
            if !action.ends_with(".read") && !action.ends_with(".denied") {
                *actions.entry(action.to_owned()).or_default() += 1;
            }
        }
        actions
    }

    /// Ends the server, as a crash does or as an operator does.
    pub(super) fn stop(&mut self, is_killed: bool) {
        self.server.signal(if is_killed { Signal::KILL } else { Signal::TERM });
        tokio::task::block_in_place(|| self.server.ended());
    }

    pub(super) async fn restart(&mut self) {
        self.control.disarm();
        self.server = start(&self.installation, &self.environment);
        // Until then keys are looked up one by one.
        self.server.wait_for(|server| server.log().contains("every key is loaded").then_some(()));
    }

    /// What stays to be looked at when the series is over: everything that was decided is still so, and the audit
    /// log verifies.
    pub(super) async fn finish(mut self, title: &str) {
        let kept = std::mem::take(&mut self.kept);
        for (line, found) in &kept {
            let now = self.look(std::slice::from_ref(line), &mut BTreeMap::new()).await;
            if now[0] != *found {
                self.ledger.loss(format!("LATER: {}: {found:?}, and at the end {:?}", line.what, now[0]));
            }
        }
        let environment: Vec<_> = self
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with("CLAVIGER_"))
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let verified = self.installation.run_with(&["audit", "verify"], &environment);
        if verified.code != Some(0) {
            self.ledger.loss(format!("AUDIT CHAIN: {verified:?}"));
        }
        self.server.signal(Signal::TERM);
        self.server.ended();
        if let Some(database) = self.maintenance.take() {
            database.close().await.unwrap();
        }
        self.ledger.finish(title);
    }
}

pub(super) fn start(installation: &Installation, environment: &[(&'static str, String)]) -> Server {
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    tokio::task::block_in_place(|| installation.start_with(&environment))
}

pub(super) fn op_name(op: u32) -> &'static str {
    match op {
        WRITE => "write",
        2 => "fsync",
        4 => "truncate",
        8 => "open",
        16 => "unlink",
        32 => "rename",
        64 => "mmap",
        128 => "read",
        256 => "lock",
        512 => "send",
        _ => "receive",
    }
}

/// Positions of one change for each kind of call and each fault: `most` of each, spread evenly, all with 0.
pub(super) fn failures(trace: &[u32], base: &Plan, most: usize, turn: usize) -> Vec<Failure> {
    let mut groups = BTreeMap::<(u32, Fault), Vec<u32>>::new();
    for (position, op) in (1..).zip(trace) {
        for fault in Fault::of(*op) {
            groups.entry((*op, *fault)).or_default().push(position);
        }
    }
    let mut failures = Vec::new();
    for (group, ((op, fault), positions)) in groups.into_iter().enumerate() {
        let wanted = if most == 0 { positions.len() } else { most.min(positions.len()) };
        // The golden ratio spreads the turns evenly, whatever their number.
        let offset = ((turn + group) as f64 * 0.618_033_988_75).fract();
        for place in 0..wanted {
            let index = ((place as f64 + offset) * positions.len() as f64 / wanted as f64) as usize;
            let position = positions[index.min(positions.len() - 1)];
            failures.push(Failure { plan: Plan { position, fault, ..*base }, op });
            if matches!((op, fault), (WRITE, Fault::NoSpace)) {
                let plan = Plan { position, fault, times: u32::MAX, ..*base };
                failures.push(Failure { plan, op });
            }
        }
    }
    failures
}

/// A number from the environment.
pub(super) fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}
