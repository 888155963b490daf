//! What the audit measures of one file, in one reading and constant memory.

use std::sync::atomic::AtomicBool;

use continuo_engine::audio::Info;
use serde::Serialize;

use super::envelope::{Envelope, EnvelopeMeter};
use super::loudness::Loudness;
use super::spectrum::{AverageSpectrum, db};
use crate::data::dataset::{Levels, Trimmed};
use crate::prepare::levels::ClipCounter;
use crate::prepare::read::{ImportError, guarded, stream};
use crate::prepare::scan::Found;
use crate::prepare::tally::{Tally, Target};
use crate::prepare::trim::{Edges, Windows, mean_square};
use crate::prepare::{Progress, Skipped};

/// Levels whose effect as a threshold of silence is counted, in dBFS.
pub const THRESHOLDS_DBFS: [f64; 12] =
    [-90.0, -80.0, -70.0, -65.0, -60.0, -55.0, -50.0, -45.0, -40.0, -30.0, -20.0, -10.5];

/// A recording as it would be in the dataset, and the file behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Path below the folder, as [`crate::names::text`] writes it.
    pub name: String,
    /// Container and encoding, such as `wav 16-bit`.
    pub format: String,
    /// Frames per second of the file.
    pub source_rate_hz: u32,
    /// Channels of the file.
    pub source_channels: usize,
    /// Length in the dataset, in frames at its rate.
    pub frames: u64,
    /// Silence that is cut off, if any is to be.
    pub trimmed: Trimmed,
    /// Levels, exactly as `prepare` notes them.
    pub levels: Levels,
    /// Integrated loudness (BS.1770) of the frames of the dataset; none of what is too short or too quiet for it.
    pub loudness_lufs: Option<f64>,
    /// The frequency above which the file holds nothing, in Hz.
    pub bandwidth_hz: f64,
    /// Whether it ends there as if cut off: upsampled, or out of a lossy encoder.
    pub cut_off: bool,
    /// Centre of power of the frames of the dataset, in Hz.
    pub centroid_hz: Option<f64>,
    /// Power of each third octave from 50 Hz upwards in the dataset, in dB relative to all of it.
    pub thirds_db: Vec<f32>,
    /// What is lost because channels cancel out when they are mixed down, in dB: 0 for equal channels, 3 for independent ones.
    pub mixing_loss_db: Option<f64>,
    /// Whether one channel of several has next to nothing in it.
    pub dead_channel: bool,
    /// Frames that would stay in the dataset for each of the thresholds of silence.
    pub kept_by_threshold: Vec<u64>,
    /// What was odd about the file but does not keep it out.
    pub warnings: Vec<String>,
    /// Tells equal sounds.
    #[serde(skip)]
    pub(crate) frames_sha256: String,
    /// Tells nearly equal ones.
    #[serde(skip)]
    pub(crate) envelope: Envelope,
}

/// Everything that listens to the stream.
struct Meters {
    tally: Tally,
    scratch: Vec<u8>,
    clips: ClipCounter,
    loudness: Loudness,
    envelope: EnvelopeMeter,
    source_spectrum: AverageSpectrum,
    spectrum: AverageSpectrum,
    windows: Windows,
    edges: Vec<Edges>,
    channels: usize,
    /// Energies of the file's channels, and of their sum.
    energies: Vec<f64>,
    mixed: f64,
}

impl Meters {
    fn new(info: &Info, target: Target) -> Self {
        let channels = usize::from(target.channels);
        Self {
            tally: Tally::new(target),
            scratch: Vec::new(),
            clips: ClipCounter::new(info.channels),
            loudness: Loudness::new(target.rate_hz, channels),
            envelope: EnvelopeMeter::new(target.rate_hz, channels),
            source_spectrum: AverageSpectrum::new(info.sample_rate_hz, info.channels),
            spectrum: AverageSpectrum::new(target.rate_hz, channels),
            windows: Windows::new(channels),
            edges: THRESHOLDS_DBFS.map(Edges::new).to_vec(),
            channels,
            energies: vec![0.0; info.channels],
            mixed: 0.0,
        }
    }

    fn source(&mut self, frames: &[f32]) {
        self.clips.push(frames);
        self.source_spectrum.push(frames);
        for frame in frames.chunks_exact(self.energies.len()) {
            let mut sum = 0.0;
            for (&x, energy) in frame.iter().zip(&mut self.energies) {
                let x = f64::from(x);
                sum += x;
                *energy += x * x;
            }
            self.mixed += sum * sum;
        }
    }

    fn frames(&mut self, frames: &[f32]) {
        self.scratch.clear();
        self.tally.push(frames, &mut self.scratch);
        self.loudness.push(frames);
        self.envelope.push(frames);
        self.spectrum.push(frames);
        let (edges, channels) = (&mut self.edges, self.channels);
        self.windows.push(frames, |window| note(edges, channels, window));
    }

    /// Mixing loss in dB, and whether a channel is dead.
    fn channels(&self) -> (Option<f64>, bool) {
        let count = self.energies.len();
        let all: f64 = self.energies.iter().sum();
        if count < 2 || all <= 0.0 {
            return (None, false);
        }
        let mixed = self.mixed / (count * count) as f64;
        let loudest = self.energies.iter().copied().fold(0.0, f64::max);
        let dead = self.energies.iter().any(|&energy| energy < 1e-4 * loudest);
        (Some(db(all / count as f64 / mixed.max(1e-20))), dead)
    }
}

fn note(edges: &mut [Edges], channels: usize, window: &[f32]) {
    let square = mean_square(window);
    for edges in edges {
        edges.push((window.len() / channels) as u64, square);
    }
}

/// What a file came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The recording, or why `prepare` would leave it out.
    pub(crate) recording: Result<Measured, Skipped>,
    /// Frames that would stay for each of the thresholds of silence, also of what is left out.
    pub(crate) kept_by_threshold: Vec<u64>,
}

/// Measures one file.
pub(crate) fn measure(
    found: &Found,
    target: Target,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Outcome, ImportError> {
    guarded(found, || {
        let begin = |info: &Info| Ok(Meters::new(info, target));
        let (source, mut meters) = stream(found, target, stop, progress, begin, |meters, block| {
            meters.source(block.source);
            meters.frames(block.frames);
            Ok(())
        })?;
        let (mixing_loss_db, dead_channel) = meters.channels();
        meters.scratch.clear();
        let tallied = meters.tally.finish(meters.clips.clipped(), &mut meters.scratch);
        meters.windows.finish(|window| note(&mut meters.edges, meters.channels, window));
        let kept_by_threshold: Vec<u64> = meters.edges.iter().map(Edges::kept).collect();
        if let Some(skipped) = tallied.left_out(found, &source.info, target) {
            return Ok(Outcome { recording: Err(skipped), kept_by_threshold });
        }
        let edge = meters.source_spectrum.finish().edge();
        let spectrum = meters.spectrum.finish();
        let recording = Measured {
            name: found.name.clone(),
            format: source.info.format,
            source_rate_hz: source.info.sample_rate_hz,
            source_channels: source.info.channels,
            frames: tallied.frames,
            trimmed: tallied.trimmed,
            levels: tallied.levels,
            loudness_lufs: meters.loudness.finish(),
            bandwidth_hz: edge.hz,
            cut_off: edge.sharp,
            centroid_hz: spectrum.centroid_hz(),
            thirds_db: spectrum.thirds_db(target.rate_hz),
            mixing_loss_db: mixing_loss_db.filter(|_| target.channels == 1),
            dead_channel,
            kept_by_threshold: kept_by_threshold.clone(),
            warnings: source.warnings,
            frames_sha256: tallied.frames_sha256,
            envelope: meters.envelope.finish(),
        };
        Ok(Outcome { recording: Ok(recording), kept_by_threshold })
    })
}
