//! Several processes that start at once on an empty database: one makes the bootstrap key.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use claviger_test_postgres::Database;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Installation, Server};

const ROUNDS: usize = 4;

fn peppers() -> String {
    format!("1:{}", "5a".repeat(32))
}

/// The bootstrap keys that these servers have printed.
fn printed(servers: &[Server]) -> Vec<String> {
    let key = |line: &str| line.strip_prefix("bootstrap key: ").map(str::to_owned);
    servers.iter().flat_map(|server| server.out().lines().filter_map(key).collect::<Vec<_>>()).collect()
}

/// Starts so many servers at once, each in a directory of its own, and waits until all of them listen.
fn start_at_once(
    count: usize,
    environment: &[(&str, &str)],
    own: &[Vec<(&str, &str)>],
) -> Vec<(Installation, Server)> {
    let mut servers: Vec<_> = (0..count)
        .map(|place| {
            let installation = Installation::new();
            let own = own.get(place).map_or(&[][..], Vec::as_slice);
            let server = installation.spawn(&["serve"], &[environment, own].concat());
            (installation, server)
        })
        .collect();
    for (_, server) in &mut servers {
        assert!(server.settle(), "a server did not start; log:\n{}", server.log());
    }
    servers
}

#[tokio::test(flavor = "multi_thread")]
async fn of_servers_that_start_at_once_on_postgresql_one_makes_the_bootstrap_key() {
    for round in 0..ROUNDS {
        for count in [2, 4] {
            let database = Database::empty().await;
            let (url, peppers) = (database.url(), peppers());
            let environment = [("CLAVIGER_DATABASE_URL", url.as_str()), ("CLAVIGER_PEPPERS", &peppers)];
            let started = tokio::task::block_in_place(|| start_at_once(count, &environment, &[]));
            let (_folders, servers): (Vec<_>, Vec<_>) = started.into_iter().unzip();
            let keys = printed(&servers);
            assert_eq!(keys.len(), 1, "round {round} of {count}: {keys:?}");
            let maker = servers.iter().find(|server| !server.out().is_empty()).unwrap();
            let name = format!("process {}", maker.id());
            for server in &servers {
                // It works everywhere at once: every server has read it after it was made.
                let (status, answer) = server.get("/v1/admin/admin-keys", &keys[0]).await;
                assert_eq!(status, StatusCode::OK, "round {round} of {count}: {answer}");
                if server.id() != maker.id() {
                    let log = server.log();
                    let told = log.lines().find(|line| line.contains("a bootstrap key is in force"));
                    let told = told.unwrap_or_else(|| panic!("round {round} of {count}: {log}"));
                    assert!(told.contains(&name) && told.contains("`claviger serve` on "), "{told}");
                    assert!(!log.contains(&keys[0]), "{log}");
                }
            }
            tokio::task::block_in_place(|| servers.into_iter().for_each(Server::stop));
            database.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_given_bootstrap_keys_at_once_say_what_they_replace() {
    let installation = Installation::new();
    let generate = || installation.run(&["bootstrap-key", "generate"]).success().trim().to_owned();
    let (one, two) = (generate(), generate());
    for (keys, replaced) in [([&one, &one], 0), ([&one, &two], 1)] {
        for _ in 0..ROUNDS {
            let database = Database::empty().await;
            let (url, peppers) = (database.url(), peppers());
            let environment = [("CLAVIGER_DATABASE_URL", url.as_str()), ("CLAVIGER_PEPPERS", &peppers)];
            let own: Vec<_> = keys.iter().map(|key| vec![("CLAVIGER_BOOTSTRAP_KEY", key.as_str())]).collect();
            let started = tokio::task::block_in_place(|| start_at_once(2, &environment, &own));
            let (_folders, servers): (Vec<_>, Vec<_>) = started.into_iter().unzip();
            assert_eq!(printed(&servers), Vec::<String>::new());
            let tells = |server: &&Server| server.log().contains("has replaced the one that was in force");
            let second: Vec<_> = servers.iter().filter(tells).collect();
            assert_eq!(second.len(), replaced);
            if let [second] = second[..] {
                let first = servers.iter().find(|server| server.id() != second.id()).unwrap();
                let log = second.log();
                let told = log.lines().find(|line| line.contains("has replaced")).unwrap();
                assert!(told.contains("WARN") && told.contains(&format!("process {}", first.id())), "{told}");
                // The first one says so as well, as soon as it reads of it.
                let name = format!("process {}", second.id());
                let notices = |log: &str| {
                    log.lines()
                        .any(|line| line.contains("bootstrap key of another process") && line.contains(&name))
                };
                tokio::task::block_in_place(|| first.wait_for(|first| notices(&first.log()).then_some(())));
                let key = if std::ptr::eq(second, &raw const servers[0]) { &one } else { &two };
                assert_eq!(second.get("/v1/admin/admin-keys", key).await.0, StatusCode::OK);
            }
            tokio::task::block_in_place(|| servers.into_iter().for_each(Server::stop));
            database.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_start_at_once_on_one_directory_one_serves() {
    for round in 0..ROUNDS {
        let installation = Installation::new();
        let mut servers = [installation.spawn(&[], &[]), installation.spawn(&[], &[])];
        let settled = tokio::task::block_in_place(|| servers.each_mut().map(Server::settle));
        assert_eq!(settled.iter().filter(|listens| **listens).count(), 1, "round {round}");
        let keys = printed(&servers);
        assert_eq!(keys.len(), 1, "round {round}: {keys:?}");
        let [first, second] = servers;
        let (serving, refused) = if settled[0] { (first, second) } else { (second, first) };
        assert!(refused.log().contains("another server uses"), "{}", refused.log());
        assert_eq!(serving.get("/v1/admin/admin-keys", &keys[0]).await.0, StatusCode::OK);
        tokio::task::block_in_place(|| serving.stop());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commands_that_run_at_once_on_sqlite_the_last_bootstrap_key_works() {
    let installation = Installation::new();
    let at_once = |arguments: &[&str]| {
        tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let runs = [0, 1].map(|_| scope.spawn(|| installation.run(arguments)));
                runs.map(|run| run.join().unwrap())
            })
        })
    };
    for finished in at_once(&["migrate"]) {
        finished.success();
    }
    for _ in 0..ROUNDS {
        let keys = at_once(&["bootstrap-key", "rotate"])
            .map(|finished| finished.success().trim().strip_prefix("bootstrap key: ").unwrap().to_owned());
        let server = tokio::task::block_in_place(|| installation.start());
        assert_eq!(server.out(), "");
        let mut works = 0;
        for key in &keys {
            works += usize::from(server.get("/v1/admin/admin-keys", key).await.0 == StatusCode::OK);
        }
        assert_eq!(works, 1);
        tokio::task::block_in_place(|| server.stop());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_first_start_writes_the_key_to_a_private_file() {
    for (arguments, environment, file) in [
        (&["serve", "--quiet-first-start"][..], &[][..], "claviger-data/bootstrap-key"),
        (&["serve", "--quiet-first-start=first.key"], &[], "first.key"),
        (&["serve"], &[("CLAVIGER_BOOTSTRAP_KEY_OUTPUT", "key")], "key"),
    ] {
        let installation = Installation::new();
        let mut server = installation.spawn(arguments, environment);
        assert!(tokio::task::block_in_place(|| server.settle()), "{}", server.log());
        assert_eq!(server.out(), "");
        let path = installation.path(file);
        let key = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(server.log().contains(file) && !server.log().contains(key.trim()), "{}", server.log());
        assert_eq!(server.get("/v1/admin/admin-keys", key.trim()).await.0, StatusCode::OK);
        tokio::task::block_in_place(|| server.stop());

        // The next start makes no key and leaves the file; it may be given as a file at once.
        let mut server =
            installation.spawn(arguments, &[environment, &[("CLAVIGER_BOOTSTRAP_KEY_FILE", file)]].concat());
        assert!(tokio::task::block_in_place(|| server.settle()), "{}", server.log());
        assert_eq!(fs::read_to_string(&path).unwrap(), key);
        assert_eq!(server.get("/v1/admin/admin-keys", key.trim()).await.0, StatusCode::OK);
        tokio::task::block_in_place(|| server.stop());
    }
}

#[test]
fn a_key_file_that_cannot_be_written_is_told() {
    let installation = Installation::new();
    let sentence = installation.run(&["serve", "--quiet-first-start=missing/key"]).refused(2);
    assert!(sentence.contains("missing/key") && sentence.contains("no directory"), "{sentence}");
    assert!(!installation.data("claviger.db").exists());
    // One that is there is somebody's.
    fs::write(installation.path("taken"), "mine").unwrap();
    let sentence = installation.run(&["serve", "--quiet-first-start=taken"]).refused(1);
    assert!(sentence.contains("taken") && sentence.contains("bootstrap-key rotate"), "{sentence}");
    assert_eq!(fs::read_to_string(installation.path("taken")).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rotation_says_so_a_running_server_refuses_the_old_key() {
    let installation = Installation::new();
    let server = tokio::task::block_in_place(|| installation.start());
    let question = json!({"key": "unknown"});
    let mut old = server.bootstrap_key();
    for _ in 0..10 {
        let rotation = installation.spawn(&["bootstrap-key", "rotate"], &[]);
        let says_so = |rotation: &Server| rotation.log().contains("has stopped").then_some(());
        tokio::task::block_in_place(|| rotation.wait_for(says_so));
        // At this moment, not later; the gateway surface knows the key from memory.
        assert_eq!(server.post("/v1/keys/verify", &old, &question).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(server.get("/v1/admin/admin-keys", &old).await.0, StatusCode::FORBIDDEN);
        assert!(rotation.log().contains(&old[..23]) && !rotation.log().contains(&old), "{}", rotation.log());
        old = rotation.bootstrap_key();
        assert_eq!(server.get("/v1/admin/admin-keys", &old).await.0, StatusCode::OK);
        assert_eq!(server.post("/v1/keys/verify", &old, &question).await.0, StatusCode::OK);
    }
    tokio::task::block_in_place(|| server.stop());
}
