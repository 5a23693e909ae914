//! A backup of the log while it is written, drained and deleted: what was drained before a moment and what
//! is held from that moment on are all calls, each once.

use super::*;

/// What a backup of the held segments makes of them elsewhere.
fn copy(held: &HeldSegments) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("journal");
    fs::create_dir(&directory).unwrap();
    fs::copy(held.identity(), directory.join("id")).unwrap();
    for segment in held.files() {
        let (name, mut file, bytes) = segment.unwrap();
        assert!(is_file_name(&name), "{name}");
        std::io::Seek::rewind(&mut file).unwrap();
        let mut into = File::create(directory.join(name)).unwrap();
        let copied = std::io::copy(&mut std::io::Read::take(&mut file, bytes), &mut into).unwrap();
        assert_eq!(copied, bytes);
    }
    place
}

/// Goes on with the copy from where the copied database was.
fn restored(place: &TempDir, drained: &Positions) -> Vec<Record> {
    let journal = open(settings(place, 1), drained);
    assert_eq!(journal.id(), ID);
    let taken = drain(&journal, 5);
    assert_eq!(journal.state().damaged, 0);
    // It is written on as if nothing had been.
    append_singly(&journal, 900..903);
    assert_eq!(drain(&journal, 5), calls(900..903));
    taken
}

#[test]
fn segments_deleted_since_are_held() {
    let directory = tempfile::tempdir().unwrap();
    assert!(HeldSegments::of(&directory.path().join("journal")).unwrap().is_none());
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..10);
    let held = HeldSegments::of(&directory.path().join("journal")).unwrap().unwrap();
    // The database is copied here: it has six calls. The server goes on.
    let batch = journal.read(6).unwrap();
    journal.drained(&batch.upto).unwrap();
    let in_the_copy = batch.upto;
    assert_eq!(drain(&journal, 3), calls(6..10));
    append_singly(&journal, 10..12);
    assert!(segments(&directory).len() < 3);
    // Two more were written into a segment that is held.
    assert_eq!(restored(&copy(&held), &in_the_copy), calls(6..12));
}

#[test]
fn segments_begun_since_are_held_too() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..3);
    let mut held = HeldSegments::of(&directory.path().join("journal")).unwrap().unwrap();
    append_singly(&journal, 3..9);
    held.hold_new().unwrap();
    drain(&journal, 100);
    append_singly(&journal, 9..11);
    held.hold_new().unwrap();
    assert_eq!(restored(&copy(&held), &at(2)), calls(2..11));
    // A copy that has more than the segments loses nothing by them.
    assert_eq!(restored(&copy(&held), &at(50)), []);
}

#[test]
fn half_a_record_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..2);
    let held = HeldSegments::of(&directory.path().join("journal")).unwrap().unwrap();
    let path = segment(&directory, 0);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([1; 17]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(restored(&copy(&held), &at(0)), calls(0..2));
}

#[test]
fn only_the_logs_own_names_are_its_files() {
    for name in ["id", "00-0000000000000000.usage", "63-00000000000000a0.usage", "100-0000000000000028.usage"]
    {
        assert!(is_file_name(name), "{name}");
    }
    for name in [
        "",
        "lock",
        "id.new",
        "../id",
        "0-0.usage",
        "00-0000000000000000.usage/x",
        "00-00000000000000A0.usage",
    ] {
        assert!(!is_file_name(name), "{name}");
    }
}
