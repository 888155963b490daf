//! What a render is made with, and what a session may ask of its instance's parameters.
//!
//! A session and the renderer know these types and the trait [`Controls`], never the parameters themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use nice_plug::prelude::Enum;

use crate::patch::Value;

/// What a render starts from.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Go on from the seed clip's last frame.
    #[id = "continue"]
    #[name = "Continue"]
    Continue,
    /// A phrase out of nothing.
    #[id = "unconditional"]
    #[name = "From silence"]
    Unconditional,
}

/// What `length` counts.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LengthUnit {
    /// Seconds.
    #[id = "seconds"]
    #[name = "Seconds"]
    Seconds,
    /// Bars, at the tempo and the time signature the host reports when the render starts.
    #[id = "bars"]
    #[name = "Bars"]
    Bars,
}

/// What makes a take sound.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Playback {
    /// The take is pinned to a bar and follows the host's position.
    #[id = "timeline"]
    #[name = "Timeline"]
    Timeline,
    /// Each note plays the take from its start.
    #[id = "midi"]
    #[name = "MIDI"]
    Midi,
}

/// Where the seed clip comes from.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeedSource {
    /// The chosen file.
    #[id = "clip"]
    #[name = "Clip"]
    Clip,
    /// What was captured from the sidechain input.
    #[id = "sidechain"]
    #[name = "Sidechain"]
    Sidechain,
}

/// What a pinned take does at its end.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtEnd {
    /// It stops.
    #[id = "stop"]
    #[name = "Stop"]
    Stop,
    /// It fades out.
    #[id = "fade"]
    #[name = "Fade out"]
    Fade,
    /// It begins anew.
    #[id = "loop"]
    #[name = "Loop all"]
    Loop,
    /// It goes on from the seam.
    #[id = "loop_continuation"]
    #[name = "Loop from seam"]
    LoopFromSeam,
}

/// How a pinned take goes with the song's tempo.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TempoMode {
    /// It plays as it was made, whatever the tempo.
    #[id = "length"]
    #[name = "Keep length"]
    KeepLength,
    /// It plays faster or slower than it was made, as the tempo is.
    #[id = "bars"]
    #[name = "Stay in bars"]
    StayInBars,
}

/// The parameters that decide what a render does, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// What to start from.
    pub mode: Mode,
    /// Length in seconds, bars already converted.
    pub seconds: f64,
    /// Sampling temperature.
    pub temperature: f32,
    /// Likeliest values to sample from; 0 = all.
    pub top_k: u32,
    /// Sampling temperature of the codes that a sound is made after, where the model has such.
    pub code_temperature: f32,
    /// Likeliest codes to sample from; 0 = all.
    pub code_top_k: u32,
    /// Which of the model's kinds of recordings it plays like, counted from 0.
    pub class: u32,
    /// Number that fixes the random choices.
    pub rng_seed: u64,
    /// Variations to make.
    pub variations: u32,
    /// Where the seed clip comes from.
    pub seed_source: SeedSource,
    /// Quarter notes per minute at that moment.
    pub tempo: f64,
}

/// Tempo and time signature as the host last reported them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meter {
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Quarter notes per bar.
    pub beats_per_bar: f64,
}

impl Default for Meter {
    fn default() -> Self {
        Self { tempo: 120.0, beats_per_bar: 4.0 }
    }
}

/// A parameter that is turned, with its normalised values before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Turned {
    /// The parameter's id.
    pub id: Arc<str>,
    /// Before.
    pub before: f32,
    /// After.
    pub after: f32,
}

/// What a session reads of its instance's parameters.
pub trait Controls: Send + Sync {
    /// The settings for a render that starts now; `meter` turns bars into seconds.
    fn settings(&self, meter: Meter) -> Settings;

    /// Whether `render` and `cancel` are on.
    fn switches(&self) -> [bool; 2];

    /// Which variation plays; the first is 0.
    fn variation(&self) -> usize;

    /// Bars from the song's start to where the take is pinned.
    fn pin_bars(&self) -> f64;

    /// Whether takes begin with their seed clips.
    fn plays_seed(&self) -> bool;

    /// Whether takes stay in bars whatever the tempo.
    fn stays_in_bars(&self) -> bool;

    /// Whether a continuation is brought to its seed clip's level wherever it is heard.
    fn level_match(&self) -> bool;

    /// The values of all parameters as one number, to see whether one was turned.
    fn values(&self) -> u64;

    /// The values that a patch of the present settings holds.
    fn patch_values(&self) -> BTreeMap<String, Value>;

    /// What has to be turned so that everything is as in a patch with these values.
    fn turns_to(&self, values: &BTreeMap<String, Value>) -> Vec<Turned>;
}
