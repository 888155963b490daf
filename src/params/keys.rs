//! How a take is played from keys.
//!
//! A state that was saved before one of these was there opens with a value that leaves its sound as it was, which is not
//! always the one of a new instance: `plugin/state/parameters.rs`.

use std::sync::Arc;

use nice_plug::prelude::*;

use super::text::{decimals, in_milliseconds, number};

/// Middle C, which is called C4.
const MIDDLE_C: i32 = 60;

/// What decides how notes sound. Nothing of it matters while the take follows the timeline.
#[derive(Params)]
pub struct KeyParams {
    /// On: each key transposes the take. Off: every key plays it as it is.
    #[id = "key_tracking"]
    pub key_tracking: BoolParam,
    /// The MIDI key at which the take sounds as it was made.
    #[id = "root_key"]
    pub root_key: IntParam,
    /// Semitones of a whole pitch bend.
    #[id = "bend_range"]
    pub bend_range: IntParam,
    /// Milliseconds from silence to full level; at 0 a note begins at full level.
    #[id = "attack"]
    pub attack: FloatParam,
    /// Milliseconds from full level to `sustain`.
    #[id = "decay"]
    pub decay: FloatParam,
    /// Level while a key stays down, as a factor; shown in per cent.
    #[id = "sustain"]
    pub sustain: FloatParam,
    /// Milliseconds from a key's release to silence.
    #[id = "release"]
    pub release: FloatParam,
    /// From -1 (a light touch is loud) over 0 (the level is the velocity) to 1 (only a heavy one is).
    #[id = "velocity_curve"]
    pub velocity_curve: FloatParam,
    /// Seconds that a note leaves out of the beginning of what it plays.
    #[id = "start_offset"]
    pub start_offset: FloatParam,
    /// How many notes sound at once.
    #[id = "voices"]
    pub voices: IntParam,
    /// One note at a time.
    #[id = "mono"]
    pub mono: BoolParam,
    /// Whether bends, the sustain pedal and what hosts say of single notes are heeded.
    #[id = "controllers"]
    pub controllers: BoolParam,
    /// Whether all notes together are kept to full scale.
    #[id = "key_limiter"]
    pub limiter: BoolParam,
}

impl Default for KeyParams {
    fn default() -> Self {
        let milliseconds = |name: &str, default: f32, most: f32| {
            FloatParam::new(name, default, FloatRange::Skewed { min: 0.0, max: most, factor: 0.3 })
                .with_unit(" ms")
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 1)))
                .with_string_to_value(Arc::new(in_milliseconds))
        };
        Self {
            key_tracking: BoolParam::new("Key tracking", true),
            root_key: IntParam::new("Root key", MIDDLE_C, IntRange::Linear { min: 0, max: 127 })
                .with_value_to_string(formatters::v2s_i32_key_formatter())
                .with_string_to_value(Arc::new(key)),
            bend_range: IntParam::new("Bend range", 2, IntRange::Linear { min: 0, max: 24 })
                .with_unit(" st")
                .with_string_to_value(Arc::new(|text| {
                    number(text, &["semitones", "semitone", "st"]).map(|value| value.round() as i32)
                })),
            attack: milliseconds("Attack", 0.0, 5_000.0),
            decay: milliseconds("Decay", 300.0, 10_000.0),
            sustain: FloatParam::new("Sustain", 1.0, FloatRange::Linear { min: 0.0, max: 1.0 })
                .with_unit(" %")
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value) * 100.0, 1)))
                .with_string_to_value(Arc::new(|text| number(text, &["%"]).map(|value| value / 100.0))),
            release: milliseconds("Release", 60.0, 10_000.0),
            velocity_curve: FloatParam::new("Velocity curve", 0.0, FloatRange::Linear { min: -1.0, max: 1.0 })
                .with_value_to_string(Arc::new(curve_words))
                .with_string_to_value(Arc::new(curve)),
            start_offset: FloatParam::new(
                "Start offset",
                0.0,
                FloatRange::Skewed { min: 0.0, max: 120.0, factor: 0.3 },
            )
            .with_unit(" s")
            .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 3)))
            .with_string_to_value(Arc::new(|text| number(text, &["seconds", "second", "s"]))),
            voices: IntParam::new("Voices", 16, IntRange::Linear { min: 1, max: 16 }),
            mono: BoolParam::new("Mono", false),
            controllers: BoolParam::new("Controllers", true),
            limiter: BoolParam::new("Key limiter", true),
        }
    }
}

/// The MIDI key that `text` names: `C4`, `f#2`, `Bb-1`, or its number.
fn key(text: &str) -> Option<i32> {
    let text = text.trim().to_ascii_lowercase();
    if let Ok(number) = text.parse::<i32>() {
        return (0..=127).contains(&number).then_some(number);
    }
    let mut signs = text.chars();
    let step = match signs.next()? {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let rest = signs.as_str();
    let (shift, octave) = match rest.strip_prefix(['#', '♯']) {
        Some(rest) => (1, rest),
        None => rest.strip_prefix(['b', '♭']).map_or((0, rest), |rest| (-1, rest)),
    };
    let number = octave.trim().parse::<i32>().ok()?.checked_add(1)?.checked_mul(12)? + step + shift;
    (0..=127).contains(&number).then_some(number)
}

fn curve_words(value: f32) -> String {
    let share = (value.abs() * 100.0).round();
    match (share > 0.0, value > 0.0) {
        (false, _) => "linear".to_owned(),
        (true, true) => format!("hard {share} %"),
        (true, false) => format!("soft {share} %"),
    }
}

/// A velocity curve in words, in signed per cent without them, or as the number that it is.
fn curve(text: &str) -> Option<f32> {
    let text = text.trim().to_ascii_lowercase();
    let (sign, rest) = match (text.strip_prefix("soft"), text.strip_prefix("hard")) {
        _ if text == "linear" => return Some(0.0),
        (Some(rest), _) => (-1.0, rest),
        (_, Some(rest)) => (1.0, rest),
        _ => (1.0, text.as_str()),
    };
    if rest.trim().is_empty() {
        return Some(sign);
    }
    let scale = if rest.len() < text.len() || rest.trim_end().ends_with('%') { 0.01 } else { 1.0 };
    number(rest, &["%"]).map(|value| sign * value * scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_go_by_their_names() {
        let params = KeyParams::default();
        assert_eq!(params.root_key.to_string(), "C4");
        for (text, wanted) in
            [("C4", 60), ("c-1", 0), ("G9", 127), ("f#2", 42), ("Gb2", 42), ("b♭3", 58), (" 61 ", 61), ("B3", 59)]
        {
            assert_eq!(key(text), Some(wanted), "{text}");
        }
        for text in ["", "H4", "C", "C#", "G#9", "Cb-1", "128", "-1", "C4x", "C99999999999", "C2147483647"] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn every_key_survives_the_hosts_normalised_float() {
        let params = KeyParams::default();
        for number in 0..=127 {
            let normalised = params.root_key.preview_normalized(number);
            assert_eq!(params.root_key.preview_plain(normalised), number);
            let text = params.root_key.normalized_value_to_string(normalised, true);
            assert_eq!(key(&text), Some(number), "{text}");
        }
    }

    #[test]
    fn times_and_curves_go_by_words() {
        assert_eq!(
            (in_milliseconds("12 ms"), in_milliseconds("1.5 s"), in_milliseconds("7")),
            (Some(12.0), Some(1_500.0), Some(7.0))
        );
        assert_eq!(in_milliseconds("soon"), None);
        for (text, wanted) in
            [("linear", 0.0), ("soft", -1.0), ("hard 40 %", 0.4), ("Soft 25", -0.25), ("0.5", 0.5), ("-30 %", -0.3)]
        {
            assert!((curve(text).unwrap() - wanted).abs() < 1e-6, "{text}");
        }
        assert_eq!(
            (curve("loud"), curve_words(-0.5), curve_words(0.001)),
            (None, "soft 50 %".to_owned(), "linear".to_owned())
        );
    }
}
