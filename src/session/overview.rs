//! Drawing a take small, also while it grows.

use continuo_engine::audio::Clip;

use super::collapse::{Collapse, collapse};
use crate::take::level::Matcher;
use crate::take::{Recipe, Take};

/// Columns of an overview.
pub const COLUMNS: usize = 1024;

/// Lowest and highest value of one column of the overview.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Peak {
    /// Lowest value.
    pub min: f32,
    /// Highest value.
    pub max: f32,
}

/// A take drawn small: seed clip, seam, continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeOverview {
    /// Length of the seed clip in seconds; 0 for an unconditional take.
    pub seed_seconds: f64,
    /// Length of the whole continuation in seconds.
    pub continuation_seconds: f64,
    /// Length of the continuation that is ready in every variation that has been begun, in seconds.
    pub ready_seconds: f64,
    /// Where the seam lies, as a part (0..=1) of seed clip and continuation together.
    pub seam: f32,
    /// Columns over seed clip and continuation together.
    pub columns: usize,
    /// Per variation the columns that are ready, from the seed clip's first on; at most `columns`.
    pub peaks: Vec<Vec<Peak>>,
    /// Where each variation stops being music, if it does; empty while it grows.
    pub collapses: Vec<Option<Collapse>>,
    /// By how many dB each variation is turned up to be as loud as the seed clip; empty without one, `None` until it is known.
    pub levels: Vec<Option<f32>>,
    /// The song's tempo when it was made, in quarter notes per minute, if that is known.
    pub tempo: Option<f64>,
    /// What made it, for people: model, seed clip, sampling.
    pub recipe: String,
}

/// Collects the columns of a take; each frame is looked at once.
#[derive(Debug, Clone)]
pub(crate) struct OverviewBuilder {
    overview: TakeOverview,
    model_rate_hz: f64,
    /// Frames of a whole continuation.
    whole: u64,
    /// Continuation frames that are in the columns, per variation.
    counted: Vec<usize>,
    matcher: Matcher,
}

impl OverviewBuilder {
    pub(crate) fn new(recipe: &Recipe, seed: Option<&Clip>) -> Self {
        let model_rate_hz = f64::from(recipe.model_rate_hz.max(1));
        let seed_seconds = seed.map_or(0.0, Clip::seconds);
        let continuation_seconds = recipe.frames as f64 / model_rate_hz;
        let total = seed_seconds + continuation_seconds;
        let mut seed_columns = Vec::new();
        if let Some(clip) = seed {
            let rate = f64::from(clip.sample_rate_hz);
            for (frame, value) in clip.mono().into_iter().enumerate() {
                add(&mut seed_columns, column(frame as f64 / rate, total), value);
            }
        }
        Self {
            overview: TakeOverview {
                seed_seconds,
                continuation_seconds,
                ready_seconds: 0.0,
                seam: if total > 0.0 { (seed_seconds / total) as f32 } else { 0.0 },
                columns: COLUMNS,
                peaks: vec![seed_columns; recipe.variations as usize],
                collapses: Vec::new(),
                levels: if seed.is_some() { vec![None; recipe.variations as usize] } else { Vec::new() },
                tempo: recipe.tempo,
                recipe: recipe.describe(),
            },
            model_rate_hz,
            whole: recipe.frames,
            counted: vec![0; recipe.variations as usize],
            matcher: Matcher::new(seed, recipe.model_rate_hz.max(1)),
        }
    }

    /// Takes in what is new in `variations` (all frames so far, `[C][T]` each) and gives the overview as it stands.
    pub(crate) fn update<V: AsRef<[Vec<f32>]>>(&mut self, variations: &[V]) -> TakeOverview {
        let total = self.overview.seed_seconds + self.overview.continuation_seconds;
        for ((columns, counted), channels) in self.overview.peaks.iter_mut().zip(&mut self.counted).zip(variations) {
            let channels = channels.as_ref();
            let frames = channels.iter().map(Vec::len).min().unwrap_or(0);
            for frame in *counted..frames {
                let column = column(self.overview.seed_seconds + frame as f64 / self.model_rate_hz, total);
                for channel in channels {
                    add(columns, column, channel[frame]);
                }
            }
            *counted = frames;
        }
        // Variations may be made one after the other.
        let ready = self.counted.iter().copied().filter(|frames| *frames > 0).min().unwrap_or(0);
        for ((level, channels), counted) in self.overview.levels.iter_mut().zip(variations).zip(&self.counted) {
            let enough = *counted >= self.matcher.frames() || *counted as u64 >= self.whole;
            if level.is_none() && enough {
                *level = Some(self.matcher.decibels(channels.as_ref()));
            }
        }
        self.overview.ready_seconds = ready as f64 / self.model_rate_hz;
        self.overview.clone()
    }

    pub(crate) fn of(take: &Take) -> TakeOverview {
        let variations: Vec<&[Vec<f32>]> = take.variations.iter().map(|clip| clip.channels.as_slice()).collect();
        let seed = take.seed.as_deref();
        let collapses = take.variations.iter().map(|clip| collapse(clip, seed)).collect();
        TakeOverview { collapses, ..Self::new(&take.recipe, seed).update(&variations) }
    }
}

fn column(seconds: f64, total: f64) -> usize {
    ((seconds / total * COLUMNS as f64) as usize).min(COLUMNS - 1)
}

fn add(columns: &mut Vec<Peak>, index: usize, value: f32) {
    // Short takes have fewer frames than columns: a column without a frame of its own repeats the one before it.
    let mut last = columns.last().copied().unwrap_or(Peak { min: value, max: value });
    if index < columns.len() {
        last.min = last.min.min(value);
        last.max = last.max.max(value);
        if let Some(column) = columns.last_mut() {
            *column = last;
        }
    } else {
        columns.resize(index, last);
        columns.push(Peak { min: value, max: value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::tests::take;

    #[test]
    fn growing_and_whole_overviews_agree_and_the_seam_is_where_the_seed_ends() {
        let take = take();
        let whole = OverviewBuilder::of(&take);
        let mut builder = OverviewBuilder::new(&take.recipe, take.seed.as_deref());
        for end in [1, 100, 1_500] {
            let part: Vec<[Vec<f32>; 1]> =
                take.variations.iter().map(|clip| [clip.channels[0][..end].to_vec()]).collect();
            let overview = builder.update(&part);
            assert!(overview.peaks[0].len() < COLUMNS);
            assert!((overview.ready_seconds - end as f64 / 16_000.0).abs() < 1e-9);
        }
        let all: Vec<&[Vec<f32>]> = take.variations.iter().map(|clip| clip.channels.as_slice()).collect();
        assert_eq!(TakeOverview { collapses: vec![None, None], ..builder.update(&all) }, whole);
        assert_eq!(whole.peaks[1].len(), COLUMNS);
        let seed_seconds = 2_000.0 / 44_100.0;
        assert!((f64::from(whole.seam) - seed_seconds / (seed_seconds + 0.125)).abs() < 1e-6);
        let highest = whole.peaks[0].iter().fold(0.0_f32, |high, peak| high.max(peak.max));
        assert!(highest > 0.9 && highest <= 1.0);
    }
}
