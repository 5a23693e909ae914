//! Callers on a schedule. What they measure begins when a call was due, also where the server was still
//! busy with the one before: a server that stands still is not asked less often, and does not look faster.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::random::Random;
use crate::{Fault, Outcome};

/// Writes one whole request.
type Write = dyn Fn(&mut Random, &mut Vec<u8>) + Send + Sync;

/// What is asked, and how the answer is judged.
pub(crate) struct Question {
    pub(crate) write: Box<Write>,
    pub(crate) is_right: fn(u16, &[u8]) -> bool,
}

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// Calls a second of all connections together; `None`: each asks as soon as it has its answer.
    pub(crate) rate: Option<f64>,
}

/// What the callers saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each call took.
    took: Vec<Duration>,
    /// Answers other than the expected one.
    pub(crate) wrong: u64,
    is_sorted: bool,
}

impl Seen {
    pub(crate) fn calls(&self) -> usize {
        self.took.len()
    }

    /// What so many of a thousand calls did not exceed, in milliseconds; of none, NaN.
    pub(crate) fn per_mille(&mut self, share: usize) -> f64 {
        if !self.is_sorted {
            self.took.sort_unstable();
            self.is_sorted = true;
        }
        let rank = (self.took.len() * share).div_ceil(1000);
        self.took.get(rank.saturating_sub(1)).map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
    }
}

/// Callers at work, each with a connection and a thread of its own.
pub(crate) struct Callers {
    is_over: Arc<AtomicBool>,
    seen: Vec<Arc<Mutex<Seen>>>,
    threads: Vec<JoinHandle<Outcome<()>>>,
}

impl Callers {
    /// Sends them to work.
    pub(crate) fn start(address: SocketAddr, question: &Arc<Question>, load: Load) -> Outcome<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut callers = Self { is_over, seen: Vec::new(), threads: Vec::new() };
        let pause = load.rate.map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
        let begin = Instant::now() + Duration::from_millis(20);
        for number in 0..load.connections {
            let seen = Arc::<Mutex<Seen>>::default();
            let caller = Caller {
                client: Client::connect(address, "")?,
                question: question.clone(),
                is_over: callers.is_over.clone(),
                seen: seen.clone(),
                random: Random(u64::from(number) << 32 | u64::from(std::process::id())),
                // Spread over one pause, so that they do not all call at once.
                due: begin + pause.unwrap_or_default() * number / load.connections,
                pause,
            };
            callers.seen.push(seen);
            callers.threads.push(std::thread::spawn(move || caller.work()));
        }
        Ok(callers)
    }

    /// What was seen since the last time this was asked.
    pub(crate) fn take(&self) -> Outcome<Seen> {
        if self.threads.iter().any(JoinHandle::is_finished) && !self.is_over.load(Ordering::Relaxed) {
            return Err("a caller has given up".into());
        }
        let mut all = Seen::default();
        for seen in &self.seen {
            let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
            all.took.extend(seen.took);
            all.wrong += seen.wrong;
        }
        Ok(all)
    }

    /// Calls them back; answers what was seen since [`Self::take`].
    pub(crate) fn stop(mut self) -> Outcome<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a caller panicked")??;
        }
        self.take()
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Runs a load for so long.
pub(crate) fn run(
    address: SocketAddr,
    question: &Arc<Question>,
    load: Load,
    time: Duration,
) -> Outcome<Seen> {
    let callers = Callers::start(address, question, load)?;
    std::thread::sleep(time);
    callers.stop()
}

struct Caller {
    client: Client,
    question: Arc<Question>,
    is_over: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    random: Random,
    due: Instant,
    pause: Option<Duration>,
}

impl Caller {
    fn work(mut self) -> Outcome<()> {
        let mut request = Vec::with_capacity(512);
        while !self.is_over.load(Ordering::Relaxed) {
            request.clear();
            (self.question.write)(&mut self.random, &mut request);
            let from = self.turn();
            let (status, body) = self.client.exchange(&request)?;
            let took = from.elapsed();
            let is_right = (self.question.is_right)(status, body);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.took.push(took);
            seen.wrong += u64::from(!is_right);
        }
        Ok::<_, Fault>(())
    }

    /// Waits until the next call is due; answers when it began, for whoever waits for its answer.
    fn turn(&mut self) -> Instant {
        let now = Instant::now();
        let Some(pause) = self.pause else { return now };
        let due = self.due;
        self.due += pause;
        if due <= now {
            return due;
        }
        std::thread::sleep(due - now);
        // That the sleep took a little longer is not the server's doing.
        Instant::now()
    }
}
