//! Random schedules against what a journal obviously is: a list of calls, and how many are counted.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(u32),
    /// Reads so many, and stores the positions with the counts.
    Count(usize),
    /// Tells the journal of the positions that were stored last, which may happen twice.
    Drained,
    /// Ends without a word, leaves so much of another record, and starts with so many lanes.
    Reopen(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u32..9).prop_map(Step::Append),
        3 => (0_usize..12).prop_map(Step::Count),
        3 => Just(Step::Drained),
        2 => (1_usize..4, 0..LENGTH).prop_map(|(lanes, torn)| Step::Reopen(lanes, torn)),
    ]
}

/// Leaves `torn` bytes of a record at the end of every lane, as a kill within a write would.
fn tear(directory: &TempDir, torn: u64) {
    let mut last = BTreeMap::new();
    for name in segments(directory) {
        last.insert(name[..2].to_owned(), name);
    }
    for name in last.values() {
        let path = directory.path().join("journal").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - bytes.len() % BYTES);
        bytes.extend(&record::encode(&call(9_999))[..torn as usize]);
        fs::write(&path, bytes).unwrap();
    }
}

proptest! {
    #[test]
    fn every_call_that_was_accepted_is_counted_exactly_once(
        steps in prop::collection::vec(step(), 1..60),
        segment in 1_u64..6,
        bound in 5_u64..40,
    ) {
        let directory = tempfile::tempdir().unwrap();
        // An identity that is there already costs no waiting for the disk.
        fs::create_dir(directory.path().join("journal")).unwrap();
        fs::write(directory.path().join("journal/id"), ID.to_string()).unwrap();
        let with = |lanes| JournalSettings {
            max_bytes: bound * LENGTH,
            segment_bytes: segment * LENGTH,
            ..settings(&directory, lanes)
        };
        // The database: what is counted, and the positions that were stored with it.
        let (mut counted, mut stored) = (Vec::<u32>::new(), BTreeMap::<u32, u64>::new());
        let positions = |stored: &BTreeMap<u32, u64>| stored.iter().map(|(lane, at)| (*lane, *at)).collect();
        let (mut accepted, mut next, mut told) = (Vec::new(), 0, 0);
        let mut untold = Positions::default();
        let mut journal = open(with(2), &Positions::default());
        for step in steps {
            match step {
                Step::Append(many) => {
                    let records = calls(next..next + many);
                    let fits = (accepted.len() - told + many as usize) as u64 <= bound;
                    prop_assert_eq!(journal.append(&records).is_ok(), fits);
                    if fits {
                        accepted.extend(next..next + many);
                    }
                    next += many;
                }
                Step::Count(most) => {
                    // The journal is told before it is read again, as the drainer does.
                    journal.drained(&untold).unwrap();
                    told = counted.len();
                    let batch = journal.read(most).unwrap();
                    prop_assert_eq!(batch.records.len(), most.min(accepted.len() - counted.len()));
                    counted.extend(batch.records.iter().map(|record| record.cost));
                    stored.extend(batch.upto.iter());
                    untold = batch.upto;
                }
                Step::Drained => {
                    journal.drained(&untold).unwrap();
                    told = counted.len();
                }
                Step::Reopen(lanes, torn) => {
                    drop(journal);
                    tear(&directory, torn);
                    journal = open(with(lanes), &positions(&stored));
                    untold = Positions::default();
                    told = counted.len();
                }
            }
            prop_assert_eq!(journal.state().records as usize, accepted.len() - told);
        }
        drop(journal);
        let journal = open(with(2), &positions(&stored));
        counted.extend(drain(&journal, 5).iter().map(|record| record.cost));
        counted.sort_unstable();
        prop_assert_eq!(counted, accepted);
        prop_assert_eq!(journal.state().damaged, 0);
    }
}
