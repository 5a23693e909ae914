//! What one decision costs inside the process, from the key's text to the answer, and what one key costs in memory.
//! Each size is measured in a child, whose memory nobody else has used before.

use std::hint::black_box;
use std::process::Command;
use std::sync::Barrier;
use std::time::Instant;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::address::IpAllowlist;
use claviger_domain::credential::{Class, Credential, Network};
use claviger_domain::ids::{CredentialId, OrganizationId, SecretId};
use claviger_domain::limit::Limits;
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::revision::Revision;
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{KeyFormat, Peppers, Plaintext, SecretVersion};
use claviger_domain::text::{Metadata, Name};
use claviger_domain::verification::{Code, Demand};
use claviger_engine::journal::{Journal, JournalSettings};
use claviger_engine::{Engine, Loaded};

use crate::figures::{Table, median};
use crate::random::Random;
use crate::{Extent, Outcome, process};

const SIZES: [usize; 4] = [1, 100_000, 1_000_000, 10_000_000];
/// Of more keys, so many are asked about, spread evenly among the others.
const MOST_ASKED: usize = 1_000_000;
/// More than a key takes while it is loaded.
const ROOM_FOR_A_KEY: u64 = 1_200;
const THREADS: [usize; 2] = [1, 2];
/// Between two calls of one thread, as far as the limits can tell: windows pass as they would.
const STEP: TimeDelta = TimeDelta::milliseconds(1);
/// A minute. One key alone is asked about a million times a second, and never refused.
const LIMIT: u32 = 1_000_000_000;

pub(crate) fn measure(extent: Extent) -> Outcome<()> {
    let mut table = Table::new(
        &format!(
            "In process, keys in random order: nanoseconds from a key's text to its decision \
             (median of {} rounds of {} decisions)",
            extent.rounds, extent.decisions
        ),
        &["keys", "1 thread", "2 threads", "journaled, 1 thread", "2 threads", "bytes a key", "once used"],
    );
    let sizes = SIZES.iter().filter(|size| **size <= extent.most_keys);
    for size in sizes {
        if *size as u64 * ROOM_FOR_A_KEY > process::available_memory()? {
            println!("{size} keys are left out: this machine has not the memory for them\n");
            continue;
        }
        let [alone, together, bytes, used] = child(*size, "plain", extent)?;
        let [journaled, journaled_together, ..] = child(*size, "journaled", extent)?;
        let of_many = |bytes: f64| if *size > 1 { format!("{bytes:.0}") } else { String::new() };
        table.line([
            size.to_string(),
            format!("{alone:.0}"),
            format!("{together:.0}"),
            format!("{journaled:.0}"),
            format!("{journaled_together:.0}"),
            of_many(bytes),
            if *size <= MOST_ASKED { of_many(used) } else { String::new() },
        ]);
    }
    println!("{table}");
    Ok(())
}

fn child(keys: usize, journal: &str, extent: Extent) -> Outcome<[f64; 4]> {
    let mut command = Command::new(std::env::current_exe()?);
    let numbers = [keys, extent.decisions, extent.rounds].map(|number| number.to_string());
    let output = command.arg("decide").arg(journal).args(numbers).output()?;
    let text = String::from_utf8(output.stdout)?;
    let figures: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    figures?.try_into().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// What the child does. Prints nanoseconds on one thread and on two, and bytes of a key when it is loaded and
/// when it was used.
pub(crate) fn decide(is_journaled: bool, keys: usize, decisions: usize, rounds: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let settings = JournalSettings {
        directory: directory.path().join("journal"),
        max_bytes: 4 << 30,
        segment_bytes: 64 << 20,
        lanes: THREADS.len(),
    };
    let journal = Journal::find(settings, uuid::Uuid::from_u128(7))?.resume(&[].into_iter().collect())?;
    let engine = Engine::new(Peppers::new(vec![(1, [7; 32])])?, is_journaled.then_some(journal));
    let mut asked = Vec::with_capacity(keys.min(MOST_ASKED));
    let before = process::memory(std::process::id())?;
    load(&engine, keys, &mut asked)?;
    // The texts of the keys are the caller's, and not counted.
    let texts = (asked.len() * KeyFormat::Partner.length()) as u64;
    let bytes = |now: u64| now.saturating_sub(before).saturating_sub(texts) as f64 / keys as f64;
    let loaded = bytes(process::memory(std::process::id())?);
    // In memory they lie in the order in which they are asked about, so that it is the engine's memory that is
    // looked up at random: a server has the key it was just sent at hand.
    let mut random = Random(3);
    for place in (1..asked.len()).rev() {
        asked.swap(place, random.below(place + 1));
    }
    let mut now = Timestamp::UNIX_EPOCH + TimeDelta::days(20_000);
    // Every key is used once, which makes its counter.
    round(&engine, &asked, 1, asked.len(), &mut now)?;
    let used = bytes(process::memory(std::process::id())?);
    let mut figures = Vec::new();
    for threads in THREADS {
        let measured: Outcome<Vec<f64>> =
            (0..rounds).map(|_| round(&engine, &asked, threads, decisions, &mut now)).collect();
        figures.push(median(&measured?));
    }
    println!("{} {} {loaded} {used}", figures[0], figures[1]);
    Ok(())
}

/// Nanoseconds for one decision of each thread.
fn round(
    engine: &Engine,
    asked: &[Box<str>],
    threads: usize,
    decisions: usize,
    now: &mut Timestamp,
) -> Outcome<f64> {
    let begin = Barrier::new(threads);
    let from = *now;
    let work = |number: usize| {
        let demand = Demand { cost: 1, network: Some(Network::Mainnet), ..Demand::default() };
        // Each begins elsewhere.
        let keys = asked.iter().cycle().skip(asked.len() * number / threads);
        begin.wait();
        let begun = Instant::now();
        let mut now = from;
        for key in keys.take(decisions) {
            now += STEP;
            let decision = black_box(engine.verify(key, &demand, now)?);
            if decision.code != Code::Valid {
                return Err(format!("{} was decided", decision.code.word()).into());
            }
        }
        Outcome::Ok(begun.elapsed())
    };
    let took = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    });
    let took: Outcome<Vec<_>> = took;
    *now += STEP * i32::try_from(decisions)?;
    drain(engine)?;
    let longest = took?.into_iter().max().unwrap_or_default();
    Ok(longest.as_secs_f64() * 1_000_000_000.0 / decisions as f64)
}

/// As the server does beside the calls, here between the rounds.
fn drain(engine: &Engine) -> Outcome<()> {
    let Some(journal) = engine.journal() else { return Ok(()) };
    loop {
        let batch = journal.read(100_000)?;
        if batch.upto.is_empty() {
            return Ok(());
        }
        journal.drained(&batch.upto)?;
    }
}

fn load(engine: &Engine, keys: usize, asked: &mut Vec<Box<str>>) -> Outcome<()> {
    let peppers = Peppers::new(vec![(1, [7; 32])])?;
    let mut random = Random(2);
    let at = Timestamp::UNIX_EPOCH + TimeDelta::days(19_999);
    let name = Name::from_stored("Production".to_owned());
    let organization = OrganizationId::generate(at, &mut random);
    let organization = Organization::new(organization, name.clone(), Slug::derive(&name), at);
    let every = keys.div_ceil(MOST_ASKED);
    for number in 0..keys {
        let key = Plaintext::generate(KeyFormat::Partner, &mut random);
        let at = at + TimeDelta::milliseconds(i64::try_from(number)?);
        let credential = Credential {
            id: CredentialId::generate(at, &mut random),
            organization: organization.id,
            admin_key: None,
            user_account: None,
            class: Class::Partner,
            name: name.clone(),
            description: None,
            prefix: key.prefix(),
            scopes: Scopes::default(),
            limits: Limits::per_minute(LIMIT),
            credits: None,
            ip_allowlist: IpAllowlist::default(),
            network: Some(Network::Mainnet),
            metadata: Metadata::empty(),
            created_at: at,
            updated_at: None,
            expires_at: None,
            disabled_at: None,
            revoked: None,
            last_used_at: None,
            revision: Revision::FIRST,
        };
        let secret = SecretVersion {
            id: SecretId::generate(at, &mut random),
            number: 1,
            sealed: peppers.seal(&key),
            created_at: at,
            ends_at: None,
        };
        let loaded = Loaded {
            roles: Vec::new(),
            credential,
            secrets: vec![secret],
            user_account: None,
            organization: organization.clone(),
            spent: Vec::new(),
        };
        if !engine.insert(engine.mark(), loaded) {
            return Err("nothing changes here, and yet something has overtaken the load".into());
        }
        if number % every == 0 {
            asked.push(key.expose().into());
        }
    }
    Ok(())
}
