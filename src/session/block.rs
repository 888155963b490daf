//! A placed take as it is shown.

use std::sync::Arc;

use super::overview::TakeOverview;
use crate::take::arrangement::Placement;
use crate::take::shelf::Kept;

/// A placed take in the arrangement, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Which take, where, and how.
    pub placement: Placement,
    /// What the take is called.
    pub title: String,
    /// Variations of the take.
    pub variations: usize,
    /// Length of its seed clip in seconds.
    pub seed_seconds: f64,
    /// Length of its continuation in seconds.
    pub continuation_seconds: f64,
    /// The song's tempo when it was made, in quarter notes per minute, if that is known.
    pub tempo: Option<f64>,
    /// Its only variation drawn small; `None` until it is unpacked.
    pub drawn: Option<Arc<TakeOverview>>,
    /// Whether its sound cannot be had: an error says why.
    pub silent: bool,
}

impl Block {
    pub(super) fn of(placement: &Placement, kept: &Kept, drawn: Option<Arc<TakeOverview>>, silent: bool) -> Self {
        let (packed, recipe) = (&kept.packed, &kept.packed.recipe);
        let seed = packed.seed.as_ref();
        Self {
            placement: placement.clone(),
            title: kept.label.title(),
            variations: packed.variations.len(),
            seed_seconds: seed.map_or(0.0, |sound| sound.frames as f64 / f64::from(sound.rate_hz.max(1))),
            continuation_seconds: recipe.frames as f64 / f64::from(recipe.model_rate_hz.max(1)),
            tempo: recipe.tempo,
            drawn,
            silent,
        }
    }

    /// Seconds of what is played of the take.
    pub fn seconds(&self, plays_seed: bool) -> f64 {
        self.continuation_seconds + if plays_seed { self.seed_seconds } else { 0.0 }
    }

    /// Quarter notes of one time through the take itself, at the song's `tempo` or, where it stays in bars, at its own.
    pub fn own_beats(&self, plays_seed: bool, in_bars: bool, tempo: f64) -> f64 {
        let tempo = self.tempo.filter(|_| in_bars).unwrap_or(tempo);
        self.seconds(plays_seed) / 60.0 * tempo
    }
}
