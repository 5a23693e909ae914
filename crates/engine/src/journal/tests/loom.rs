//! Every order in which threads that append and the one that drains can get to the journal: its offsets
//! alone, and all of it on real files.

use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::sync::Mutex;
use ::loom::sync::atomic::AtomicU64;
use ::loom::thread;

use super::super::offsets::{Offsets, Room};
use super::*;

/// What was published can be read, what is drained was written, and no byte is given back twice or kept.
#[test]
fn what_is_published_is_whole_and_what_is_freed_was_taken() {
    ::loom::model(|| {
        let room = Arc::new(Room::new(2 * LENGTH, 0));
        let lane = Arc::new((Offsets::new(0, 0), [AtomicU64::new(0), AtomicU64::new(0)], Mutex::new(())));
        let writers = [1, 2].map(|mark| {
            let (room, lane) = (room.clone(), lane.clone());
            thread::spawn(move || {
                let (offsets, slots, turn) = &*lane;
                if room.take(LENGTH) {
                    let _turn = turn.lock().unwrap();
                    let start = offsets.written();
                    slots[(start / LENGTH) as usize].store(mark, Ordering::Relaxed);
                    offsets.publish(start + LENGTH);
                }
            })
        });
        let (offsets, slots, _) = &*lane;
        // The drainer, in the middle of it.
        let written = offsets.written();
        for slot in &slots[..(written / LENGTH) as usize] {
            assert_ne!(slot.load(Ordering::Relaxed), 0, "published before it was written");
        }
        assert!(offsets.has(written));
        let freed = [offsets.advance(written), offsets.advance(written)];
        assert_eq!(freed, [written, 0]);
        room.free(freed[0]);
        assert!(offsets.undrained() <= 2 * LENGTH && room.taken() <= 2 * LENGTH);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(offsets.written(), 2 * LENGTH);
        assert_eq!(room.taken(), offsets.undrained());
    });
}

/// Two drainers are told the same by mistake, while one more looks.
#[test]
fn what_is_drained_twice_is_freed_once() {
    ::loom::model(|| {
        let room = Arc::new(Room::new(9 * LENGTH, 3 * LENGTH));
        let offsets = Arc::new(Offsets::new(3 * LENGTH, 0));
        let drainers = [2, 3].map(|records| {
            let (room, offsets) = (room.clone(), offsets.clone());
            thread::spawn(move || room.free(offsets.advance(records * LENGTH)))
        });
        assert!(offsets.undrained() <= 3 * LENGTH);
        for drainer in drainers {
            drainer.join().unwrap();
        }
        assert_eq!((room.taken(), offsets.undrained()), (0, 0));
    });
}

/// One record fills a segment, so that files come and go under the reader.
#[test]
fn on_files_every_call_is_taken_once_or_refused() {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let directory = tempfile::tempdir().unwrap();
        let small =
            JournalSettings { max_bytes: 2 * LENGTH, segment_bytes: LENGTH, ..settings(&directory, 2) };
        let journal = Arc::new(open(small, &Positions::default()));
        journal.append(&calls(0..1)).unwrap();
        let appended = [1, 2].map(|n| {
            let journal = journal.clone();
            thread::spawn(move || match journal.append(&calls(n..n + 1)) {
                Ok(_) => Some(call(n)),
                Err(JournalError::Full { .. }) => None,
                Err(error) => panic!("{error}"),
            })
        });
        let mut taken = drain(&journal, 1);
        let appended = appended.map(|thread| thread.join().unwrap());
        taken.extend(drain(&journal, 9));
        taken.sort_by_key(|record| record.cost);
        let expected: Vec<_> = [Some(call(0))].into_iter().chain(appended).flatten().collect();
        assert_eq!(taken, expected);
        assert!(expected.len() > 1, "there was room for one at least");
        assert_eq!((journal.state().bytes, journal.state().damaged, journal.room.taken()), (0, 0, 0));
    });
}
