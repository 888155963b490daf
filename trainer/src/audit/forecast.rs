//! What training will cost on a device: measured on a few real steps.

use std::path::Path;

use super::error::AuditError;
use super::facts::{Facts, Forecast, Needs};
use crate::bench::{self, Trial};
use crate::config::Configuration;
use crate::data::batches::BatchPlan;
use crate::device::Device;
use crate::training::run::RunError;

/// Steps that are timed at most, and seconds after which no further one is begun.
const STEPS: u64 = 10;
const SECONDS: f64 = 20.0;

/// What a configuration asks of a dataset.
///
/// # Errors
/// If the device cannot be used.
pub(super) fn plan(config: &dyn Configuration, device: &Device) -> Result<BatchPlan, AuditError> {
    Ok(config.task(device).map_err(RunError::Task)?.batches())
}

/// Measures a few steps on synthetic music; nothing of the folder is needed for it.
///
/// # Errors
/// If the device cannot compute, or Ctrl-C was pressed.
pub(super) fn forecast(
    file: &Path,
    config: &dyn Configuration,
    device: &Device,
    facts: &Facts,
    needs: &Needs,
    stop: &dyn Fn() -> bool,
) -> Result<Forecast, AuditError> {
    let trial = Trial { warmup: 1, steps: STEPS, most_seconds: Some(SECONDS), stop };
    let speed = bench::measure(file, config, device, &trial)?.ok_or(AuditError::Cancelled)?;
    let frames: u64 = facts.recordings.iter().map(|r| r.frames).filter(|&f| f >= needs.chunk_frames as u64).sum();
    let per_step = (needs.batch * needs.chunk_frames) as f64;
    Ok(Forecast {
        device: speed.device,
        measured_steps: speed.steps,
        frames_per_second: speed.frames_per_second,
        seconds_per_step: speed.seconds_per_step,
        hours: needs.steps as f64 * speed.seconds_per_step / 3_600.0,
        peak_memory_bytes: speed.peak_memory_bytes,
        device_memory_bytes: speed.device_memory_bytes,
        epochs: if frames == 0 { 0.0 } else { needs.steps as f64 * per_step / frames as f64 },
    })
}
