//! How the take goes with its seed clip and with the song.
//!
//! As with keys, a state that was saved before one of these was there opens with a value under which it sounds as it did:
//! `plugin/state/parameters.rs`.

use std::sync::Arc;

use nice_plug::prelude::*;

use super::text::{decimals, in_milliseconds, number};
use crate::settings::{AtEnd, TempoMode};

/// What decides how the take sounds where it meets its seed clip and the song.
#[derive(Params)]
pub struct TimelineParams {
    /// Whether the continuation is brought to the seed clip's level at the seam, wherever it is heard.
    #[id = "level_match"]
    pub level_match: BoolParam,
    /// What the pinned take does at its end.
    #[id = "at_end"]
    pub at_end: EnumParam<AtEnd>,
    /// Seconds of the take over which it fades out, where it does.
    #[id = "end_fade"]
    pub end_fade: FloatParam,
    /// Milliseconds over which a loop's end and its next beginning sound together.
    #[id = "loop_crossfade"]
    pub loop_crossfade: FloatParam,
    /// Whether a loop begins at bars, whole bars apart.
    #[id = "loop_bars"]
    pub loop_bars: BoolParam,
    /// How the pinned take goes with the song's tempo.
    #[id = "tempo_mode"]
    pub tempo: EnumParam<TempoMode>,
    /// Whether the takes that are placed in the song play, in place of the pinned one.
    #[id = "arrangement"]
    pub arrangement: BoolParam,
    /// Milliseconds in which one of them goes over to the next.
    #[id = "arrangement_crossfade"]
    pub arrangement_crossfade: FloatParam,
}

impl Default for TimelineParams {
    fn default() -> Self {
        Self {
            level_match: BoolParam::new("Level match", true),
            at_end: EnumParam::new("At end", AtEnd::Stop),
            end_fade: FloatParam::new("End fade", 2.0, FloatRange::Skewed { min: 0.05, max: 60.0, factor: 0.4 })
                .with_unit(" s")
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 2)))
                .with_string_to_value(Arc::new(|text| number(text, &["seconds", "second", "s"]))),
            loop_crossfade: FloatParam::new(
                "Loop crossfade",
                20.0,
                FloatRange::Skewed { min: 5.0, max: 5_000.0, factor: 0.3 },
            )
            .with_unit(" ms")
            .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 1)))
            .with_string_to_value(Arc::new(in_milliseconds)),
            loop_bars: BoolParam::new("Loop whole bars", true),
            tempo: EnumParam::new("Tempo", TempoMode::KeepLength),
            arrangement: BoolParam::new("Arrangement", false),
            arrangement_crossfade: FloatParam::new(
                "Arrangement crossfade",
                50.0,
                FloatRange::Skewed { min: 5.0, max: 5_000.0, factor: 0.3 },
            )
            .with_unit(" ms")
            .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 1)))
            .with_string_to_value(Arc::new(in_milliseconds)),
        }
    }
}
