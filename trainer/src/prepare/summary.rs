//! What came of an import.

use std::path::PathBuf;
use std::time::Duration;

use super::skipped::Skipped;
use crate::data::dataset::{Index, Split};

/// What came of it.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The dataset's folder.
    pub out: PathBuf,
    /// Its index.
    pub index: Index,
    /// What was left out, each with its reason, in the order of names.
    pub skipped: Vec<Skipped>,
    /// Bytes of all sources that were opened.
    pub source_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// Hours of audio in one split.
    pub fn hours(&self, split: Split) -> f64 {
        let frames: u64 = self.index.recordings.iter().filter(|r| r.split == split).map(|r| r.frames).sum();
        frames as f64 / f64::from(self.index.sample_rate_hz) / 3_600.0
    }
}
