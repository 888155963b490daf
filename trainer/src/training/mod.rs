//! Training: from a configuration and a dataset to checkpoints.

pub mod batches;
pub mod checkpoint;
pub mod initial;
pub mod log;
pub mod optimiser;
pub mod run;
pub mod session;
pub mod stop;
