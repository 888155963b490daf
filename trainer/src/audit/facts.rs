//! All that an audit found, before anybody judges it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::homogeneity::Homogeneity;
use super::measure::Measured;
use crate::data::batches::BatchPlan;
use crate::prepare::{SkipKind, Skipped};

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The folder.
    #[serde(with = "crate::names")]
    pub folder: PathBuf,
    /// Frames per second and channels that everything was measured at.
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Threshold below which the ends of recordings count as silence to cut off.
    pub trim_silence_dbfs: Option<f64>,
    /// Share of the recordings that is to be held out.
    pub holdout: f64,
    /// What would be in the dataset, in the order of names.
    pub recordings: Vec<Measured>,
    /// What would not, with reasons.
    pub skipped: Vec<Skipped>,
    /// Pairs of places of recordings that are nearly the same.
    pub nearly_the_same: Vec<(usize, usize)>,
    /// What thresholds of silence would cut away.
    pub thresholds: Vec<Threshold>,
    /// How much alike the recordings are.
    pub homogeneity: Homogeneity,
    /// What the configuration asks for.
    pub needs: Option<Needs>,
    /// What it will cost on the device.
    pub forecast: Option<Forecast>,
    /// Bytes that were read.
    pub source_bytes: u64,
    /// Seconds that it took.
    pub took_seconds: f64,
}

/// A threshold of silence and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// The level, in dBFS.
    pub dbfs: f64,
    /// Share of the frames that would be cut off, 0-1.
    pub discarded: f64,
    /// Recordings of which nothing would stay.
    pub lost_recordings: usize,
}

/// What a configuration asks of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Needs {
    /// The configuration's file.
    #[serde(with = "crate::names")]
    pub config: PathBuf,
    /// New frames of a sequence: a shorter recording is never used.
    pub chunk_frames: usize,
    /// Frames in front of them: where a recording has none, silence stands for them.
    pub context_frames: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Steps in all.
    pub steps: u64,
}

impl Needs {
    /// What a plan of batches and a number of steps ask for.
    pub fn new(config: PathBuf, plan: &BatchPlan, steps: u64) -> Self {
        Self { config, chunk_frames: plan.frames, context_frames: plan.context, batch: plan.sequences, steps }
    }
}

/// What a few real steps on the device say about all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// What computes, in words.
    pub device: String,
    /// Steps that were timed.
    pub measured_steps: u64,
    /// Frames that count for the loss, per second.
    pub frames_per_second: f64,
    /// Mean seconds of a step.
    pub seconds_per_step: f64,
    /// Hours until the configuration's last step, without measurements and previews on the way.
    pub hours: f64,
    /// Most memory that the process held meanwhile, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Memory of the device that was in use, in bytes.
    pub device_memory_bytes: Option<u64>,
    /// How often the recordings are gone through in all steps.
    pub epochs: f64,
}

/// Files and hours.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Amount {
    /// Files.
    pub files: usize,
    /// Hours of audio, where they are known.
    pub hours: f64,
    /// Files of which no length is known, because they cannot be read.
    pub of_unknown_length: usize,
}

impl Facts {
    /// Frames in hours.
    pub fn hours(&self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.rate_hz.max(1)) / 3_600.0
    }

    /// What is kept, without what is cut off at the ends.
    pub fn kept(&self) -> Amount {
        let frames = self.recordings.iter().map(|r| r.frames).sum();
        Amount { files: self.recordings.len(), hours: self.hours(frames), of_unknown_length: 0 }
    }

    /// Hours that are cut off at the ends of what is kept.
    pub fn trimmed_hours(&self) -> f64 {
        self.hours(self.recordings.iter().map(|r| r.trimmed.frames()).sum())
    }

    /// What is left out, by kind.
    pub fn left_out(&self) -> BTreeMap<SkipKind, Amount> {
        let mut kinds: BTreeMap<SkipKind, Amount> = BTreeMap::new();
        for skipped in &self.skipped {
            let amount = kinds.entry(skipped.kind).or_default();
            amount.files += 1;
            match skipped.frames {
                Some(frames) => amount.hours += self.hours(frames),
                None => amount.of_unknown_length += 1,
            }
        }
        kinds
    }

    /// Share of what is kept that is silent (windows of 50 ms under -60 dBFS).
    pub fn silent_share(&self) -> f64 {
        let all: f64 = self.recordings.iter().map(|r| r.frames as f64).sum();
        let silent: f64 = self.recordings.iter().map(|r| r.frames as f64 * f64::from(r.levels.silent_share)).sum();
        if all > 0.0 { silent / all } else { 0.0 }
    }
}

/// A kind of reason, in words.
pub fn kind_in_words(kind: SkipKind) -> &'static str {
    match kind {
        SkipKind::NotAudio => "no audio",
        SkipKind::Unsupported => "not supported",
        SkipKind::Damaged => "damaged",
        SkipKind::Empty => "empty",
        SkipKind::Silent => "silent",
        SkipKind::Duplicate => "duplicates",
        SkipKind::Unreadable => "unreadable",
    }
}
