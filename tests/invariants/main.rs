//! The invariants of ARCHITECTURE.md that a compiler does not check: who may know whom, and what may be named where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arrows;
mod circles;
mod modules;
mod names;
mod resolve;
mod workspace;
