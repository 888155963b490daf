//! The index of a dataset: what each recording is, where its frames lie and how loud it is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::split::Split;

/// Version of the index's layout.
pub const FORMAT_VERSION: u32 = 1;

/// `index.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the trainer that prepared it.
    pub trainer_version: String,
    /// Frames per second of every recording, after resampling.
    pub sample_rate_hz: u32,
    /// Channels per frame, 1 or 2.
    pub channels: u16,
    /// Share of recordings that was asked to be held out, 0–1.
    pub holdout: f64,
    /// Frames in the frames file.
    pub frames_total: u64,
    /// Level below which the ends of recordings were cut off, in dB below full scale; none if they were left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_silence_dbfs: Option<f64>,
    /// The recordings in the order of the frames file, without gaps.
    pub recordings: Vec<Recording>,
}

/// One recording of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The source's path below the imported folder, with `/` between its parts, as [`crate::names::text`] writes it: unique
    /// in the dataset.
    pub name: String,
    /// First frame in the frames file, in frames.
    pub offset: u64,
    /// Length in frames.
    pub frames: u64,
    /// Which split it belongs to.
    pub split: Split,
    /// The file it came from.
    #[serde(with = "crate::names")]
    pub source: PathBuf,
    /// Hex SHA-256 of that file. The split depends on it alone.
    pub source_sha256: String,
    /// Frames per second of the source.
    pub source_rate_hz: u32,
    /// Channels of the source.
    pub source_channels: u16,
    /// Levels of the prepared frames.
    pub levels: Levels,
    /// Silence that was cut off its ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<Trimmed>,
    /// What was odd about the source but did not keep it out (a truncated end, for one).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Recording {
    /// The first folder of its path below the imported one; empty where it lies in that one itself.
    pub fn folder(&self) -> &str {
        self.name.split_once('/').map_or("", |(folder, _)| folder)
    }
}

/// What was cut off a recording's ends, in frames of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trimmed {
    /// Before its first frame.
    pub head_frames: u64,
    /// Behind its last.
    pub tail_frames: u64,
}

impl Trimmed {
    /// Both together.
    pub fn frames(&self) -> u64 {
        self.head_frames + self.tail_frames
    }
}

/// Levels of one recording.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Levels {
    /// Largest absolute value of the prepared recording, full scale 1.0 (may exceed 1.0 before clamping to i16).
    pub peak: f32,
    /// Root mean square of the prepared recording, full scale 1.0.
    pub rms: f32,
    /// Mean of the prepared recording, full scale 1.0.
    pub dc: f32,
    /// Samples of the *source* that sit at full scale in a row of three or more: it was clipped when it was recorded.
    pub source_clipped: u64,
    /// Samples of the prepared recording that were clamped to i16's range.
    pub clamped: u64,
    /// Share of 50-ms windows quieter than −60 dBFS RMS, 0–1.
    pub silent_share: f32,
}

impl Index {
    /// Parses and checks an index; `file` is for the messages.
    ///
    /// # Errors
    /// [`DatasetError::Damaged`] or [`DatasetError::Version`].
    pub fn from_json(bytes: &[u8], file: &Path) -> Result<Self, DatasetError> {
        /// Read before the rest, so that another version is not reported as damage.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let damaged = |reason: String| DatasetError::Damaged { file: file.to_path_buf(), reason };
        let Version { format_version } = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if format_version != FORMAT_VERSION {
            return Err(DatasetError::Version {
                file: file.to_path_buf(),
                found: format_version,
                known: FORMAT_VERSION,
            });
        }
        let index: Self = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        index.check().map_err(damaged)?;
        Ok(index)
    }

    /// Everything that [`super::Dataset::frames`] relies on.
    fn check(&self) -> Result<(), String> {
        if !(1..=2).contains(&self.channels) {
            return Err(format!("channels: {} is neither 1 nor 2", self.channels));
        }
        if self.sample_rate_hz == 0 {
            return Err("sample_rate_hz: 0".into());
        }
        let mut next = 0_u64;
        for r in &self.recordings {
            if r.offset != next {
                return Err(format!("recordings: `{}` starts at frame {}, expected {next}", r.name, r.offset));
            }
            next = next
                .checked_add(r.frames)
                .filter(|&end| end <= self.frames_total)
                .ok_or_else(|| format!("recordings: `{}` ends beyond frames_total", r.name))?;
        }
        if next != self.frames_total {
            return Err(format!("frames_total: {}, but the recordings hold {next}", self.frames_total));
        }
        Ok(())
    }
}
