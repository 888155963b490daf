//! The recipe of a take: everything that decided what it sounds like.

use std::fmt::Write as _;

use continuo_engine::Signal;
use serde::Serialize;

use crate::json::Object;

/// Version of the saved form. In the first, which named none, settings stood among the other keys.
const VERSION: u32 = 2;

/// Settings of the first form.
const SETTINGS_OF_VERSION_1: [&str; 3] = ["temperature", "top_k", "precision"];

/// Everything that decided what a take sounds like.
///
/// Each model fills in the settings that meant something to it. Which there are is for people to read: a take plays
/// without any of them being understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recipe {
    /// The model's name as its manifest gives it.
    pub model_name: String,
    /// The model package's file name.
    pub model_file: String,
    /// SHA-256 of the model package, hexadecimal.
    pub model_sha256: String,
    /// The model's licence as its manifest gives it; empty for takes of before this was kept.
    pub model_licence: String,
    /// The model's rate in Hz; the rate of the continuation.
    pub model_rate_hz: u32,
    /// Channels of the continuation, 1 or 2.
    pub channels: u16,
    /// Variations that were rendered together.
    pub variations: u32,
    /// Frames of the continuation at the model's rate.
    pub frames: u64,
    /// Where the seed clip came from, for people; `None` for an unconditional take.
    pub seed_name: Option<String>,
    /// The number that fixed the random choices.
    pub rng_seed: u64,
    /// The model's settings by name: `temperature`, `top_k`, `precision`, ….
    pub settings: Object,
    /// How the model rounds what it hears; `None` for takes of before this was kept, and where it is not understood.
    pub signal: Option<Signal>,
    /// The song's tempo when it was made, in quarter notes per minute; `None` for takes of before this was kept.
    pub tempo: Option<f64>,
    /// How unlikely each variation is under the model itself, in bits per frame; empty where that is not known.
    pub bits_per_frame: Vec<f32>,
    /// Version of the engine that generated it.
    pub engine_version: String,
    /// What a newer Continuo has added.
    pub other: Object,
}

/// What a take's sounds say about its recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rate_hz: u32,
    pub(super) channels: u16,
    pub(super) variations: u32,
    pub(super) frames: u64,
}

impl Recipe {
    /// Notes a setting down.
    pub fn set<T: Serialize>(&mut self, name: &str, value: &T) {
        // Numbers and words, which settings are, can always be written.
        let _ = self.settings.set(name, value);
    }

    /// The recipe in a line, for people.
    pub fn describe(&self) -> String {
        let mut text = match &self.seed_name {
            Some(seed) => format!("{} continues {seed}", self.model_name),
            None => format!("{} from silence", self.model_name),
        };
        let setting = |name: &str| self.settings.texts().find(|(key, _)| *key == name).map(|(_, text)| plain(text));
        if let Some(temperature) = setting("temperature") {
            let _ = write!(text, " · temperature {temperature}");
        }
        if let Some(top_k) = setting("top_k") {
            let _ = write!(text, " · top {top_k}");
        }
        let _ = write!(text, " · RNG seed {}", self.rng_seed);
        if let Some(tempo) = self.tempo {
            let _ = write!(text, " · at {} BPM", (tempo * 100.0).round() / 100.0);
        }
        if let Some(precision) = setting("precision").filter(|precision| precision != "f32") {
            let _ = write!(text, " · {precision}");
        }
        for (name, value) in self.settings.texts().filter(|(name, _)| !SETTINGS_OF_VERSION_1.contains(name)) {
            let _ = write!(text, " · {} {}", name.replace('_', " "), plain(value));
        }
        text
    }

    /// Reads the saved form. Nothing in it can keep a take from playing: what is missing is empty, and what the sounds
    /// hold is what counts.
    pub(super) fn read(mut saved: Object, extent: Extent) -> Self {
        let mut settings: Object = saved.take("settings").unwrap_or_default();
        if !saved.contains("version") {
            for name in SETTINGS_OF_VERSION_1 {
                if let Some(value) = saved.remove(name) {
                    settings.set_text(name, value);
                }
            }
            if settings.get::<u32>("top_k") == Some(0) {
                settings.remove("top_k");
            }
            saved.remove("takes");
            saved.remove("frames");
        }
        saved.remove("model_rate_hz");
        let known_version = saved.get::<u32>("version").is_none_or(|version| version <= VERSION);
        if known_version {
            saved.remove("version");
        }
        Self {
            model_name: saved.take("model_name").unwrap_or_default(),
            model_file: saved.take("model_file").unwrap_or_default(),
            model_sha256: saved.take("model_sha256").unwrap_or_default(),
            model_licence: saved.take("model_licence").unwrap_or_default(),
            model_rate_hz: extent.rate_hz,
            channels: extent.channels,
            variations: extent.variations,
            frames: extent.frames,
            seed_name: saved.take::<Option<String>>("seed_name").flatten(),
            rng_seed: saved.take("rng_seed").unwrap_or_default(),
            settings,
            signal: saved.take::<Option<Signal>>("signal").flatten(),
            // One that is no tempo is kept as what is not understood.
            tempo: saved.get("tempo").filter(|tempo| is_tempo(*tempo)).inspect(|_| drop(saved.remove("tempo"))),
            bits_per_frame: saved.take("bits_per_frame").unwrap_or_default(),
            engine_version: saved.take("engine_version").unwrap_or_default(),
            other: saved,
        }
    }

    /// The saved form.
    pub(super) fn write(&self) -> Result<Object, serde_json::Error> {
        let mut saved = Object::default();
        saved.set("version", &VERSION)?;
        saved.set("model_name", &self.model_name)?;
        saved.set("model_file", &self.model_file)?;
        saved.set("model_sha256", &self.model_sha256)?;
        if !self.model_licence.is_empty() {
            saved.set("model_licence", &self.model_licence)?;
        }
        saved.set("model_rate_hz", &self.model_rate_hz)?;
        saved.set("seed_name", &self.seed_name)?;
        saved.set("rng_seed", &self.rng_seed)?;
        saved.set("settings", &self.settings)?;
        if let Some(signal) = self.signal {
            saved.set("signal", &signal)?;
        }
        if let Some(tempo) = self.tempo {
            saved.set("tempo", &tempo)?;
        }
        if !self.bits_per_frame.is_empty() {
            saved.set("bits_per_frame", &self.bits_per_frame)?;
        }
        saved.set("engine_version", &self.engine_version)?;
        // Values that were not understood stand in place of what was put there instead of them.
        let mut whole = self.other.clone();
        whole.complete(saved);
        Ok(whole)
    }
}

/// Whether a song can go at so many quarter notes per minute.
fn is_tempo(tempo: f64) -> bool {
    tempo.is_finite() && (1.0..=10_000.0).contains(&tempo)
}

/// A setting's JSON as people write it: words without quotation marks.
fn plain(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent { rate_hz: 16_000, channels: 1, variations: 2, frames: 100 };

    #[test]
    fn the_first_form_becomes_settings_and_says_the_same() {
        let text = r#"{"model_name":"Piano","model_file":"piano.continuo","model_sha256":"00","model_rate_hz":16000,
            "seed_name":"clip.wav","temperature":0.9,"top_k":40,"rng_seed":7,"takes":2,"frames":100,"precision":"fp4",
            "engine_version":"0.1.0"}"#;
        let recipe = Recipe::read(serde_json::from_str(text).unwrap(), EXTENT);
        assert_eq!(recipe.describe(), "Piano continues clip.wav · temperature 0.9 · top 40 · RNG seed 7 · fp4");
        assert!(recipe.other.is_empty());
        let again = Recipe::read(recipe.write().unwrap(), EXTENT);
        assert_eq!(again, recipe);
        let off = text.replace("40", "0").replace("fp4", "f32");
        let recipe = Recipe::read(serde_json::from_str(&off).unwrap(), EXTENT);
        assert_eq!(recipe.describe(), "Piano continues clip.wav · temperature 0.9 · RNG seed 7");
    }

    #[test]
    fn a_tempo_is_kept_and_what_is_none_too() {
        let recipe = Recipe { tempo: Some(97.5), ..Recipe::read(Object::default(), EXTENT) };
        let again = Recipe::read(recipe.write().unwrap(), EXTENT);
        assert_eq!((again.tempo, again.other.is_empty()), (Some(97.5), true));
        assert!(again.describe().ends_with("at 97.5 BPM"));
        for text in [r#"{"tempo":-3.0}"#, r#"{"tempo":"fast"}"#, r#"{"tempo":1e300}"#] {
            let recipe = Recipe::read(serde_json::from_str(text).unwrap(), EXTENT);
            assert_eq!(recipe.tempo, None);
            assert!(recipe.write().unwrap().contains("tempo"), "{text}");
        }
    }

    #[test]
    fn what_another_family_or_version_says_survives() {
        let text =
            r#"{"version":3,"model_name":["a","b"],"mood":"blue","settings":{"level_2":{"top_k":3},"truncation":0.7}}"#;
        let recipe = Recipe::read(serde_json::from_str(text).unwrap(), EXTENT);
        assert!(recipe.describe().contains("truncation 0.7"));
        let written = recipe.write().unwrap();
        for (key, value) in serde_json::from_str::<Object>(text).unwrap().texts() {
            assert!(written.texts().any(|other| other == (key, value)), "{key} is lost");
        }
    }
}
