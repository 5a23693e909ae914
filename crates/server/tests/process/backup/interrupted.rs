//! `kill -9` in the middle of a backup and of a restore: half of one is never taken for a whole.

use std::process::Child;
use std::time::Instant;

use super::*;

fn spawn(installation: &Installation, arguments: &[&str]) -> Child {
    let mut command = installation.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the process after `delay`; answers whether it was still at work.
fn kill_after(mut child: Child, delay: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < delay {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_no_file_that_looks_whole() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    let mut killed_while_writing = 0;
    tokio::task::block_in_place(|| {
        for round in 0..60 {
            let child = spawn(&scene.installation, &["backup", text(&file)]);
            let was_killed = kill_after(child, Duration::from_micros(round * 2_500));
            let has_begun = scene.installation.path("claviger.tar.partial").exists();
            if file.exists() {
                // It was finished before it was killed: then it must be whole.
                let elsewhere = Installation::new();
                elsewhere.run(&["restore", text(&file)]).success();
                fs::remove_file(&file).unwrap();
            } else {
                assert!(was_killed, "it ended without a backup");
                killed_while_writing += u32::from(has_begun);
            }
        }
        assert!(killed_while_writing > 0, "no kill met a backup that was being written");
        // What was left is in nobody's way, and is gone after the next one.
        scene.installation.run(&["backup", text(&file)]).success();
        assert!(!scene.installation.path("claviger.tar.partial").exists());
        assert!(!scene.installation.path("claviger.tar.partial-database").exists());
    });
    assert_eq!(scene.verify(&scene.server).await["code"], "VALID");
    tokio::task::block_in_place(|| scene.server.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_is_recognised_and_nothing_starts_on_it() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    scene.run(&scene.installation, &["backup", text(&file)]).success();
    let mut killed_half_way = 0;
    for round in 0..60 {
        let elsewhere = Installation::new();
        let arguments = ["restore", text(&file)];
        let delay = Duration::from_micros(round * 2_500);
        tokio::task::block_in_place(|| kill_after(spawn(&elsewhere, &arguments), delay));
        if elsewhere.data("restore-unfinished").exists() {
            killed_half_way += 1;
            if killed_half_way > 3 {
                continue;
            }
            for command in
                [&["serve"][..], &["migrate"], &["audit", "verify"], &arguments, &["backup", "x.tar"]]
            {
                let finished = scene.run(&elsewhere, command);
                assert_ne!(finished.code, Some(0), "{command:?}: {finished:?}");
                assert!(finished.err.contains("not finished"), "{command:?}: {finished:?}");
            }
            fs::remove_dir_all(elsewhere.data("")).unwrap();
            scene.run(&elsewhere, &arguments).success();
        } else if elsewhere.data("claviger.db").exists() {
            let server = start(&elsewhere, &[]);
            scene.check_restored(&server).await;
            tokio::task::block_in_place(|| server.stop());
            break;
        } else {
            let made: Vec<_> =
                entries(&elsewhere.data("")).into_iter().filter(|name| !name.starts_with('.')).collect();
            assert_eq!(made, Vec::<String>::new(), "begun without a mark");
        }
    }
    assert!(killed_half_way > 0, "no kill met a restore");
    tokio::task::block_in_place(|| scene.server.stop());
}
