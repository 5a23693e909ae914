//! What the outside does to a journal: full disks, kills, files that are not as they were left.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// The environment variable that tells a test that it is the process to be maltreated, and where.
const CHILD: &str = "CLAVIGER_JOURNAL_TEST_CHILD";

/// This test alone in a process of its own, run by `script` as `$0`.
fn child(script: &str, test: &str, directory: &TempDir) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, directory.path());
    command
}

/// The directory the parent has chosen, in the child.
fn chosen() -> Option<JournalSettings> {
    let directory = PathBuf::from(std::env::var_os(CHILD)?);
    Some(JournalSettings { directory, max_bytes: 1 << 30, segment_bytes: 1 << 30, lanes: 1 })
}

fn reopened(directory: &TempDir) -> Journal {
    let directory = directory.path().to_owned();
    let settings = JournalSettings { directory, max_bytes: 1 << 30, segment_bytes: 1 << 30, lanes: 1 };
    open(settings, &Positions::default())
}

#[test]
fn a_write_that_the_disk_takes_half_of_leaves_nothing_behind() {
    if let Some(settings) = chosen() {
        // Files may have 4096 bytes here: 102 records and a piece of the next.
        let journal = open(settings, &Positions::default());
        journal.append(&calls(0..100)).unwrap();
        journal.check().unwrap();
        assert!(matches!(journal.append(&calls(100..110)), Err(JournalError::Io(..))));
        journal.check().unwrap();
        assert_eq!(
            fs::metadata(journal.lanes[0].path(journal.lanes[0].snapshot().1[0])).unwrap().len(),
            4000
        );
        journal.append(&calls(200..202)).unwrap();
        assert!(matches!(journal.append(&calls(100..101)), Err(JournalError::Io(..))));
        assert!(matches!(journal.check(), Err(JournalError::Io(..))), "one record more does not fit");
        assert_eq!((journal.state().records, journal.state().refused), (102, 2));
        assert_eq!(journal.room.taken(), 102 * LENGTH);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "journal::tests::failures::a_write_that_the_disk_takes_half_of_leaves_nothing_behind";
    // In POSIX the unit is 512 bytes. The signal is ignored so that the write fails instead.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let output = child(script, test, &directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(drain(&reopened(&directory), 9), [calls(0..100), calls(200..202)].concat());
}

#[test]
fn a_check_fails_when_the_journal_is_full_until_it_is_drained() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(JournalSettings { max_bytes: 3 * LENGTH, ..settings(&directory, 1) }, &at(0));
    append_singly(&journal, 0..2);
    journal.check().unwrap();
    append_singly(&journal, 2..3);
    assert!(matches!(journal.check(), Err(JournalError::Full { .. })));
    assert_eq!(drain(&journal, 9), calls(0..3), "a check leaves nothing behind");
    journal.check().unwrap();
}

#[test]
fn a_check_fails_when_a_segment_is_deleted_or_the_directory_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..1);
    journal.check().unwrap();
    let (own, elsewhere) = (directory.path().join("journal"), directory.path().join("elsewhere"));
    fs::rename(&own, &elsewhere).unwrap();
    assert!(matches!(journal.check(), Err(JournalError::Damaged { .. })));
    fs::create_dir(&own).unwrap();
    fs::write(own.join("lock"), "").unwrap();
    assert!(matches!(journal.check(), Err(JournalError::Damaged { .. })));
    fs::remove_dir_all(&own).unwrap();
    fs::rename(&elsewhere, &own).unwrap();
    journal.check().unwrap();
    fs::remove_file(journal.lanes[0].path(journal.lanes[0].snapshot().1[0])).unwrap();
    assert!(matches!(journal.check(), Err(JournalError::Damaged { .. })));
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(settings) = chosen() {
        let journal = open(settings, &Positions::default());
        for n in 0.. {
            journal.append(&calls(n * 3..n * 3 + 3)).unwrap();
            println!("\nacknowledged {n}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "journal::tests::failures::what_was_acknowledged_survives_kill_9";
    let mut process = child("exec \"$0\" \"$@\"", test, &directory).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line == "acknowledged 1000").unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let last = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u32>().ok()).last();
    let records = drain(&reopened(&directory), 999);
    assert_eq!(records, calls(0..records.len() as u32));
    assert!(records.len() as u32 >= (last.unwrap_or(1000) + 1) * 3, "{last:?} {}", records.len());
}

#[test]
fn what_could_not_be_cut_off_is_cut_off_before_the_next_record() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..1)).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let real = {
        let mut turn = journal.lanes[0].turn();
        std::mem::replace(&mut turn.open.as_mut().unwrap().file, full)
    };
    for _ in 0..2 {
        assert!(matches!(journal.append(&calls(1..2)), Err(JournalError::Io(..))));
    }
    assert_eq!((journal.state().refused, journal.state().records), (2, 1));
    // The disk has taken two whole records of the append that failed.
    fs::write(segment(&directory, 0), calls(0..3).iter().flat_map(record::encode).collect::<Vec<_>>())
        .unwrap();
    journal.lanes[0].turn().open.as_mut().unwrap().file = real;
    assert_eq!(journal.read(9).unwrap().records, calls(0..1));
    journal.append(&calls(5..6)).unwrap();
    drop(journal);
    assert_eq!(drain(&one_lane(&directory, 0), 9), [call(0), call(5)]);
}

#[test]
fn a_segment_that_cannot_be_made_refuses_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..4)).unwrap();
    fs::create_dir(segment(&directory, 4)).unwrap();
    assert!(matches!(journal.append(&calls(4..5)), Err(JournalError::Io(..))));
    assert_eq!(journal.read(9).unwrap().records, calls(0..4));
    fs::remove_dir(segment(&directory, 4)).unwrap();
    journal.append(&calls(5..6)).unwrap();
    assert_eq!(drain(&journal, 9), [calls(0..4), calls(5..6)].concat());
}

#[test]
fn a_disk_that_refused_a_sync_is_not_believed_until_the_lane_is_drained() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..2)).unwrap();
    let hidden = directory.path().join("hidden");
    fs::rename(segment(&directory, 0), &hidden).unwrap();
    assert!(matches!(journal.sync(0), Err(JournalError::Io(..))));
    fs::rename(&hidden, segment(&directory, 0)).unwrap();
    assert!(matches!(journal.sync(0), Err(JournalError::Unsynced { lane: 0 })));
    journal.append(&calls(2..3)).unwrap();
    journal.drained(&at(1)).unwrap();
    assert!(matches!(journal.sync(0), Err(JournalError::Unsynced { lane: 0 })));
    assert!(matches!(journal.check(), Err(JournalError::Unsynced { lane: 0 })));
    journal.drained(&at(2)).unwrap();
    journal.check().unwrap();
    assert_eq!(journal.sync(0).unwrap(), 3 * LENGTH);
}

#[test]
fn positions_that_were_never_answered_are_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(settings(&directory, 2), &Positions::default());
    let lane = journal.append(&calls(0..2)).unwrap().lane;
    for (other, offset) in [(lane, 41), (lane, 3 * LENGTH), (1 - lane, LENGTH), (9, 0)] {
        let upto = Positions::from_iter([(lane, LENGTH), (other, offset)]);
        let refused = journal.drained(&upto);
        assert!(matches!(refused, Err(JournalError::Misplaced { .. })), "{other} {offset}");
        assert_eq!(journal.state().records, 2);
    }
    drop(journal);
    let found = Journal::find(settings(&directory, 2), ID).unwrap();
    let refused = found.resume(&Positions::from_iter([(lane, 41)]));
    assert!(matches!(refused, Err(JournalError::Misplaced { offset: 41, .. })));
}

#[test]
fn a_record_of_a_newer_build_stops_the_reading() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..2)).unwrap();
    for (byte, value) in [(0, 2), (1, 99), (2, 1)] {
        let mut bytes = record::encode(&call(1));
        bytes[byte] = value;
        let checksum = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&checksum.to_le_bytes());
        let file = [record::encode(&call(0)), bytes].concat();
        fs::write(segment(&directory, 0), file).unwrap();
        assert_eq!(journal.read(1).unwrap().records, calls(0..1));
        assert!(matches!(journal.read(9), Err(JournalError::Newer { at: LENGTH, .. })), "{byte}");
    }
}

#[test]
fn files_that_are_not_as_they_were_left_are_refused() {
    let spoiled = |spoil: &dyn Fn(&Path)| {
        let directory = tempfile::tempdir().unwrap();
        let journal = one_lane(&directory, 0);
        append_singly(&journal, 0..5);
        drop(journal);
        spoil(&directory.path().join("journal"));
        Journal::find(settings(&directory, 1), ID).and_then(|found| found.resume(&Positions::default()))
    };
    assert!(spoiled(&|_| {}).is_ok());
    assert!(spoiled(&|journal| fs::write(journal.join("notes.txt"), "").unwrap()).is_ok());
    let damaged: [&dyn Fn(&Path); 7] = [
        &|journal| fs::remove_file(journal.join("id")).unwrap(),
        &|journal| fs::write(journal.join("id"), "").unwrap(),
        &|journal| fs::write(journal.join("00-0000000000000001.usage"), "").unwrap(),
        &|journal| fs::write(journal.join("0-0000000000000000.usage"), "").unwrap(),
        &|journal| fs::write(journal.join("x.usage"), "").unwrap(),
        &|journal| fs::write(journal.join("00-fffffffffffffff0.usage"), [1; 40]).unwrap(),
        &|journal| fs::write(journal.join("00-0000000000000000.usage"), [1; 200]).unwrap(),
    ];
    for (index, spoil) in damaged.into_iter().enumerate() {
        assert!(matches!(spoiled(spoil), Err(JournalError::Damaged { .. })), "{index}");
    }
}
