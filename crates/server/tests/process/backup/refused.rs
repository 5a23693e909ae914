//! What is not taken for a backup, and where one is not restored.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_short_backup_is_refused_before_anything_is_made() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    scene.run(&scene.installation, &["backup", text(&file)]).success();
    tokio::task::block_in_place(|| scene.server.stop());
    let whole = fs::read(&file).unwrap();
    let manifest = whole.windows(13).rposition(|bytes| bytes == b"manifest.json").unwrap();
    let elsewhere = Installation::new();
    let refused = |bytes: &[u8], what: &str| {
        let broken = elsewhere.path("broken.tar");
        fs::write(&broken, bytes).unwrap();
        let sentence = elsewhere.run(&["restore", text(&broken)]).refused(1);
        assert!(sentence.contains("cannot be restored"), "{what}: {sentence}");
        fs::remove_file(&broken).unwrap();
        assert_eq!(entries(&elsewhere.path("")), Vec::<String>::new(), "{what}");
        sentence
    };
    tokio::task::block_in_place(|| {
        for length in [0, 1, 511, 512, 1024, whole.len() / 2, manifest - 1, manifest, manifest + 600] {
            refused(&whole[..length], &format!("cut to {length} bytes"));
        }
        // One bit in the first page of the database, in its middle, in the peppers, in the manifest.
        let peppers = whole.windows(8).position(|bytes| bytes == b"peppers\0").unwrap();
        for place in [512 + 30, manifest / 2, peppers + 520, manifest + 700] {
            let mut bytes = whole.clone();
            bytes[place] ^= 4;
            refused(&bytes, &format!("a bit at {place}"));
        }
        let newer = String::from_utf8(whole[manifest..].to_vec()).unwrap();
        assert!(newer.contains("\"claviger_backup\": 1,"), "{newer}");
        let mut bytes = whole.clone();
        let format = manifest + newer.find("\"claviger_backup\": 1,").unwrap() + 19;
        bytes[format] = b'9';
        assert!(refused(&bytes, "a newer format").contains("format 9"));
        refused(b"not a backup at all", "no archive");
        let sentence = elsewhere.run(&["restore", "missing.tar"]).refused(1);
        assert!(sentence.contains("missing.tar"), "{sentence}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_named_and_left() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    scene.run(&scene.installation, &["backup", text(&file)]).success();
    tokio::task::block_in_place(|| {
        scene.server.stop();
        let before = entries(&scene.installation.data(""));
        let sentence = scene.installation.run(&["restore", text(&file)]).refused(1);
        for name in ["claviger.db", "peppers", "journal"] {
            assert!(sentence.contains(&format!("claviger-data/{name}")), "{sentence}");
        }
        assert_eq!(entries(&scene.installation.data("")), before);

        // A directory of its own, and a database that is elsewhere already.
        let elsewhere = Installation::new();
        let url = format!("sqlite://{}", scene.installation.data("claviger.db").display());
        let sentence =
            elsewhere.run_with(&["restore", text(&file)], &[("CLAVIGER_DATABASE_URL", &url)]).refused(1);
        assert!(sentence.contains("claviger.db"), "{sentence}");
        let url = "postgres://nobody@127.0.0.1:1/none";
        let sentence =
            elsewhere.run_with(&["restore", text(&file)], &[("CLAVIGER_DATABASE_URL", url)]).refused(1);
        assert!(sentence.contains("sqlite") && sentence.contains("same kind"), "{sentence}");
        let memory = [("CLAVIGER_DATABASE_URL", "sqlite::memory:")];
        elsewhere.run_with(&["restore", text(&file)], &memory).refused(1);
        elsewhere.run_with(&["backup", "x.tar"], &memory).refused(1);
        let sentence = elsewhere.run(&["backup", "x.tar"]).refused(1);
        assert!(sentence.contains("there is no database"), "{sentence}");
        assert_eq!(entries(&elsewhere.path("")), Vec::<String>::new());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_peppers_are_not_backed_up() {
    let scene = Scene::new().await;
    tokio::task::block_in_place(|| scene.server.stop());
    let other = format!("1:{}", "ab".repeat(32));
    fs::write(scene.installation.data("peppers"), &other).unwrap();
    let arguments = ["backup", "claviger.tar"];
    let sentence = tokio::task::block_in_place(|| scene.installation.run(&arguments)).refused(1);
    assert!(sentence.contains("pepper 1"), "{sentence}");
    assert!(!scene.installation.path("claviger.tar").exists());
}
