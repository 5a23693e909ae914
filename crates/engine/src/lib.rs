//! May this call pass? Decided from memory, and counted before it is answered.

#![warn(missing_docs)]
