//! From recordings to what a network is trained on.

pub mod batches;
pub mod dataset;
pub mod excerpt;
pub mod synthetic;

pub use batches::{Batch, BatchCursor, BatchPlan, Batches, Values};
