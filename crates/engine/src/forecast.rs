//! How long a render will take on this machine, said beforehand.
//!
//! A model is timed when it is first asked about, for the numbers of variations and threads and the precision in question,
//! and every finished render corrects what was measured. A folder keeps the figures between runs, one small file per model.

use crate::error::EngineError;
use crate::kernels::Precision;
use crate::model::Model;
use crate::sampling::Sampling;
use crate::version::VERSION;
use crate::voice::VoiceRequest;
use crate::workers::Workers;
use continuo_package::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Frames that are timed at once; the median of the times stands against what else the machine does meanwhile.
const FRAMES_PER_TIMING: usize = 64;
const FEWEST_TIMINGS: usize = 5;
/// How long a measurement takes, where so many timings do not take longer.
const MEASURED: Duration = Duration::from_millis(150);

/// Frames of a render from which its own speed is believed more than a short measurement's.
const FRAMES_TO_LEARN_FROM: u64 = 4_000;

/// A calibration larger than this is none, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What is to be rendered, as far as it decides how long that takes.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Frames of the seed clip at the model's rate; 0 for none.
    pub seed_frames: u64,
    /// Frames to generate.
    pub frames: u64,
    /// Variations.
    pub variations: u32,
    /// In what the products are computed; `None` leaves it to the model.
    pub precision: Option<Precision>,
    /// The threads that may be used.
    pub workers: Workers,
}

/// What was measured of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Figures {
    /// The engine and the kernel that were measured; figures of others are no use.
    measured_with: String,
    /// Seconds for one frame of all variations, by [`key`].
    seconds_per_frame: BTreeMap<String, f64>,
    /// Seconds for priming with as much as the model hears of a clip, by precision.
    seconds_to_prime: BTreeMap<String, f64>,
}

/// A model's figures and where they are kept.
#[derive(Debug, Default)]
struct Calibration {
    figures: Mutex<Figures>,
    file: Option<PathBuf>,
}

fn key(variations: u32, precision: Precision, threads: usize) -> String {
    format!("{variations} variations, {precision}, {threads} threads")
}

impl Calibration {
    /// The figures of the model with this hash in `folder`; none where there are none, or others measured them.
    fn open(folder: Option<&Path>, content_hash: &str, backend: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let measured_with = format!("{VERSION} {backend} {cores} cores");
        let file = folder.map(|folder| folder.join(format!("{content_hash}.json")));
        let usable = |figures: &Figures| {
            let all = figures.seconds_per_frame.values().chain(figures.seconds_to_prime.values());
            figures.measured_with == measured_with && all.copied().all(|seconds| seconds.is_finite() && seconds > 0.0)
        };
        let read = |file: &PathBuf| {
            let small = std::fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MOST_BYTES);
            small.then(|| std::fs::read(file).ok()).flatten()
        };
        let figures = file.as_ref().and_then(read).and_then(|bytes| serde_json::from_slice(&bytes).ok()).filter(usable);
        Self { figures: Mutex::new(figures.unwrap_or(Figures { measured_with, ..Figures::default() })), file }
    }

    fn figures(&self) -> std::sync::MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the figures and keeps them. Not being able to costs a measurement next time, nothing else.
    fn note(&self, change: impl FnOnce(&mut Figures)) {
        let mut figures = self.figures();
        change(&mut figures);
        let Some(file) = &self.file else { return };
        let kept = (|| -> std::io::Result<()> {
            let folder = file.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            files::replace_with(file, serde_json::to_vec(&*figures)?)
        })();
        if let Err(error) = kept {
            tracing::debug!("{}: how fast the model is was not kept ({error})", file.display());
        }
    }
}

/// Frames of a clip that stand for all that an unbounded memory would hear, in measuring how long priming takes.
const FRAMES_FOR_ALL: u64 = 4_000;

/// What is known of a model's speed on this machine.
#[derive(Debug)]
pub struct Forecasts {
    model: Arc<Model>,
    calibration: Calibration,
}

impl Forecasts {
    /// For a model, with the figures that an earlier run kept in `folder`; it is made when it is needed.
    pub fn new(model: &Arc<Model>, folder: Option<&Path>) -> Self {
        let calibration = Calibration::open(folder, model.content_hash(), model.backend(None).name());
        Self { model: Arc::clone(model), calibration }
    }

    /// Seconds for one frame of all variations of a workload: measured at the first call for such a one.
    ///
    /// # Errors
    /// [`EngineError::Request`] for no variations or too many; [`EngineError::Cancelled`] when `cancel` became true; as
    /// [`Voice::generate`](crate::Voice::generate).
    pub fn seconds_per_frame(&self, work: &Workload, cancel: &AtomicBool) -> Result<f64, EngineError> {
        let key = self.key(work);
        if let Some(&seconds) = self.calibration.figures().seconds_per_frame.get(&key) {
            return Ok(seconds);
        }
        let mut voice = self.model.voice(&VoiceRequest {
            precision: work.precision,
            workers: work.workers.clone(),
            ..VoiceRequest::new(Sampling::default(), 0..work.variations)
        })?;
        let mut sound = vec![Vec::new(); work.variations as usize * voice.channels()];
        // The first frames fill the caches and give each variation its state.
        voice.generate(FRAMES_PER_TIMING, &mut sound, cancel)?;
        let mut seconds = Vec::new();
        let began = Instant::now();
        while seconds.len() < FEWEST_TIMINGS || began.elapsed() < MEASURED {
            let started = Instant::now();
            voice.generate(FRAMES_PER_TIMING, &mut sound, cancel)?;
            seconds.push(started.elapsed().as_secs_f64() / FRAMES_PER_TIMING as f64);
            sound.iter_mut().for_each(Vec::clear);
        }
        let median = median(&mut seconds);
        self.calibration.note(|figures| {
            figures.seconds_per_frame.insert(key, median);
        });
        Ok(median)
    }

    /// Seconds for priming with a clip of which the model hears as much as it can.
    ///
    /// # Errors
    /// As [`Voice::prime`](crate::Voice::prime).
    fn seconds_to_prime(&self, precision: Option<Precision>, cancel: &AtomicBool) -> Result<f64, EngineError> {
        let name = self.model.backend(precision).precision().name();
        if let Some(&seconds) = self.calibration.figures().seconds_to_prime.get(name) {
            return Ok(seconds);
        }
        // Packing the weights is part of making a voice, and no part of priming.
        let request = VoiceRequest { precision, ..VoiceRequest::new(Sampling::default(), 0..1) };
        let mut voice = self.model.voice(&request)?;
        let clip = vec![0.0; usize::try_from(self.heard()).unwrap_or(usize::MAX).saturating_add(1)];
        let channels = vec![&clip[..]; voice.channels()];
        let started = Instant::now();
        voice.prime(&channels, cancel)?;
        // A voice may put off what it does with a clip until then.
        voice.begin(cancel)?;
        let seconds = started.elapsed().as_secs_f64();
        self.calibration.note(|figures| {
            figures.seconds_to_prime.insert(name.to_owned(), seconds);
        });
        Ok(seconds)
    }

    /// How long a render takes. Measures where it has not yet, for a quarter of a second or so: with nothing else at work.
    ///
    /// # Errors
    /// As [`Forecasts::seconds_per_frame`].
    pub fn forecast(&self, work: &Workload, cancel: &AtomicBool) -> Result<Duration, EngineError> {
        let primes = if work.seed_frames > 0 { self.seconds_to_prime(work.precision, cancel)? } else { 0.0 };
        Ok(self.sum(work, primes, self.seconds_per_frame(work, cancel)?))
    }

    /// As [`Forecasts::forecast`], of what was measured before; `None` where something was not.
    pub fn known(&self, work: &Workload) -> Option<Duration> {
        let figures = self.calibration.figures();
        let per_frame = *figures.seconds_per_frame.get(&self.key(work))?;
        let primes = if work.seed_frames > 0 {
            *figures.seconds_to_prime.get(self.model.backend(work.precision).precision().name())?
        } else {
            0.0
        };
        Some(self.sum(work, primes, per_frame))
    }

    /// Takes note of how long a render has really taken, so that the next forecast knows better.
    pub fn learn(&self, work: &Workload, generate_seconds: f64) {
        if work.frames < FRAMES_TO_LEARN_FROM || generate_seconds <= 0.0 {
            return;
        }
        let (key, seconds) = (self.key(work), generate_seconds / work.frames as f64);
        self.calibration.note(|figures| {
            figures.seconds_per_frame.insert(key, seconds);
        });
    }

    /// Frames of a clip whose priming is measured.
    fn heard(&self) -> u64 {
        self.model.manifest().reach.frames().unwrap_or(FRAMES_FOR_ALL)
    }

    fn sum(&self, work: &Workload, to_prime: f64, per_frame: f64) -> Duration {
        // Only what the model hears of a clip takes time.
        let heard = self.model.manifest().reach.heard(work.seed_frames) as f64 / self.heard().max(1) as f64;
        Duration::try_from_secs_f64(heard * to_prime + work.frames as f64 * per_frame).unwrap_or(Duration::MAX)
    }

    fn key(&self, work: &Workload) -> String {
        key(work.variations, self.model.backend(work.precision).precision(), work.workers.threads())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_for_the_same_machine_and_not_believed_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let open = |kernel: &str| Calibration::open(Some(folder.path()), "abc", kernel);
        let first = open("AVX2");
        first.note(|figures| {
            figures.seconds_per_frame.insert(key(4, Precision::Int8, 2), 1e-5);
        });
        assert_eq!(*open("AVX2").figures(), *first.figures());
        assert!(open("NEON").figures().seconds_per_frame.is_empty());
        for damaged in ["", "{", "{\"measured_with\":1}", &"x".repeat(2 << 20)] {
            std::fs::write(folder.path().join("abc.json"), damaged).unwrap();
            assert!(open("AVX2").figures().seconds_per_frame.is_empty());
        }
        first.note(|figures| {
            figures.seconds_per_frame.insert(key(1, Precision::F32, 1), -1.0);
        });
        assert!(open("AVX2").figures().seconds_per_frame.is_empty(), "no time is negative");
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let calibration = Calibration::open(Some(&file.path().join("below a file")), "abc", "AVX2");
        calibration.note(|figures| {
            figures.seconds_to_prime.insert("f32".into(), 0.5);
        });
        assert_eq!(calibration.figures().seconds_to_prime.len(), 1);
    }
}
