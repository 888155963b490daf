//! What the tests and benches of the engine share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod ada;
pub mod clip;
pub mod graph;
