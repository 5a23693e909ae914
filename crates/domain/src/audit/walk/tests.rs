use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::audit::{Author, Detail};
use crate::secret::Peppers;

fn keys() -> AuditKeys {
    Peppers::new(vec![(1, [7; 32])]).unwrap().audit_keys()
}

#[derive(Clone)]
struct Row(Entry, Link);

fn entry(n: u64) -> Entry {
    Entry {
        id: AuditEntryId::from_uuid(Uuid::from_u128(u128::from(n) << 64 | 7)),
        at: DateTime::from_timestamp_micros(1_767_225_600_000_000 + n.cast_signed()).unwrap(),
        action: "credential.created".parse().unwrap(),
        author: Author::UNKNOWN,
        organization: None,
        target: None,
        address: None,
        request_id: format!("request \"{n}\""),
        details: vec![("n".into(), Detail::Number(n.cast_signed()))],
    }
}

/// A chain of so many entries, and its head.
fn chain(keys: &AuditKeys, many: u64) -> (Vec<Row>, SealedHead) {
    let mut head = Head::new(ChainId::INSTALLATION);
    let mut line = String::new();
    let rows = (1..=many)
        .map(|sequence| {
            let entry = entry(sequence);
            let mac = line::mac_of(keys, &mut line, &entry, sequence, 1, &head.mac).unwrap();
            head = Head { sequence, mac, ..head };
            Row(entry, Link { chain: head.chain, sequence, pepper: 1, mac })
        })
        .collect();
    (rows, keys.seal(head))
}

/// As the database hands them out: by number, and then by id.
fn walk(rows: &[Row], sealed: Option<&SealedHead>) -> Walked {
    let keys = keys();
    let mut rows = rows.to_vec();
    rows.sort_by_key(|Row(entry, link)| (link.sequence, entry.id));
    let none = Head::new(ChainId::INSTALLATION);
    let mut walk = Walk::whole(&keys, sealed.map_or(&none, |sealed| &sealed.head), &[]);
    for Row(entry, link) in &rows {
        walk.take(entry.id, link, Material::Entry(entry));
    }
    walk.end(End::Sealed(sealed))
}

fn lines(rows: &[Row]) -> Vec<String> {
    let mut previous = Mac::NONE;
    rows.iter()
        .map(|Row(entry, link)| {
            let mut line = String::new();
            line::write_covered(&mut line, entry, link.sequence, link.pepper, &previous);
            line::write_mac(&mut line, &link.mac);
            previous = link.mac;
            line
        })
        .collect()
}

fn walk_lines(lines: &[String], kept: &[Kept]) -> Walked {
    let keys = keys();
    let mut walk = Walk::anywhere(&keys, ChainId::INSTALLATION, kept);
    for line in lines {
        let line = Line::parse(line.as_bytes()).unwrap();
        walk.take(line.id, &line.link, line.into());
    }
    walk.end(End::Open)
}

#[test]
fn a_line_is_what_it_is() {
    let (rows, _) = chain(&keys(), 1);
    let line = &lines(&rows)[0];
    let (covered, mac) = line.split_at(line.find(",\"mac\"").unwrap());
    assert_eq!(
        covered,
        "{\"id\":\"00000000-0000-0001-0000-000000000007\",\"organization_id\":null,\"sequence\":1,\
         \"at\":\"2026-01-01T00:00:00.000001Z\",\"action\":\"credential.created\",\
         \"actor\":{\"type\":\"unknown\",\"id\":null,\"name\":null,\"organization_id\":null,\"user\":null},\
         \"target\":null,\
         \"ip_address\":null,\"request_id\":\"request \\\"1\\\"\",\"details\":{\"n\":1},\"pepper\":1,\
         \"previous\":\"0000000000000000000000000000000000000000000000000000000000000000\""
    );
    assert_eq!(mac, format!(",\"mac\":\"{}\"}}", rows[0].1.mac));
    let read = Line::parse(line.as_bytes()).unwrap();
    assert_eq!((read.id, read.link, read.previous), (rows[0].0.id, rows[0].1, Mac::NONE));
    assert_eq!(read.covered, covered.as_bytes());
    for wrong in ["", "{}", &line[1..], &line[..line.len() - 1], &format!("{line} "), &line.to_uppercase()] {
        assert_eq!(Line::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn rows_that_were_touched_are_named() {
    let keys = keys();
    let (rows, sealed) = chain(&keys, 9);
    let renumber = |rows: &mut [Row]| {
        for (sequence, row) in (1..).zip(rows) {
            row.1.sequence = sequence;
        }
    };
    type Deed<'a> = (&'a str, Box<dyn Fn(&mut Vec<Row>) + 'a>, u64, Flaw);
    let deeds: Vec<Deed> = vec![
        ("changed", Box::new(|rows| rows[4].0.request_id.push('!')), 5, Flaw::Changed),
        ("changed first", Box::new(|rows| rows[0].0.details.clear()), 1, Flaw::Changed),
        ("changed last", Box::new(|rows| rows[8].0.details.clear()), 9, Flaw::Changed),
        ("another hash", Box::new(|rows| rows[4].1.mac = Mac::NONE), 5, Flaw::Changed),
        ("another pepper", Box::new(|rows| rows[4].1.pepper = 2), 5, Flaw::UnknownPepper(2)),
        ("removed", Box::new(|rows| drop(rows.remove(4))), 5, Flaw::Removed { through: 5 }),
        ("removed first", Box::new(|rows| drop(rows.drain(..3))), 1, Flaw::Removed { through: 3 }),
        ("removed last", Box::new(|rows| rows.truncate(7)), 8, Flaw::Removed { through: 9 }),
        ("removed all", Box::new(Vec::clear), 1, Flaw::Removed { through: 9 }),
        (
            "removed and hidden",
            Box::new(|rows| {
                rows.drain(3..5);
                renumber(rows);
            }),
            4,
            Flaw::Removed { through: 5 },
        ),
        ("moved away", Box::new(|rows| rows[4].1.sequence = 20), 5, Flaw::Reordered),
        (
            "swapped neighbours",
            Box::new(|rows| {
                rows.swap(4, 5);
                renumber(rows);
            }),
            5,
            Flaw::Reordered,
        ),
        (
            "swapped",
            Box::new(|rows| {
                rows.swap(2, 6);
                renumber(rows);
            }),
            3,
            Flaw::Reordered,
        ),
        (
            "moved up",
            Box::new(|rows| {
                let moved = rows.remove(7);
                rows.insert(2, moved);
                renumber(rows);
            }),
            3,
            Flaw::Reordered,
        ),
        (
            "copied, the number too",
            Box::new(|rows| {
                let mut copy = rows[4].clone();
                copy.0.id = entry(99).id;
                rows.push(copy);
            }),
            5,
            Flaw::Inserted,
        ),
        (
            "copied under a lesser id",
            Box::new(|rows| {
                let mut copy = rows[4].clone();
                copy.0.id = entry(0).id;
                rows.push(copy);
            }),
            5,
            Flaw::Inserted,
        ),
        (
            "inserted and renumbered",
            Box::new(|rows| {
                let mut copy = rows[4].clone();
                copy.0.id = entry(99).id;
                rows.insert(4, copy);
                renumber(rows);
            }),
            5,
            Flaw::Inserted,
        ),
        (
            "put behind the end",
            Box::new(|rows| {
                let mut copy = rows[4].clone();
                (copy.0.id, copy.1.sequence) = (entry(99).id, 10);
                rows.push(copy);
            }),
            10,
            Flaw::Inserted,
        ),
    ];
    assert_eq!(walk(&rows, Some(&sealed)).broken, None);
    for (name, deed, sequence, flaw) in deeds {
        let mut touched = rows.clone();
        deed(&mut touched);
        let broken = walk(&touched, Some(&sealed)).broken.unwrap_or_else(|| panic!("{name}: not found"));
        assert_eq!((broken.sequence, broken.flaw), (sequence, flaw), "{name}");
    }
}

#[test]
fn heads_that_were_touched_are_named() {
    let keys = keys();
    let (rows, sealed) = chain(&keys, 9);
    let (_, earlier) = chain(&keys, 5);
    let head = sealed.head;
    let anchor = Head { pruned_through: 3, pruned_mac: rows[2].1.mac, ..head };
    let pruned = keys.seal(anchor);
    let with = |sealed: SealedHead, head| SealedHead { head, ..sealed };
    assert_eq!(walk(&rows[3..], Some(&pruned)).broken, None);
    assert_eq!(
        walk(&[], Some(&keys.seal(Head { pruned_through: 9, pruned_mac: head.mac, ..head }))).broken,
        None
    );
    for (rows, sealed, flaw) in [
        (&rows[..], None, Flaw::HeadMissing),
        (&rows[..5], Some(with(sealed, Head { sequence: 5, mac: rows[4].1.mac, ..head })), Flaw::SealBroken),
        (&rows[..], Some(with(sealed, Head { sequence: 10, ..head })), Flaw::HeadForged),
        (&rows[3..], Some(with(sealed, anchor)), Flaw::AnchorForged),
        (
            &rows[4..],
            Some(with(pruned, Head { pruned_through: 4, pruned_mac: Mac::NONE, ..anchor })),
            Flaw::AnchorForged,
        ),
        (&rows[..], Some(earlier), Flaw::HeadSetBack),
        (&rows[..], Some(SealedHead { seal: None, ..sealed }), Flaw::SealBroken),
        (&rows[..], Some(SealedHead { pepper: 9, ..sealed }), Flaw::UnknownPepper(9)),
    ] {
        let broken = walk(rows, sealed.as_ref()).broken;
        assert_eq!(broken.map(|broken| broken.flaw), Some(flaw), "{sealed:?}");
    }
}

#[test]
fn lines_that_were_touched_are_named() {
    let (rows, _) = chain(&keys(), 9);
    let lines = lines(&rows);
    let whole = walk_lines(&lines, &[]);
    assert_eq!((whole.broken, whole.first, whole.last, whole.held), (None, Some(1), 9, 9));
    let part = walk_lines(&lines[4..], &[]);
    assert_eq!((part.broken, part.first, part.held), (None, Some(5), 5));
    type Deed<'a> = (&'a str, &'a dyn Fn(&mut Vec<String>), u64, Flaw);
    let deeds: [Deed; 5] = [
        ("changed", &|lines| lines[4] = lines[4].replace("request ", "Request "), 5, Flaw::Changed),
        ("removed", &|lines| drop(lines.drain(3..5)), 4, Flaw::Removed { through: 5 }),
        ("swapped", &|lines| lines.swap(3, 6), 4, Flaw::Reordered),
        ("swapped neighbours", &|lines| lines.swap(3, 4), 4, Flaw::Reordered),
        ("copied", &|lines| lines.insert(6, lines[2].clone()), 3, Flaw::Inserted),
    ];
    for (name, deed, sequence, flaw) in deeds {
        let mut touched = lines.clone();
        deed(&mut touched);
        let broken = walk_lines(&touched, &[]).broken.unwrap_or_else(|| panic!("{name}: not found"));
        assert_eq!((broken.sequence, broken.flaw), (sequence, flaw), "{name}");
    }
    // Each single bit of a line is covered, or the line is none.
    for place in 0..lines[1].len() * 8 {
        let mut line = lines[1].clone().into_bytes();
        line[place / 8] ^= 1 << (place % 8);
        let keys = keys();
        let mut walk = Walk::whole(
            &keys,
            &Head { pruned_through: 1, pruned_mac: rows[0].1.mac, ..Head::new(ChainId::INSTALLATION) },
            &[],
        );
        if let Some(line) = Line::parse(&line).filter(|line| line.link.chain == ChainId::INSTALLATION) {
            walk.take(line.id, &line.link, line.into());
            assert_ne!(walk.end(End::Open).broken, None, "bit {place}");
        }
    }
}

#[test]
fn a_head_that_was_kept_is_found_again() {
    let (rows, _) = chain(&keys(), 9);
    let lines = lines(&rows);
    let kept = |sequence, mac| Kept { chain: ChainId::INSTALLATION, sequence, mac };
    let mac = |sequence: usize| rows[sequence - 1].1.mac;
    for (lines, kept, flaw, unseen) in [
        (&lines[..], kept(9, mac(9)), None, 0),
        (&lines[..], kept(4, mac(4)), None, 0),
        (&lines[..], kept(4, mac(5)), Some(Flaw::NotAsKept(4)), 0),
        (&lines[..8], kept(9, mac(9)), Some(Flaw::NotAsKept(9)), 0),
        (&lines[4..], kept(4, mac(4)), None, 0),
        (&lines[4..], kept(4, mac(3)), Some(Flaw::NotAsKept(4)), 0),
        (&lines[4..], kept(3, mac(3)), None, 1),
    ] {
        let walked = walk_lines(lines, &[kept]);
        assert_eq!((walked.broken.map(|broken| broken.flaw), walked.kept_unseen), (flaw, unseen), "{kept:?}");
    }
}
