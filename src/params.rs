//! What a host sees: the parameters with stable ids, ranges, units and text in both directions.
//!
//! The ids are part of every saved session; they never change. Values that the host may automate and that a render takes
//! as its settings are read together by [`ContinuoParams::settings`], so that one render sees one consistent set.

mod codes;
mod keys;
mod ranges;
mod text;
mod timeline;
mod values;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use nice_plug::prelude::*;
use nice_plug_egui::EguiEditorState;

pub use codes::CodeParams;
pub use keys::KeyParams;
pub use ranges::{bounds, whole_bounds};
use text::{decimals, number};
pub use timeline::TimelineParams;

use crate::patch::Value;
use crate::session::PersistentSession;
pub use crate::settings::{AtEnd, LengthUnit, Meter, Mode, Playback, SeedSource, Settings, TempoMode};
use crate::settings::{Controls, Turned};
use crate::wildness::{self, MOST_TEMPERATURE};

/// Ticks per bar to which `start` is rounded: fine enough for triplets of sixty-fourths, coarse enough that the `f32` a
/// host hands over names bar 2 exactly.
const TICKS_PER_BAR: f64 = 960.0;

/// What suits the factory's model: without it, 8 takes of 30 s have 8 pops, single frames from far out in the tail of what is
/// drawn from; with it none. Found by `continuo-trainer defaults`, which has written it into the package.
const FACTORY_TOP_K: i32 = 64;

/// The size in which the editor's window first opens, in logical pixels.
pub const EDITOR_SIZE: (f32, f32) = (920.0, 600.0);

/// Everything a host can set, automate and save.
#[derive(Params)]
pub struct ContinuoParams {
    /// What a render starts from.
    #[id = "mode"]
    pub mode: EnumParam<Mode>,
    /// How much to generate, in `length_unit`.
    #[id = "length"]
    pub length: FloatParam,
    /// What `length` counts.
    #[id = "length_unit"]
    pub length_unit: EnumParam<LengthUnit>,
    /// How daring the model is, in percent: what temperature and top-k are turned down or up by; 50 leaves them.
    #[id = "wildness"]
    pub wildness: FloatParam,
    /// Sampling temperature; 0 always takes the likeliest value.
    #[id = "temperature"]
    pub temperature: FloatParam,
    /// Sample from the `top_k` likeliest values only; 0 is off.
    #[id = "top_k"]
    pub top_k: IntParam,
    /// Which of the kinds of recordings that the model knows it plays like, counted from 1; beyond the last it is the last.
    #[id = "class"]
    pub class: IntParam,
    /// The number that fixes the random choices of a render.
    #[id = "rng_seed"]
    pub rng_seed: IntParam,
    /// Whether the next render has the same `rng_seed` again; else the editor picks another one after each.
    #[id = "rng_lock"]
    pub rng_lock: BoolParam,
    /// How many variations one render makes.
    #[id = "takes"]
    pub variations: IntParam,
    /// Which of them plays.
    #[id = "take"]
    pub variation: IntParam,
    /// Output level, as a factor; shown in dB.
    #[id = "gain"]
    pub gain: FloatParam,
    /// What makes a take sound.
    #[id = "playback"]
    pub playback: EnumParam<Playback>,
    /// The bar at which the take is pinned; the song's first bar is 1.
    #[id = "start"]
    pub start: FloatParam,
    /// Whether the take begins with the seed clip; off, the continuation itself starts at the pin.
    #[id = "play_seed"]
    pub play_seed: BoolParam,
    /// Where the seed clip comes from.
    #[id = "seed_source"]
    pub seed_source: EnumParam<SeedSource>,
    /// While on, the sidechain input is recorded as the seed clip.
    #[id = "capture"]
    pub capture: BoolParam,
    /// Whether the capture takes one pass of the host's loop in place of all that comes while it is on.
    #[id = "capture_loop"]
    pub capture_loop: BoolParam,
    /// Off → on starts a render.
    #[id = "render"]
    pub render: BoolParam,
    /// Off → on cancels the render in progress.
    #[id = "cancel"]
    pub cancel: BoolParam,
    /// Counts changes of what is saved beside the parameters. The framework cannot tell a host that such data changed;
    /// an editor sets this hidden parameter to [`crate::session::Session::revision`], and the host marks its project.
    #[id = "revision"]
    pub revision: IntParam,

    /// How the take is played from keys.
    #[nested(group = "Keys")]
    pub keys: KeyParams,

    /// How the take goes with the song.
    #[nested(group = "Timeline")]
    pub timeline: TimelineParams,
    /// What the sound is made after.
    #[nested(group = "Codes")]
    pub codes: CodeParams,

    /// Model and seed file, and the take with its sound.
    #[persist = "session"]
    pub session: PersistentSession,
    /// The editor window's size and whether it is open.
    pub editor: Arc<EguiEditorState>,
}

impl Default for ContinuoParams {
    fn default() -> Self {
        Self {
            mode: EnumParam::new("Mode", Mode::Continue),
            length: FloatParam::new("Length", 8.0, FloatRange::Skewed { min: 0.5, max: 120.0, factor: 0.4 })
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 2)))
                .with_string_to_value(Arc::new(|text| number(text, &["seconds", "second", "bars", "bar", "s"]))),
            length_unit: EnumParam::new("Length unit", LengthUnit::Seconds),
            wildness: FloatParam::new("Wildness", 50.0, FloatRange::Linear { min: 0.0, max: 100.0 })
                .with_step_size(1.0)
                .with_unit(" %")
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 0)))
                .with_string_to_value(Arc::new(|text| number(text, &["%"]))),
            temperature: FloatParam::new("Temperature", 1.0, FloatRange::Linear { min: 0.0, max: MOST_TEMPERATURE })
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 3)))
                .with_string_to_value(Arc::new(|text| number(text, &[]))),
            top_k: IntParam::new("Top k", FACTORY_TOP_K, IntRange::Linear { min: 0, max: 256 })
                .with_value_to_string(Arc::new(|value| if value == 0 { "off".to_owned() } else { value.to_string() }))
                .with_string_to_value(Arc::new(|text| {
                    let text = text.trim();
                    if text.eq_ignore_ascii_case("off") { Some(0) } else { text.parse().ok() }
                })),
            class: IntParam::new("Class", 1, IntRange::Linear { min: 1, max: MAX_CLASSES }),
            // The host's normalised `f32` names each of these numbers exactly; it could not for all of `i32`.
            rng_seed: IntParam::new("RNG seed", 1, IntRange::Linear { min: 0, max: 999_999 }),
            rng_lock: BoolParam::new("Lock RNG seed", false),
            variations: IntParam::new("Variations", 1, IntRange::Linear { min: 1, max: MAX_VARIATIONS }),
            variation: IntParam::new("Variation", 1, IntRange::Linear { min: 1, max: MAX_VARIATIONS }),
            gain: FloatParam::new(
                "Gain",
                1.0,
                FloatRange::Skewed {
                    min: util::db_to_gain(-60.0),
                    max: util::db_to_gain(12.0),
                    factor: FloatRange::gain_skew_factor(-60.0, 12.0),
                },
            )
            .with_unit(" dB")
            .with_value_to_string(formatters::v2s_f32_gain_to_db(2))
            .with_string_to_value(formatters::s2v_f32_gain_to_db()),
            playback: EnumParam::new("Playback", Playback::Timeline),
            start: FloatParam::new("Start", 1.0, FloatRange::Linear { min: 1.0, max: 1000.0 })
                .with_unit(" bar")
                .with_value_to_string(Arc::new(|value| decimals(ticked(value), 3)))
                .with_string_to_value(Arc::new(|text| number(text, &["bars", "bar"]))),
            play_seed: BoolParam::new("Play seed", true),
            seed_source: EnumParam::new("Seed source", SeedSource::Clip),
            capture: BoolParam::new("Capture", false),
            capture_loop: BoolParam::new("Capture the loop", false),
            render: BoolParam::new("Render", false),
            cancel: BoolParam::new("Cancel", false),
            revision: IntParam::new("Revision", 0, IntRange::Linear { min: 0, max: MAX_REVISION })
                .non_automatable()
                .hide()
                .hide_in_generic_ui(),
            keys: KeyParams::default(),
            timeline: TimelineParams::default(),
            codes: CodeParams::default(),
            session: PersistentSession::default(),
            editor: EguiEditorState::from_size(
                nice_plug_egui::baseview::dpi::Size::Logical(nice_plug_egui::baseview::dpi::LogicalSize::new(
                    EDITOR_SIZE.0.into(),
                    EDITOR_SIZE.1.into(),
                )),
                1.0,
            ),
        }
    }
}

/// Most kinds of recordings that a model can know: as many as a package may name.
pub const MAX_CLASSES: i32 = 256;
/// Most variations that one render makes.
pub const MAX_VARIATIONS: i32 = 16;
/// The hidden `revision` wraps after this.
pub const MAX_REVISION: i32 = 65_535;

impl Controls for ContinuoParams {
    fn settings(&self, meter: Meter) -> Settings {
        self.settings(meter)
    }

    fn switches(&self) -> [bool; 2] {
        [self.render.value(), self.cancel.value()]
    }

    fn variation(&self) -> usize {
        (self.variation.value().clamp(1, MAX_VARIATIONS) - 1).unsigned_abs() as usize
    }

    fn pin_bars(&self) -> f64 {
        self.pin_bars()
    }

    fn plays_seed(&self) -> bool {
        self.play_seed.value()
    }

    fn stays_in_bars(&self) -> bool {
        self.timeline.tempo.value() == TempoMode::StayInBars
    }

    fn level_match(&self) -> bool {
        self.timeline.level_match.value()
    }

    fn values(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (_, parameter, _) in self.param_map() {
            // SAFETY: the parameter is one of `self`'s, which is there for as long as this runs.
            let value = unsafe { parameter.unmodulated_normalized_value() };
            hasher.write_u32(value.to_bits());
        }
        hasher.finish()
    }

    fn patch_values(&self) -> BTreeMap<String, Value> {
        self.patch_values()
    }

    fn turns_to(&self, values: &BTreeMap<String, Value>) -> Vec<Turned> {
        self.turns_to(values)
    }
}

impl ContinuoParams {
    /// The settings for a render that starts now; `meter` turns bars into seconds.
    pub fn settings(&self, meter: Meter) -> Settings {
        let length = f64::from(self.length.value());
        let seconds = match self.length_unit.value() {
            LengthUnit::Seconds => length,
            LengthUnit::Bars => length * meter.beats_per_bar * 60.0 / meter.tempo,
        };
        let wildness = self.wildness.value() / 100.0;
        let (temperature, top_k) =
            wildness::settings(wildness, self.temperature.value(), self.top_k.value().unsigned_abs());
        let (code_temperature, code_top_k) = self.codes.settings(wildness);
        Settings {
            mode: self.mode.value(),
            seconds,
            temperature,
            top_k,
            code_temperature,
            code_top_k,
            class: (self.class.value().clamp(1, MAX_CLASSES) - 1).unsigned_abs(),
            rng_seed: u64::from(self.rng_seed.value().unsigned_abs()),
            variations: self.variations.value().clamp(1, MAX_VARIATIONS).unsigned_abs(),
            seed_source: self.seed_source.value(),
            tempo: meter.tempo,
        }
    }

    /// Turns the parameter of this id through the host, as one gesture, to a normalised value. A host that runs no blocks may never bring it
    /// back, so that it is set here as well.
    pub fn turn(&self, host: &ParamSetter<'_>, id: &str, normalized: f32) {
        let Some((_, parameter, _)) = self.param_map().into_iter().find(|(known, ..)| known == id) else { return };
        // SAFETY: the parameter is one of `self`'s, which is there for as long as this runs.
        unsafe {
            host.raw_context.raw_begin_set_parameter(parameter);
            host.raw_context.raw_set_parameter_normalized(parameter, normalized);
            host.raw_context.raw_end_set_parameter(parameter);
            if self.session.link.at_rest() {
                parameter._internal_set_normalized_value(normalized);
            }
        }
    }

    /// Bars from the song's start to the pin: bar 1 is 0.0.
    pub fn pin_bars(&self) -> f64 {
        ticked(self.start.value()) - 1.0
    }
}

/// Gives a parameter a normalised value past the host, which has been told.
pub fn place<P: Param>(parameter: &P, normalized: f32) {
    // SAFETY: the pointer is `parameter`'s, which is there; a value is one atomic number.
    unsafe { parameter.as_ptr()._internal_set_normalized_value(normalized) };
}

/// A bar number rounded to ticks.
fn ticked(bar: f32) -> f64 {
    (f64::from(bar) * TICKS_PER_BAR).round() / TICKS_PER_BAR
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ids_are_the_published_ones() {
        let params = ContinuoParams::default();
        let ids: Vec<String> = params.param_map().into_iter().map(|(id, _, _)| id).collect();
        assert_eq!(
            ids,
            [
                "mode",
                "length",
                "length_unit",
                "wildness",
                "temperature",
                "top_k",
                "class",
                "rng_seed",
                "rng_lock",
                "takes",
                "take",
                "gain",
                "playback",
                "start",
                "play_seed",
                "seed_source",
                "capture",
                "capture_loop",
                "render",
                "cancel",
                "revision",
                "key_tracking",
                "root_key",
                "bend_range",
                "attack",
                "decay",
                "sustain",
                "release",
                "velocity_curve",
                "start_offset",
                "voices",
                "mono",
                "controllers",
                "key_limiter",
                "level_match",
                "at_end",
                "end_fade",
                "loop_crossfade",
                "loop_bars",
                "tempo_mode",
                "arrangement",
                "arrangement_crossfade",
                "code_temperature",
                "code_top_k"
            ]
        );
    }

    #[test]
    fn the_settings_to_begin_with_are_those_of_the_factorys_model() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/presets/models/piano-16k.continuo");
        let defaults = continuo_package::Package::read_manifest(path.as_ref()).unwrap().defaults;
        let params = ContinuoParams::default();
        assert_eq!(defaults.temperature, Some(params.temperature.value()));
        assert_eq!(defaults.top_k.map(i64::from), Some(i64::from(params.top_k.value())));
    }

    #[test]
    fn a_bar_number_survives_the_hosts_normalised_float() {
        let params = ContinuoParams::default();
        for bar in 1..=1000 {
            let normalised = params.start.preview_normalized(bar as f32);
            assert_eq!(ticked(params.start.preview_plain(normalised)), f64::from(bar));
        }
    }

    #[test]
    fn every_rng_seed_survives_the_hosts_normalised_float() {
        let params = ContinuoParams::default();
        for rng_seed in (0..=999_999).step_by(7) {
            assert_eq!(params.rng_seed.preview_plain(params.rng_seed.preview_normalized(rng_seed)), rng_seed);
        }
    }

    #[test]
    fn text_goes_both_ways() {
        let params = ContinuoParams::default();
        let map = params.param_map();
        for (id, pointer, _) in &map {
            for step in 0..=20_u16 {
                let normalised = f32::from(step) / 20.0;
                // SAFETY: the parameters live in `params`, which outlives the loop.
                let (text, parsed) = unsafe {
                    let text = pointer.normalized_value_to_string(normalised, true);
                    let parsed = pointer.string_to_normalized_value(&text);
                    (text, parsed)
                };
                let Some(parsed) = parsed else { panic!("{id}: {text:?} does not parse") };
                // SAFETY: as above.
                let again = unsafe { pointer.normalized_value_to_string(parsed, true) };
                assert_eq!(text, again, "{id}");
            }
        }
        assert_eq!(number("8 bars", &["bars", "bar"]), Some(8.0));
        assert_eq!(number("bar 2", &["bars", "bar"]), Some(2.0));
        assert_eq!(number("eight", &[]), None);
        assert_eq!(number("inf", &[]), None);
    }

    #[test]
    fn bars_become_seconds_at_the_hosts_meter() {
        let params = ContinuoParams::default();
        let settings = params.settings(Meter::default());
        assert!((settings.seconds - 8.0).abs() < 1e-4);
    }
}
