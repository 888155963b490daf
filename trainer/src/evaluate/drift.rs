//! Whether a long continuation stays what it was: figures of each ten seconds, and where they are going.

use serde::Serialize;

use super::figures::SoundFigures;
use super::statistics::{Mean, slope};

/// Seconds of a stretch.
pub const STRETCH_SECONDS: f64 = 10.0;

/// Figures of a sound stretch by stretch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Seconds of a stretch.
    pub stretch_seconds: f64,
    /// Takes, each with the figures of its stretches.
    pub takes: Vec<Vec<SoundFigures>>,
    /// Change per minute, the mean over takes; `None` of less than two stretches.
    pub per_minute: Option<Slopes>,
}

/// Change of each figure per minute, by the straight line through the stretches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slopes {
    /// dB per minute.
    pub level_db: Mean,
    /// Hz per minute.
    pub centroid_hz: Mean,
    /// Notes that begin per second, per minute.
    pub onsets_per_second: Mean,
    /// dB per minute; of the takes in which no stretch is silent.
    pub noise_floor_db: Option<Mean>,
}

/// Of these takes. What is left behind a take's last whole stretch is not listened to.
pub fn of(takes: &[&[f32]], rate_hz: u32) -> Drift {
    let stretch = (STRETCH_SECONDS * f64::from(rate_hz)) as usize;
    let takes: Vec<Vec<SoundFigures>> = takes
        .iter()
        .map(|take| take.chunks_exact(stretch.max(1)).map(|sound| SoundFigures::of(sound, rate_hz)).collect())
        .collect();
    Drift { stretch_seconds: STRETCH_SECONDS, per_minute: slopes(&takes), takes }
}

fn slopes(takes: &[Vec<SoundFigures>]) -> Option<Slopes> {
    let mean = |figure: fn(&SoundFigures) -> Option<f64>| {
        let slopes: Vec<f64> = takes
            .iter()
            .filter_map(|take| slope(&take.iter().map(figure).collect::<Option<Vec<_>>>()?))
            .map(|per_stretch| per_stretch * 60.0 / STRETCH_SECONDS)
            .collect();
        Mean::of(&slopes)
    };
    Some(Slopes {
        level_db: mean(|figures| Some(figures.level_db))?,
        centroid_hz: mean(|figures| Some(figures.centroid_hz))?,
        onsets_per_second: mean(|figures| Some(figures.onsets_per_second))?,
        noise_floor_db: mean(|figures| figures.noise_floor_db),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_sound_that_dies_away_falls_and_a_held_one_does_not() {
        let rate = 4_000;
        let sound = |per_minute: f64| -> Vec<f32> {
            let level = |t: f64| 0.3 * 10_f64.powf(per_minute * t / 60.0 / 20.0);
            (0..35 * rate)
                .map(|t| f64::from(t) / f64::from(rate))
                .map(|t| (level(t) * (1_000.0 * t).sin()) as f32)
                .collect()
        };
        let (falling, held) = (sound(-30.0), sound(0.0));
        let found = of(&[&falling, &falling], rate);
        assert_eq!((found.takes.len(), found.takes[0].len()), (2, 3));
        let slopes = found.per_minute.unwrap();
        assert!((slopes.level_db.mean + 30.0).abs() < 0.1, "{slopes:?}");
        assert!(of(&[&held], rate).per_minute.unwrap().level_db.mean.abs() < 0.01);
        assert_eq!(of(&[&held[..50_000]], rate).per_minute, None);
    }
}
