//! A data directory on a file system that is full for a while: what is answered meanwhile and afterwards holds.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::changes::{Issued, Tenant};
use super::control::{DATABASE, FILE_CHANGES, Fault, Plan, USAGE_LOG};
use super::ledger::ask;
use super::scene::Scene;

/// The small file system, or in its place the shim: every write fails until it is told otherwise.
enum Disk {
    Small(PathBuf),
    Shim,
}

impl Disk {
    /// Only root may mount; elsewhere the shim answers as a full file system does.
    fn mount(data: &Path) -> Self {
        std::fs::create_dir(data).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "claviger-test"]).arg(data);
        match command.output() {
            Ok(mounted) if mounted.status.success() => Self::Small(data.to_owned()),
            _ => Self::Shim,
        }
    }

    fn fill(&self, scene: &Scene) {
        match self {
            Self::Small(data) => {
                let mut file = File::create(data.join("filler")).unwrap();
                for length in [1 << 20, 4096, 1] {
                    while file.write_all(&vec![b'x'; length]).is_ok() {}
                }
            }
            Self::Shim => scene.control.arm(&Plan {
                scope: DATABASE | USAGE_LOG,
                ops: FILE_CHANGES,
                position: 1,
                fault: Fault::NoSpace,
                times: u32::MAX,
                port: 0,
            }),
        }
    }

    fn free(&self, scene: &Scene) {
        match self {
            Self::Small(data) => std::fs::remove_file(data.join("filler")).unwrap(),
            Self::Shim => scene.control.disarm(),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small(data) = self {
            drop(Command::new("umount").arg("-l").arg(data).status());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_answered_after_a_full_disk_are_kept_and_readiness_tells_of_it() {
    let mut disk = Disk::Shim;
    let mut scene = Scene::with(&[], None, |data| disk = Disk::mount(data)).await;
    let tenant = Tenant::new(&scene.server, &scene.bootstrap, "Acme").await;
    let revoked = tenant.credential(&scene.server, "To be revoked", &json!({})).await;
    let rotated = tenant.credential(&scene.server, "To be rotated", &json!({})).await;
    assert_eq!(readiness(&scene).await, 200);

    disk.fill(&scene);
    let (mut issued, mut refused) = (Vec::new(), 0);
    let begun = Instant::now();
    // What the database's log has room for already is still taken.
    while refused < 5 {
        match create(&scene, &tenant, &format!("Full {}", issued.len())).await {
            Ok(one) => issued.push(one),
            Err(status) => {
                assert_eq!(status, 503);
                refused += 1;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{} creates fit on a full disk", issued.len());
    }
    let kept_while_full = issued.len();
    wait_for_readiness(&scene, 503).await;
    let live = ask(&scene.server, Method::GET, "/health/live", "", None).await;
    assert_eq!(live.status, 200, "liveness does not tell of the database");

    disk.free(&scene);
    let body = json!({
        "name": "Nobody's", "network_id": 0, "user_account_id": "01900000-0000-7000-8000-000000000000",
    });
    let path = "/v1/admin/credentials";
    let nobody = ask(&scene.server, Method::POST, path, &tenant.admin, Some(&body)).await;
    assert!(matches!(nobody.status, 404 | 503), "{nobody:?}");
    let begun = Instant::now();
    while issued.len() < kept_while_full + 5 {
        match create(&scene, &tenant, &format!("After {}", issued.len())).await {
            Ok(one) => issued.push(one),
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "it does not recover"),
        }
    }
    let path = format!("{path}/{}", revoked.id);
    assert_eq!(ask(&scene.server, Method::DELETE, &path, &tenant.admin, None).await.status, 200);
    let path = format!("/v1/admin/credentials/{}/rotate", rotated.id);
    let body = json!({"overlap_seconds": 0});
    let reply = ask(&scene.server, Method::POST, &path, &tenant.admin, Some(&body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let replacement = reply.body["data"]["api_key"].as_str().unwrap().to_owned();
    wait_for_readiness(&scene, 200).await;
    let mut verified = 0;
    for restarted in [false, true] {
        if restarted {
            scene.stop(false);
            scene.restart().await;
        }
        for Issued { key, .. } in &issued {
            assert_eq!(code(&scene, key).await, "VALID", "restarted: {restarted}");
            verified += 1;
        }
        for (key, expected) in [(&revoked.key, "REVOKED"), (&rotated.key, "EXPIRED"), (&replacement, "VALID")]
        {
            assert_eq!(code(&scene, key).await, expected, "restarted: {restarted}");
        }
    }
    let place = if matches!(disk, Disk::Small(_)) { "a tmpfs of 24 MiB" } else { "the shim" };
    println!(
        "full disk ({place}): {kept_while_full} creates taken while full, {refused} refused, 5 afterwards, \
         {verified} verifications, lost: 0"
    );
    scene.finish("full disk").await;
}

async fn create(scene: &Scene, tenant: &Tenant, name: &str) -> Result<Issued, u16> {
    let body = json!({"name": name, "network_id": 0});
    let reply = ask(&scene.server, Method::POST, "/v1/admin/credentials", &tenant.admin, Some(&body)).await;
    let text = |pointer| reply.body.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned);
    match (text("/data/credential/id"), text("/data/api_key")) {
        (Some(id), Some(key)) if reply.status == 201 => Ok(Issued { id, key }),
        _ => Err(reply.status),
    }
}

async fn code(scene: &Scene, key: &str) -> String {
    let body = json!({"key": key, "cost": 0});
    let reply = ask(&scene.server, Method::POST, "/v1/keys/verify", &scene.bootstrap, Some(&body)).await;
    reply.body["code"].as_str().unwrap_or_default().to_owned()
}

async fn readiness(scene: &Scene) -> u16 {
    ask(&scene.server, Method::GET, "/health/ready", "", None).await.status
}

async fn wait_for_readiness(scene: &Scene, status: u16) {
    let begun = Instant::now();
    while readiness(scene).await != status {
        assert!(begun.elapsed() < Duration::from_secs(20), "/health/ready does not become {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
