//! How long a render will take on this machine, said beforehand.

use crate::error::EngineError;
use crate::generator::Generator;
use crate::model::Model;
use crate::sampler::Sampling;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Frames that are timed at once; the median of the times stands against what else the machine does meanwhile.
const FRAMES_PER_TIMING: usize = 16;
const TIMINGS: usize = 9;

/// The clip that priming is timed with.
const PRIMED_FRAMES: usize = 256;

/// What was measured of a model, per number of takes. Kept as long as the model is loaded.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    seconds_per_frame: Mutex<BTreeMap<u32, f64>>,
    seconds_per_primed_frame: Mutex<Option<f64>>,
}

impl Model {
    /// Measures how fast this model steps one take and primes, so that later forecasts are there at once. Takes some
    /// milliseconds.
    ///
    /// # Errors
    /// As [`Generator::step`].
    pub fn calibrate(self: &Arc<Self>) -> Result<(), EngineError> {
        self.seconds_per_primed_frame()?;
        self.seconds_per_frame(1).map(drop)
    }

    /// Seconds for one frame of `takes` takes generated together: measured at the first call for a number of takes.
    ///
    /// # Errors
    /// [`EngineError::Request`] for no takes or too many; as [`Generator::step`].
    pub fn seconds_per_frame(self: &Arc<Self>, takes: u32) -> Result<f64, EngineError> {
        let known = || self.calibration.seconds_per_frame.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&seconds) = known().get(&takes) {
            return Ok(seconds);
        }
        let mut generator = Generator::new(self, Sampling::default(), 0..takes)?;
        // The first frames fill the caches and make the takes part.
        generator.step()?;
        let mut seconds = Vec::with_capacity(TIMINGS);
        for _ in 0..TIMINGS {
            let started = Instant::now();
            for _ in 0..FRAMES_PER_TIMING {
                generator.step()?;
            }
            seconds.push(started.elapsed().as_secs_f64() / FRAMES_PER_TIMING as f64);
        }
        let median = median(&mut seconds);
        known().insert(takes, median);
        Ok(median)
    }

    /// Seconds for one frame of the seed clip that goes through the network.
    ///
    /// # Errors
    /// As [`Generator::prime`].
    pub fn seconds_per_primed_frame(self: &Arc<Self>) -> Result<f64, EngineError> {
        let known = || self.calibration.seconds_per_primed_frame.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = *known() {
            return Ok(seconds);
        }
        let mut generator = Generator::new(self, Sampling::default(), 0..1)?;
        // A clip longer than the receptive field would not go through the network as a whole.
        let reach = usize::try_from(self.manifest().receptive_field_frames).unwrap_or(usize::MAX);
        let clip = vec![0.0; PRIMED_FRAMES.min(reach)];
        generator.prime(&clip)?;
        let mut seconds = Vec::with_capacity(3);
        for _ in 0..3 {
            let started = Instant::now();
            generator.prime(&clip)?;
            seconds.push(started.elapsed().as_secs_f64() / clip.len() as f64);
        }
        let median = median(&mut seconds);
        *known() = Some(median);
        Ok(median)
    }

    /// How long a render takes: `frames` frames of `takes` takes after a seed clip of `seed_frames` frames, all at the
    /// model's rate. Measures where it has not yet.
    ///
    /// # Errors
    /// As [`Model::seconds_per_frame`].
    pub fn forecast(self: &Arc<Self>, seed_frames: u64, frames: u64, takes: u32) -> Result<Duration, EngineError> {
        let heard = seed_frames.min(self.manifest().receptive_field_frames);
        let primes = if heard > 0 { heard as f64 * self.seconds_per_primed_frame()? } else { 0.0 };
        let seconds = primes + frames as f64 * self.seconds_per_frame(takes)?;
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
