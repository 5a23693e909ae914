//! How the API behaves whatever it is asked: ids, repetitions, preconditions, limits, headers, and the
//! words of each surface for what is not there.

mod conditions;
mod dialects;
mod encodings;
mod headers;
mod limits;
mod metrics;
mod mistakes;
mod repeat;
mod repeat_kept;
mod request_ids;
