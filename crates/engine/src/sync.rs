//! The locks and counters on which calls, changes and the drainer meet. Under `--cfg loom` they are loom's,
//! which runs a test once for every order in which its threads can get to them.

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicU64};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU64};
