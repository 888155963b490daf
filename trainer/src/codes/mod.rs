//! Codes in place of audio: what a trained encoder makes of the recordings of a dataset.

pub mod dataset;
pub mod run;

pub use run::{CodesError, run};
