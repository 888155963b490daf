//! `bench`: how fast a configuration trains on a device, and what memory it takes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use continuo_package::files;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::BenchArgs;
use crate::config::{self, Configuration};
use crate::data::batches::Batches;
use crate::data::dataset::Dataset;
use crate::data::synthetic;
use crate::device::Device;
use crate::family::FAMILIES;
use crate::training::run::RunError;

/// Seconds of synthetic music that is trained on.
const SECONDS: f64 = 120.0;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The run that was to be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It was ended before a step was timed.
    #[error("stopped before a step was timed")]
    Stopped,
    /// A file.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speed {
    /// The configuration.
    pub config: PathBuf,
    /// What computes, in words.
    pub device: String,
    /// Steps that were timed, after the warm-up.
    pub steps: u64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Sequences of a step.
    pub batch: usize,
    /// Frames of each sequence that are new.
    pub chunk_frames: usize,
    /// Weights of all networks.
    pub weights: usize,
    /// Mean seconds of a step.
    pub seconds_per_step: f64,
    /// Frames that count for the loss, per second of wall time: over all steps, and in the median step.
    pub frames_per_second: f64,
    /// The same of the median step: what a quiet machine does.
    pub median_frames_per_second: f64,
    /// Seconds that the warm-up took: kernels are compiled and chosen in it.
    pub warmup_seconds: f64,
    /// Most memory that the process has held, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Memory of the device that is in use, in bytes, if it has its own.
    pub device_memory_bytes: Option<u64>,
    /// Loss of the last step, to see that something was learnt.
    pub loss: f64,
}

/// How long to measure.
pub struct Trial<'a> {
    /// Steps before those that are timed.
    pub warmup: u64,
    /// Steps that are timed.
    pub steps: u64,
    /// Seconds after which no further step is begun, once one was timed; `None` for as long as it takes.
    pub most_seconds: Option<f64>,
    /// Whether to give up, asked between steps.
    pub stop: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("warmup", &self.warmup).field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// `bench CONFIG.toml --device DEVICE`.
///
/// # Errors
/// If the device cannot compute.
pub fn run(args: &BenchArgs) -> Result<Speed, BenchError> {
    let config = config::read(&args.config, FAMILIES).map_err(RunError::from)?;
    let device = Device::find(args.device).map_err(RunError::from)?;
    let trial = Trial { warmup: args.warmup, steps: args.steps, most_seconds: None, stop: &|| false };
    let speed = measure(&args.config, &*config, &device, &trial)?.ok_or(BenchError::Stopped)?;
    let megabytes = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| (bytes >> 20).to_string());
    println!(
        "{}: {:.0} frames/s ({:.0} in the median step), {} MiB of memory, {} MiB on the device",
        speed.device,
        speed.frames_per_second,
        speed.median_frames_per_second,
        megabytes(speed.peak_memory_bytes),
        megabytes(speed.device_memory_bytes)
    );
    if let Some(file) = &args.json {
        let json = serde_json::to_vec_pretty(&speed).map_err(std::io::Error::from);
        json.and_then(|json| files::replace_with(file, json))
            .map_err(|source| BenchError::Io { file: file.clone(), source })?;
    }
    Ok(speed)
}

/// Trains a few steps on synthetic music and measures them. `None` if it was stopped before one was timed.
///
/// # Errors
/// If the device cannot compute.
pub fn measure(
    file: &Path,
    config: &dyn Configuration,
    device: &Device,
    trial: &Trial<'_>,
) -> Result<Option<Speed>, BenchError> {
    let folder = tempfile::tempdir().map_err(|source| BenchError::Io { file: std::env::temp_dir(), source })?;
    // Sequences of some configurations are longer than the usual music.
    let mut task = config.task(device).map_err(RunError::Task)?;
    let plan = task.batches();
    let seconds_of_one = plan.frames as f64 / f64::from(config.sample_rate_hz());
    synthetic::write(folder.path(), config.sample_rate_hz(), config.channels(), SECONDS.max(2.0 * seconds_of_one))
        .map_err(|source| BenchError::Io { file: folder.path().to_path_buf(), source })?;
    let dataset = Dataset::open(folder.path()).map_err(RunError::from)?;
    let mut batches = Batches::new(&dataset, plan, config.plan().rng_seed).map_err(RunError::from)?;

    let bar = ProgressBar::new(trial.warmup + trial.steps);
    // A template of our own that is written down here and cannot be wrong.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} step {pos} of {len}, {eta} left") {
        bar.set_style(style);
    }
    let (mut warmup_seconds, mut loss) = (0.0, f64::NAN);
    let mut rates = Vec::new();
    let (mut frames, mut seconds) = (0, 0.0);
    for number in 0..trial.warmup + trial.steps {
        if (trial.stop)() {
            bar.finish_and_clear();
            return Ok(None);
        }
        if !rates.is_empty() && trial.most_seconds.is_some_and(|most| warmup_seconds + seconds > most) {
            break;
        }
        let started = Instant::now();
        let report = task.step(number, &mut batches).map_err(RunError::Task)?;
        let took = started.elapsed().as_secs_f64();
        bar.inc(1);
        if number < trial.warmup {
            warmup_seconds += took;
            continue;
        }
        frames += report.frames;
        seconds += took;
        rates.push(report.frames as f64 / took);
        loss = report.losses.values().next().copied().unwrap_or(f64::NAN);
    }
    bar.finish_and_clear();
    if rates.is_empty() {
        return Ok(None);
    }
    rates.sort_by(f64::total_cmp);
    Ok(Some(Speed {
        config: file.to_path_buf(),
        device: task.device(),
        steps: rates.len() as u64,
        warmup_steps: trial.warmup,
        batch: plan.sequences,
        chunk_frames: plan.frames,
        weights: task.networks().iter().map(|network| network.weights.values.len()).sum(),
        seconds_per_step: seconds / rates.len() as f64,
        frames_per_second: frames as f64 / seconds,
        median_frames_per_second: rates[rates.len() / 2],
        warmup_seconds,
        peak_memory_bytes: memory(),
        device_memory_bytes: device.memory_in_use(),
        loss,
    }))
}

/// The most memory that this process has held.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
