//! A take in the making: what it is made of, how far it is, and which variations are made next.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use continuo_engine::audio::Clip;
use continuo_engine::{Precision, Sampling};

use super::models::LoadedModel;
use crate::session::Status;
use crate::session::overview::OverviewBuilder;
use crate::take::Recipe;

/// What a request is made of, found and read.
pub(super) struct Material {
    pub(super) loaded: LoadedModel,
    pub(super) seed: Option<Arc<Clip>>,
    pub(super) recipe: Recipe,
    pub(super) sampling: Sampling,
    pub(super) class: u32,
    pub(super) precision: Precision,
}

/// A take that has been begun. Between two passes it waits in the queue.
pub(super) struct Making {
    pub(super) material: Material,
    pub(super) progress: Progress,
    /// Variations that are whole.
    pub(super) made: u32,
    /// How unlikely they are, in bits per frame.
    pub(super) bits: Vec<f32>,
    /// How long it was worked on.
    pub(super) worked: Duration,
}

impl Making {
    /// The variations of the next pass. All of them together are the least work, but when others wait for their first one, so do all but
    /// the first of these: a variation depends on its number alone, not on what it is made with.
    pub(super) fn next_pass(&self, others_wait: bool) -> Range<u32> {
        let all = self.material.recipe.variations;
        if self.made == 0 && others_wait { 0..all.min(1) } else { self.made..all }
    }

    /// Whether nothing is left to make.
    pub(super) fn is_whole(&self) -> bool {
        self.made >= self.material.recipe.variations
    }
}

/// How far a render is and how long it will still take.
pub(super) struct Progress {
    pub(super) overview: OverviewBuilder,
    frames: u64,
    rate_hz: f64,
    forecast: Duration,
    started: Instant,
    /// When the first frames were there, and how many.
    first: Option<(Instant, u64)>,
    pub(super) told: Instant,
}

impl Progress {
    pub(super) fn new(recipe: &Recipe, seed: Option<&Clip>, forecast: Duration) -> Self {
        Self {
            overview: OverviewBuilder::new(recipe, seed),
            frames: recipe.frames,
            rate_hz: f64::from(recipe.model_rate_hz),
            forecast,
            started: Instant::now(),
            first: None,
            told: Instant::now(),
        }
    }

    /// The take is worked on again, which will take so long.
    pub(super) fn resume(&mut self, forecast: Duration) {
        (self.forecast, self.started, self.first) = (forecast, Instant::now(), None);
    }

    /// The status at `ready` frames. Until some have come the forecast speaks, then what was measured since the first.
    pub(super) fn status(&mut self, ready: u64) -> Status {
        let since = match self.first {
            None if ready > 0 => {
                self.first = Some((Instant::now(), ready));
                None
            }
            None => None,
            Some((first, frames)) => Some((first.elapsed().as_secs_f64(), ready.saturating_sub(frames))),
        };
        let left = self.frames.saturating_sub(ready) as f64;
        let (seconds_left, speed) = match since {
            Some((seconds, frames)) if frames > 0 && seconds > 0.0 => {
                let per_frame = seconds / frames as f64;
                (left * per_frame, 1.0 / (per_frame * self.rate_hz))
            }
            _ => {
                let whole = self.forecast.as_secs_f64();
                let seconds = self.frames as f64 / self.rate_hz;
                ((whole - self.started.elapsed().as_secs_f64()).max(0.0), seconds / whole.max(1e-9))
            }
        };
        Status::Rendering {
            progress: (ready as f64 / self.frames.max(1) as f64) as f32,
            seconds_left: Some(seconds_left as f32),
            speed: speed as f32,
        }
    }
}
