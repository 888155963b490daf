//! How likely a model holds held-out audio to be: the same frames for all models of one rate.

use std::f64::consts::LN_2;

use continuo_engine::{EngineError, Model, Precision};
use continuo_package::Signal;
use serde::Serialize;

use super::error::EvaluateError;
use super::measured::Measured;
use super::reference::{Audio, Place};
use super::statistics::Mean;

/// Chunks that are computed together.
pub const TOGETHER: usize = 4;

/// Negative log-likelihood of held-out frames.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likelihood {
    /// The quantiser and its levels: figures of different ones are not to be compared.
    pub quantiser: String,
    /// Nats per frame of a model that holds all codes to be equally likely.
    pub uniform_nats: f64,
    /// Nats per frame; the error is over groups of four chunks.
    pub nats: Mean,
    /// Bits per frame.
    pub bits: Mean,
    /// Chunks.
    pub chunks: usize,
    /// Frames of each that count.
    pub frames_per_chunk: usize,
    /// Frames before them that the model hears.
    pub context_frames: usize,
}

/// Why a model has no likelihood of frames, as a sentence part; `None` if it has one.
pub fn not_applicable(model: &Model) -> Option<&'static str> {
    let manifest = model.manifest();
    if manifest.signal.levels().is_none() {
        return Some("the model makes real values, not codes, and says no probability");
    }
    if manifest.channels != 1 {
        return Some("the model has more than one channel");
    }
    match manifest.reach {
        continuo_package::Reach::None { .. } => {
            Some("the model makes all frames at once and says no probability of each")
        }
        _ => None,
    }
}

/// Frames before a chunk that a model hears: what it can hear at all, or this many where it hears everything.
pub fn context(model: &Model, unbounded: usize) -> usize {
    model.manifest().reach.frames().map_or(unbounded, |frames| frames as usize)
}

/// The mean over some chunks, in nats per frame; the reason where the model gives none.
///
/// # Errors
/// If the model or the audio fails.
pub fn nats(
    model: &Model,
    precision: Precision,
    audio: Audio<'_>,
    chunks: &[Place],
    (context, frames): (usize, usize),
) -> Result<Result<f64, String>, EvaluateError> {
    let signal: Signal = model.manifest().signal;
    let sequences = chunks.iter().map(|&place| {
        let sound = audio.around(place, context, frames)?;
        Ok(sound.into_iter().map(|amplitude| signal.encode(amplitude)).collect())
    });
    let sequences = sequences.collect::<Result<Vec<Vec<u32>>, EvaluateError>>()?;
    match model.nll_nats(precision, &sequences) {
        Ok(nats) => Ok(Ok(nats)),
        // A family that gives no likelihood says so.
        Err(error @ EngineError::Request { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Puts the groups together. All but the last have as many chunks.
pub fn together(
    groups: Vec<(usize, Result<f64, String>)>,
    model: &Model,
    (context_frames, frames_per_chunk): (usize, usize),
) -> Measured<Likelihood> {
    let mut means = Vec::new();
    let (mut sum, mut chunks) = (0.0, 0);
    for (count, nats) in groups {
        match nats {
            Ok(nats) => {
                sum += nats * count as f64;
                chunks += count;
                means.push(nats);
            }
            Err(reason) => return Measured::not_applicable(reason),
        }
    }
    let Some(spread) = Mean::of(&means) else { return Measured::not_applicable("there are no held-out chunks") };
    let nats = Mean { mean: sum / chunks as f64, ..spread };
    let bits = Mean { mean: nats.mean / LN_2, standard_error: nats.standard_error.map(|error| error / LN_2), ..nats };
    let signal = model.manifest().signal;
    Measured::Value(Likelihood {
        quantiser: signal.to_string(),
        uniform_nats: signal.levels().map_or(f64::NAN, f64::from).ln(),
        nats,
        bits,
        chunks,
        frames_per_chunk,
        context_frames,
    })
}
