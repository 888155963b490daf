//! The pass over a folder: the same files, the same decoders and the same order as `prepare`, but nothing is written.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::duplicates::nearly_the_same;
use super::error::AuditError;
use super::facts::{Facts, Threshold};
use super::homogeneity::compare;
use super::measure::{Measured, Outcome, THRESHOLDS_DBFS, measure};
use crate::prepare::parallel::{in_order, threads};
use crate::prepare::read::ImportError;
use crate::prepare::scan::scan;
use crate::prepare::tally::Target;
use crate::prepare::unique::{SAME_SOUND, measure_doubles, unique};
use crate::prepare::{PrepareError, Progress, SkipKind, Skipped};

/// What to audit.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Folder of recordings.
    pub folder: PathBuf,
    /// Frames per second of the dataset that it would become.
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Share of the recordings that would be held out.
    pub holdout: f64,
    /// Silence below this level would be cut off at both ends.
    pub trim_silence_dbfs: Option<f64>,
    /// Threads; 0 = one per core.
    pub jobs: usize,
}

/// Reads a folder and measures every file. Raising `stop` ends it early; `progress` makes the display for a pass.
///
/// # Errors
/// [`AuditError`]. A file that cannot be read is no error: see [`Facts::skipped`].
pub fn survey(
    options: &AuditOptions,
    stop: &AtomicBool,
    progress: &dyn Fn(&'static str, u64) -> Progress,
) -> Result<Facts, AuditError> {
    let begin = Instant::now();
    let folder = std::path::absolute(&options.folder).unwrap_or_else(|_| options.folder.clone());
    let (found, mut skipped) = scan(&folder, &[])?;
    if found.is_empty() && skipped.is_empty() {
        return Err(PrepareError::NoFiles { path: folder }.into());
    }
    let threads = threads(options.jobs);
    let source_bytes = found.iter().map(|f| f.bytes).sum();
    let bar = progress("hashing", source_bytes);
    let files = unique(found, threads, stop, &bar, &mut skipped)?;
    bar.done();

    let target = Target { rate_hz: options.rate_hz, channels: options.channels, trim_dbfs: options.trim_silence_dbfs };
    let bar = progress("listening", files.iter().map(|(f, _)| f.bytes).sum());
    let mut collector = Collector::new(target.trim_dbfs.is_some());
    in_order(
        threads,
        &files,
        stop,
        |_, (found, _)| measure(found, target, stop, &bar),
        |_, result| match result {
            Ok(outcome) => {
                collector.add(outcome);
                Ok(())
            }
            Err(ImportError::Skip(skip)) => {
                collector.skipped.push(skip);
                Ok(())
            }
            Err(ImportError::Fatal(error)) => Err(error),
        },
    )?;
    if stop.load(Ordering::Relaxed) {
        return Err(AuditError::Cancelled);
    }
    bar.done();

    let thresholds = collector.thresholds();
    let recordings = collector.recordings;
    skipped.append(&mut collector.skipped);
    measure_doubles(&mut skipped, recordings.iter().map(|r| (r.name.clone(), r.frames)));
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Facts {
        folder,
        rate_hz: options.rate_hz,
        channels: options.channels,
        trim_silence_dbfs: options.trim_silence_dbfs,
        holdout: options.holdout,
        nearly_the_same: nearly_the_same(&recordings, options.rate_hz),
        homogeneity: compare(&recordings),
        thresholds,
        recordings,
        skipped,
        needs: None,
        forecast: None,
        source_bytes,
        took_seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Puts what was measured together, in the order of names.
struct Collector {
    trims: bool,
    recordings: Vec<Measured>,
    skipped: Vec<Skipped>,
    /// Hash of the frames → name.
    sounds: HashMap<String, String>,
    /// Frames of all that is not left out for other reasons, and how many stay for each threshold.
    frames: u64,
    kept: Vec<u64>,
    lost: Vec<usize>,
}

impl Collector {
    fn new(trims: bool) -> Self {
        let count = THRESHOLDS_DBFS.len();
        Self {
            trims,
            recordings: Vec::new(),
            skipped: Vec::new(),
            sounds: HashMap::new(),
            frames: 0,
            kept: vec![0; count],
            lost: vec![0; count],
        }
    }

    fn add(&mut self, outcome: Outcome) {
        let frames = match outcome.recording {
            Ok(recording) => {
                if let Some(first) = self.sounds.get(&recording.frames_sha256) {
                    let double = Skipped::double(recording.name, SAME_SOUND, first);
                    self.skipped.push(double.with_frames(recording.frames));
                    return;
                }
                self.sounds.insert(recording.frames_sha256.clone(), recording.name.clone());
                let frames = recording.frames + recording.trimmed.frames();
                self.recordings.push(recording);
                frames
            }
            Err(skipped) => {
                let by_threshold = self.trims && skipped.kind == SkipKind::Silent;
                let frames = skipped.frames.filter(|_| by_threshold);
                self.skipped.push(skipped);
                let Some(frames) = frames else { return };
                frames
            }
        };
        self.frames += frames;
        for ((sum, lost), kept) in self.kept.iter_mut().zip(&mut self.lost).zip(outcome.kept_by_threshold) {
            *sum += kept;
            *lost += usize::from(kept == 0);
        }
    }

    fn thresholds(&self) -> Vec<Threshold> {
        let all = self.frames.max(1) as f64;
        let each = THRESHOLDS_DBFS.iter().zip(&self.kept).zip(&self.lost);
        each.map(|((&dbfs, &kept), &lost_recordings)| Threshold {
            dbfs,
            discarded: if self.frames == 0 { 0.0 } else { 1.0 - kept as f64 / all },
            lost_recordings,
        })
        .collect()
    }
}
