//! The house stands as drawn: which crate may name which, and the rules that hold for every file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The arrows between our own crates. What is not here may not be named, by anybody.
const ARROWS: [(&str, &[&str]); 9] = [
    ("claviger-domain", &[]),
    ("claviger-migration", &[]),
    ("claviger-store", &["claviger-domain", "claviger-migration"]),
    ("claviger-engine", &["claviger-domain"]),
    ("claviger-app", &["claviger-domain", "claviger-engine", "claviger-store"]),
    ("claviger-http", &["claviger-app", "claviger-domain"]),
    (
        "claviger-server",
        &[
            "claviger-app",
            "claviger-domain",
            "claviger-engine",
            "claviger-http",
            "claviger-migration",
            "claviger-store",
        ],
    ),
    ("claviger-test-postgres", &["claviger-migration"]),
    ("claviger-tests", &[]),
];

/// Pure: nothing here can do I/O, tell the time or roll dice.
const OF_THE_DOMAIN: [&str; 9] =
    ["blake3", "chrono", "crc32fast", "ipnet", "rand_core", "subtle", "thiserror", "uuid", "zeroize"];

/// Who alone may name what.
const RESERVED: [(&[&str], &[&str]); 3] = [
    (
        &["sea-orm", "sea-orm-migration", "sea-query", "sqlx"],
        &["claviger-store", "claviger-migration", "claviger-test-postgres"],
    ),
    (
        &[
            "axum",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "tower",
            "tower-http",
            "utoipa",
            "utoipa-axum",
        ],
        &["claviger-http", "claviger-server"],
    ),
    // The application speaks in types; JSON is the surfaces', and the columns' that hold it.
    (&["serde", "serde_json"], &["claviger-http", "claviger-server", "claviger-store"]),
];

struct Package {
    name: String,
    manifest: PathBuf,
    /// Of each dependency its name, and whether the product is built with it.
    dependencies: Vec<(String, bool)>,
}

impl Package {
    fn of_the_product(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|(_, product)| *product).map(|(name, _)| name.as_str())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let metadata: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dependency = |value: &Value| (text(&value["name"]), value["kind"] != "dev");
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            manifest: text(&package["manifest_path"]).into(),
            dependencies: package["dependencies"].as_array().unwrap().iter().map(dependency).collect(),
        })
        .collect()
}

#[test]
fn arrows_point_inwards() {
    let packages = packages();
    assert_eq!(packages.len(), ARROWS.len(), "every crate has its place in the table of arrows");
    for package in packages {
        let arrows = ARROWS.iter().find(|(name, _)| *name == package.name);
        let Some((_, allowed)) = arrows else { panic!("{} has no place in the table", package.name) };
        for named in package.of_the_product().filter(|name| name.starts_with("claviger-")) {
            assert!(allowed.contains(&named), "{} must not name {named}", package.name);
        }
    }
}

#[test]
fn the_domain_is_pure() {
    let packages = packages();
    let domain = packages.iter().find(|package| package.name == "claviger-domain").unwrap();
    for named in domain.of_the_product() {
        assert!(OF_THE_DOMAIN.contains(&named), "claviger-domain must not name {named}");
    }
}

#[test]
fn each_layer_keeps_its_own_tools() {
    for package in packages() {
        for (tools, owners) in RESERVED {
            for named in package.of_the_product().filter(|name| tools.contains(name)) {
                assert!(owners.contains(&package.name.as_str()), "{} must not name {named}", package.name);
            }
        }
    }
}

#[test]
fn manifests_take_lints_and_versions_from_the_workspace() {
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", package.manifest.display());
        let mut section = "";
        for line in manifest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('[') {
                section = line;
            } else if section.ends_with("dependencies]") {
                assert!(line.contains("workspace = true"), "{}: {line}", package.manifest.display());
            }
        }
    }
}

/// Every Rust file of the crates and the migrations, its path from the root, and its text.
fn files() -> Vec<(String, String)> {
    let root = root();
    let mut folders: Vec<_> = fs::read_dir(root.join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .chain([root.join("migration/src")])
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(files.len() > 50, "{} files", files.len());
    files
}

fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

#[test]
fn files_stay_short_and_say_why_they_exist() {
    for (file, text) in files().iter().filter(|(file, _)| !is_test(file)) {
        let product = text.split("\n#[cfg(test)]\nmod tests {\n").next().unwrap();
        let lines = product.lines().count();
        assert!(lines <= 500, "{file} has {lines} lines");
        assert!(text.starts_with("//!"), "{file} does not open with the reason why it exists");
    }
}

#[test]
fn every_write_of_the_application_goes_through_the_write_queue() {
    let callers: Vec<_> = files()
        .into_iter()
        .filter(|(file, text)| file.contains("crates/app/src/") && text.contains(".transaction("))
        .map(|(file, _)| file)
        .collect();
    assert!(matches!(&callers[..], [only] if only.ends_with("app/src/write_queue.rs")), "{callers:?}");
}

#[test]
fn time_and_randomness_are_arguments() {
    let ambient = [
        "Utc::now",
        "Local::now",
        "SystemTime::now",
        "Uuid::now_v7",
        "Uuid::new_v4",
        "rand::rng",
        "SysRng",
        "OsRng",
    ];
    let mut outside = 0;
    for (file, text) in files() {
        for name in ambient.iter().filter(|name| text.contains(**name)) {
            assert_eq!(file, "crates/server/src/system.rs", "{name} stands in {file}");
            outside += 1;
        }
    }
    assert!(outside > 0, "the outside world is reached somewhere, or this test looks for the wrong names");
}
