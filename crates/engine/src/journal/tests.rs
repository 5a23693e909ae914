mod failures;
mod holding;
#[cfg(loom)]
mod loom;
mod model;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use claviger_domain::ids::CredentialId;
use claviger_domain::verification::Code;
use tempfile::TempDir;

use super::record::{self, BYTES, Slot};
use super::*;

const ID: Uuid = Uuid::from_u128(7);

/// The `n`th call: no two are alike.
fn call(n: u32) -> Record {
    Record {
        credential: CredentialId::from_uuid(Uuid::from_u128(u128::from(n) << 64 | 1)),
        at: Timestamp::from_timestamp_micros(1_769_428_800_000_001 + i64::from(n)).unwrap(),
        code: Code::ALL[n as usize % Code::ALL.len()],
        cost: n,
        grant: n / 3,
    }
}

fn calls(numbers: std::ops::Range<u32>) -> Vec<Record> {
    numbers.map(call).collect()
}

fn settings(directory: &TempDir, lanes: usize) -> JournalSettings {
    let directory = directory.path().join("journal");
    JournalSettings { directory, max_bytes: 1 << 20, segment_bytes: 4 * LENGTH, lanes }
}

fn open(settings: JournalSettings, drained: &Positions) -> Journal {
    Journal::find(settings, ID).unwrap().resume(drained).unwrap()
}

fn one_lane(directory: &TempDir, drained: u64) -> Journal {
    open(settings(directory, 1), &at(drained))
}

/// In lane 0, behind so many records.
fn at(records: u64) -> Positions {
    Positions::from_iter([(0, records * LENGTH)])
}

fn append_singly(journal: &Journal, numbers: std::ops::Range<u32>) {
    for n in numbers {
        journal.append(&[call(n)]).unwrap();
    }
}

/// Takes everything, a few at a time, as the drainer does.
fn drain(journal: &Journal, most: usize) -> Vec<Record> {
    let mut taken = Vec::new();
    loop {
        let batch = journal.read(most).unwrap();
        if batch.upto.is_empty() {
            return taken;
        }
        assert!(batch.records.len() <= most);
        taken.extend(batch.records);
        journal.drained(&batch.upto).unwrap();
    }
}

fn segments(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path().join("journal")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".usage"));
    names.sort();
    names
}

fn segment(directory: &TempDir, base: u64) -> PathBuf {
    super::directory::segment(&directory.path().join("journal"), 0, base * LENGTH)
}

#[test]
fn every_code_and_figure_reads_back() {
    let extremes = Record { cost: u32::MAX, grant: u32::MAX, at: Timestamp::MAX_UTC, ..call(1) };
    let kept = Timestamp::from_timestamp_micros(extremes.at.timestamp_micros()).unwrap();
    assert_eq!(record::decode(&record::encode(&extremes)), Slot::Whole(Record { at: kept, ..extremes }));
    for n in 0..100 {
        assert_eq!(record::decode(&record::encode(&call(n))), Slot::Whole(call(n)), "{n}");
    }
}

#[test]
fn the_layout_on_disk_stays_as_it_is() {
    let written: String = record::encode(&call(13)).iter().map(|byte| format!("{byte:02x}")).collect();
    let fields = [
        "01",
        "0e",
        "0000",
        "0d000000",
        "0e50143f49490600",
        "000000000000000d0000000000000001",
        "04000000",
        "f82c5b88",
    ];
    assert_eq!(written, fields.concat());
}

#[test]
fn what_is_appended_is_read_over_segments_and_starts() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    assert_eq!(journal.append(&[]).unwrap(), Place { lane: 0, offset: 0 });
    assert_eq!(journal.append(&calls(0..1)).unwrap(), Place { lane: 0, offset: LENGTH });
    append_singly(&journal, 1..9);
    journal.append(&calls(9..20)).unwrap();
    assert_eq!(journal.read(5).unwrap(), Batch { records: calls(0..5), upto: at(5), damaged: 0 });
    assert_eq!(journal.read(5).unwrap().records, calls(0..5));
    assert_eq!(journal.read(0).unwrap(), Batch::default());
    assert_eq!(segments(&directory).len(), 3);

    journal.drained(&at(5)).unwrap();
    assert_eq!(segments(&directory).len(), 2);
    let oldest = Some(call(5).at);
    let state = JournalState { bytes: 15 * LENGTH, records: 15, oldest, damaged: 0, refused: 0 };
    assert_eq!(journal.state(), state);
    drop(journal);

    let journal = one_lane(&directory, 5);
    assert_eq!(journal.state(), state);
    journal.append(&calls(20..21)).unwrap();
    assert_eq!(drain(&journal, 4), calls(5..21));
    assert_eq!(segments(&directory), ["00-0000000000000320.usage"]);
    assert_eq!(journal.state(), JournalState { bytes: 0, records: 0, oldest: None, ..state });
    // What was passed already changes nothing.
    journal.drained(&at(3)).unwrap();
    assert_eq!(journal.read(9).unwrap(), Batch::default());
}

#[test]
fn it_goes_on_from_every_position() {
    for drained in 0..=10 {
        let directory = tempfile::tempdir().unwrap();
        let journal = one_lane(&directory, 0);
        append_singly(&journal, 0..10);
        drop(journal);
        let journal = one_lane(&directory, u64::from(drained));
        assert_eq!(journal.append(&calls(10..11)).unwrap().offset, 11 * LENGTH);
        assert_eq!(drain(&journal, 3), calls(drained..11), "{drained}");
    }
}

#[test]
fn half_a_record_at_the_end_is_cut_off_and_nothing_else() {
    for kept in 0..LENGTH {
        let directory = tempfile::tempdir().unwrap();
        let journal = one_lane(&directory, 0);
        journal.append(&calls(0..3)).unwrap();
        drop(journal);
        let file = File::options().write(true).open(segment(&directory, 0)).unwrap();
        file.set_len(2 * LENGTH + kept).unwrap();
        let journal = one_lane(&directory, 0);
        assert_eq!(file.metadata().unwrap().len(), 2 * LENGTH);
        journal.append(&calls(7..8)).unwrap();
        assert_eq!(drain(&journal, 9), [call(0), call(1), call(7)], "{kept}");
        assert_eq!(journal.state().damaged, 0);
    }
}

#[test]
fn a_flipped_bit_loses_one_record_which_is_counted_once() {
    let directory = tempfile::tempdir().unwrap();
    one_lane(&directory, 0).append(&calls(0..3)).unwrap();
    let whole = fs::read(segment(&directory, 0)).unwrap();
    for bit in 0..BYTES * 8 {
        let journal = one_lane(&directory, 0);
        let mut bytes = whole.clone();
        bytes[BYTES + bit / 8] ^= 1 << (bit % 8);
        fs::write(segment(&directory, 0), bytes).unwrap();
        for _ in 0..2 {
            let batch = journal.read(9).unwrap();
            assert_eq!(batch, Batch { records: vec![call(0), call(2)], upto: at(3), damaged: 1 }, "{bit}");
        }
        assert_eq!(journal.state().damaged, 1);
        journal.drained(&at(1)).unwrap();
        assert_eq!(journal.state().oldest, Some(call(2).at));
        assert_eq!(journal.state().damaged, 1);
    }
}

#[test]
fn zeros_that_a_power_cut_left_are_no_records_and_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..1)).unwrap();
    drop(journal);
    File::options().write(true).open(segment(&directory, 0)).unwrap().set_len(5000).unwrap();
    let journal = one_lane(&directory, 0);
    assert_eq!(journal.read(1).unwrap(), Batch { records: calls(0..1), upto: at(1), damaged: 0 });
    journal.append(&calls(1..2)).unwrap();
    assert_eq!(journal.read(9).unwrap(), Batch { records: calls(0..2), upto: at(126), damaged: 0 });
    journal.drained(&at(1)).unwrap();
    assert_eq!(drain(&journal, 1), calls(1..2));
    assert_eq!(journal.state().bytes, 0);
}

#[test]
fn what_a_power_cut_took_between_two_segments_is_counted_as_lost() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..6);
    drop(journal);
    File::options().write(true).open(segment(&directory, 0)).unwrap().set_len(2 * LENGTH + 9).unwrap();
    let journal = one_lane(&directory, 0);
    let records = vec![call(0), call(1), call(4), call(5)];
    assert_eq!(journal.read(9).unwrap(), Batch { records, upto: at(6), damaged: 2 });
    assert_eq!(journal.state().damaged, 2);
    // Also with nothing behind the gap.
    File::options().write(true).open(segment(&directory, 4)).unwrap().set_len(0).unwrap();
    drop(journal);
    let journal = one_lane(&directory, 1);
    assert_eq!(drain(&journal, 1), calls(1..2));
    assert_eq!((journal.state().bytes, journal.state().damaged), (0, 2));
}

#[test]
fn a_full_journal_refuses_until_it_is_drained() {
    let directory = tempfile::tempdir().unwrap();
    let small = |bytes| JournalSettings { max_bytes: bytes, ..settings(&directory, 2) };
    let journal = open(small(3 * LENGTH), &Positions::default());
    assert!(matches!(journal.append(&calls(0..4)), Err(JournalError::Full { bound: 120 })));
    journal.append(&calls(0..2)).unwrap();
    assert!(matches!(journal.append(&calls(2..4)), Err(JournalError::Full { .. })));
    journal.append(&calls(2..3)).unwrap();
    assert!(matches!(journal.append(&calls(3..4)), Err(JournalError::Full { .. })));
    let batch = journal.read(1).unwrap();
    journal.drained(&batch.upto).unwrap();
    journal.append(&calls(3..4)).unwrap();
    assert!(matches!(journal.append(&calls(4..5)), Err(JournalError::Full { .. })));
    assert_eq!(journal.state().refused, 4);
    drop(journal);
    // The bound holds for what was found, also when it is more than may be now.
    let journal = open(small(LENGTH), &batch.upto);
    assert!(matches!(journal.append(&calls(4..5)), Err(JournalError::Full { .. })));
    assert_eq!(drain(&journal, 2), calls(1..4));
    journal.append(&calls(4..5)).unwrap();
}

#[test]
fn a_database_that_is_further_than_the_files_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    journal.append(&calls(0..2)).unwrap();
    drop(journal);
    let journal = one_lane(&directory, 50);
    assert!(segments(&directory).is_empty());
    assert_eq!(journal.sync(0).unwrap(), 50 * LENGTH);
    assert_eq!(journal.append(&calls(2..3)).unwrap().offset, 51 * LENGTH);
    assert_eq!(journal.read(9).unwrap(), Batch { records: calls(2..3), upto: at(51), damaged: 0 });
    drop(journal);
    assert_eq!(drain(&one_lane(&directory, 50), 1), calls(2..3));
}

#[test]
fn a_restored_database_goes_on_from_the_first_file() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    append_singly(&journal, 0..6);
    journal.drained(&at(5)).unwrap();
    drop(journal);
    let journal = one_lane(&directory, 1);
    assert_eq!(journal.state().bytes, 2 * LENGTH);
    assert_eq!(drain(&journal, 9), calls(4..6));
    assert_eq!(journal.state().damaged, 0);
}

#[test]
fn lanes_that_are_no_longer_wanted_are_drained_and_vanish() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(settings(&directory, 5), &Positions::default());
    // Each thread has a lane of its own.
    std::thread::scope(|scope| {
        for n in 0..5 {
            let journal = &journal;
            scope.spawn(move || journal.append(&calls(n * 10..n * 10 + 6)).unwrap()).join().unwrap();
        }
    });
    assert_eq!(segments(&directory).len(), 5);
    let drained = Positions::from_iter([(4, 4 * LENGTH), (77, 400)]);
    journal.drained(&Positions::from_iter([(4, 4 * LENGTH)])).unwrap();
    drop(journal);

    let journal = open(settings(&directory, 2), &drained);
    assert_eq!(journal.lanes().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let places: Vec<_> = (100..110).map(|n| journal.append(&calls(n..n + 1)).unwrap()).collect();
    assert!(places.iter().all(|place| place.lane < 2));
    // Fairly: the short lanes give all they have, the long ones share the rest.
    let batch = journal.read(10).unwrap();
    assert_eq!(batch.records.len(), 10);
    assert_eq!(batch.upto.get(4), Some(6 * LENGTH));
    assert_eq!(batch.upto.iter().count(), 5);
    assert_eq!(drain(&journal, 7).len(), 4 * 6 + 2 + 10);
    assert!(segments(&directory).iter().all(|name| name.starts_with("00-") || name.starts_with("01-")));
    // A lane that is wanted again goes on where the database has it.
    let drained = Positions::from_iter((0..5).map(|lane| (lane, 16 * LENGTH)));
    drop(journal);
    let journal = open(settings(&directory, 5), &drained);
    assert_eq!(journal.append(&calls(0..1)).unwrap().offset, 17 * LENGTH);
}

#[test]
fn threads_append_while_another_drains_and_every_call_is_taken_once() {
    const EACH: u32 = 4000;
    let directory = tempfile::tempdir().unwrap();
    let bounded =
        JournalSettings { max_bytes: 600 * LENGTH, segment_bytes: 50 * LENGTH, ..settings(&directory, 2) };
    let journal = open(bounded, &Positions::default());
    let mut taken = BTreeMap::<u32, u32>::new();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let journal = &journal;
            scope.spawn(move || {
                let mut n = 0;
                while n < EACH {
                    let most = (n + 1 + n % 7).min(EACH);
                    match journal.append(&calls(thread * EACH + n..thread * EACH + most)) {
                        Ok(_) => n = most,
                        Err(JournalError::Full { .. }) => std::thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        while taken.len() < 3 * EACH as usize {
            for record in drain(&journal, 97) {
                assert_eq!(record, call(record.cost));
                *taken.entry(record.cost).or_default() += 1;
            }
            assert!(journal.state().bytes <= 600 * LENGTH);
        }
    });
    assert!(taken.values().all(|times| *times == 1));
    assert_eq!((journal.state().bytes, journal.state().damaged), (0, 0));
}

#[test]
fn a_sync_answers_what_was_written_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = one_lane(&directory, 0);
    assert_eq!(journal.sync(0).unwrap(), 0);
    for n in 0..10 {
        let place = journal.append(&calls(n..n + 1)).unwrap();
        assert_eq!(journal.sync(place.lane).unwrap(), place.offset);
        journal.drained(&at(u64::from(n) / 2)).unwrap();
    }
    assert!(matches!(journal.sync(1), Err(JournalError::Misplaced { lane: 1, .. })));
    drop(journal);
    assert_eq!(one_lane(&directory, 5).sync(0).unwrap(), 10 * LENGTH);
}

#[test]
fn one_process_has_the_journal_and_its_identity_stays() {
    let directory = tempfile::tempdir().unwrap();
    let found = Journal::find(settings(&directory, 1), ID).unwrap();
    assert_eq!(found.id(), ID);
    let other = Uuid::from_u128(8);
    assert!(matches!(Journal::find(settings(&directory, 1), other), Err(JournalError::InUse(_))));
    let journal = found.resume(&Positions::default()).unwrap();
    journal.append(&calls(0..1)).unwrap();
    assert!(matches!(Journal::find(settings(&directory, 1), other), Err(JournalError::InUse(_))));
    drop(journal);
    assert_eq!(Journal::find(settings(&directory, 1), other).unwrap().id(), ID);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let journal = directory.path().join("journal");
    assert_eq!(mode(&journal), 0o700);
    for entry in fs::read_dir(&journal).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}
