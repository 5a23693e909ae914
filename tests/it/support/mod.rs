//! What the tests stand on: a world with the real router over the real migrations, a clock in the
//! test's hand, randomness that repeats, and callers by name.

mod answer;
mod callers;
mod outside;
mod world;

pub(crate) use answer::Answer;
pub(crate) use callers::{ALL, Caller, Partner};
pub(crate) use world::{Settled, World};
