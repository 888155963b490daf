//! The figures of a sound that are held beside those of the recordings.

use serde::Serialize;

use super::noise_floor::noise_floor_db;
use super::onsets::onsets;
use super::sound::listen;
use crate::export::defaults::count_pops;

/// What a sound is like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SoundFigures {
    /// Root mean square in dB under full scale.
    pub level_db: f64,
    /// Centre of the spectrum in Hz, weighted by power.
    pub centroid_hz: f64,
    /// Notes that begin, per second: see [`super::onsets`].
    pub onsets_per_second: f64,
    /// Level between the partials from 1 to 8 kHz in dB: see [`super::noise_floor`]; `None` in silence.
    pub noise_floor_db: Option<f64>,
    /// Geometric over arithmetic mean of the power; near 0 for tones, 0.56 for white noise.
    pub flatness: f64,
    /// Single frames that stand out of their surroundings, per minute.
    pub pops_per_minute: f64,
}

impl SoundFigures {
    /// Of a sound of one channel.
    pub fn of(sound: &[f32], rate_hz: u32) -> Self {
        let heard = listen(sound, rate_hz);
        let seconds = (sound.len() as f64 / f64::from(rate_hz)).max(f64::MIN_POSITIVE);
        Self {
            level_db: heard.level_db,
            centroid_hz: heard.centroid_hz,
            onsets_per_second: onsets(sound, rate_hz).len() as f64 / seconds,
            noise_floor_db: noise_floor_db(sound, rate_hz),
            flatness: heard.flatness,
            pops_per_minute: 60.0 * count_pops(sound) as f64 / seconds,
        }
    }
}
