//! An arrangement at the host's rate: what `process()` plays of it.

use std::sync::Arc;

use super::arrangement::Repeat;
use super::play::PlayTake;

/// A take at its place in the song.
#[derive(Debug)]
pub struct PlayPlacement {
    /// Its only variation, whole; `None` where its sound cannot be had: it is silent.
    pub take: Option<Arc<PlayTake>>,
    /// Quarter notes from the song's start to its first frame.
    pub begin: f64,
    /// Bars of one time through it; `None`: as long as the take is.
    pub bars: Option<u32>,
    /// How often it is played.
    pub repeat: Repeat,
    /// Its level, a factor.
    pub gain: f32,
}

/// All of them in the order of their begins, at most [`continuo_realtime::PLACEMENTS`].
#[derive(Debug, Default)]
pub struct PlayArrangement {
    /// The placements.
    pub placements: Vec<PlayPlacement>,
}

impl PlayArrangement {
    /// Whether all that sounds is at this rate.
    pub fn is_at(&self, rate_hz: u32) -> bool {
        self.placements.iter().filter_map(|placement| placement.take.as_ref()).all(|take| take.rate_hz == rate_hz)
    }
}
