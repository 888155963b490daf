//! Which part of the seed clip's file a render goes on from. Everybody who reads, shows or plays the clip asks here.

use std::path::{Path, PathBuf};

use continuo_engine::audio::{AudioError, Excerpt, Part, import_part};
use serde::{Deserialize, Serialize};

use crate::take::MAX_SEED_SECONDS;

/// Longest part in seconds.
pub const MAX_TRIM_SECONDS: f64 = MAX_SEED_SECONDS;
/// Shortest part in seconds: less primes nothing.
pub const MIN_TRIM_SECONDS: f64 = 0.01;

/// Times are kept to this part of a second: finer than a frame at any rate, and written in few digits.
const STEPS_PER_SECOND: f64 = 1e6;

/// The part of the seed clip's file that is used, in seconds from the file's first frame. What follows its end gets continued.
///
/// At least [`MIN_TRIM_SECONDS`] and at most [`MAX_TRIM_SECONDS`] long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct SeedTrim {
    begin_seconds: f64,
    end_seconds: f64,
}

/// As it is saved, before anybody has looked at the numbers.
#[derive(Deserialize)]
struct Saved {
    begin_seconds: f64,
    end_seconds: f64,
}

impl TryFrom<Saved> for SeedTrim {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        Self::new(saved.begin_seconds, saved.end_seconds).ok_or("no part of a file")
    }
}

impl SeedTrim {
    /// The part between two times in seconds; of one that is too long, what is nearest to its end. `None` where that is no part, or too
    /// short a one.
    pub fn new(begin_seconds: f64, end_seconds: f64) -> Option<Self> {
        let rounded = |seconds: f64| (seconds.max(0.0) * STEPS_PER_SECOND).round() / STEPS_PER_SECOND;
        let end_seconds = rounded(end_seconds);
        let begin_seconds = rounded(begin_seconds.max(end_seconds - MAX_SEED_SECONDS));
        let fits = end_seconds.is_finite() && end_seconds - begin_seconds > MIN_TRIM_SECONDS - 0.5 / STEPS_PER_SECOND;
        fits.then_some(Self { begin_seconds, end_seconds })
    }

    /// Where it begins, in seconds.
    pub fn begin_seconds(self) -> f64 {
        self.begin_seconds
    }

    /// Where it ends, in seconds.
    pub fn end_seconds(self) -> f64 {
        self.end_seconds
    }
}

/// The part of a seed clip's file that is used: without a trim the whole file, of a longer one the last minute.
pub(crate) fn seed_part(trim: Option<SeedTrim>) -> Part {
    match trim {
        Some(SeedTrim { begin_seconds, end_seconds }) => Part::Between { begin_seconds, end_seconds },
        None => Part::Last { seconds: MAX_SEED_SECONDS },
    }
}

/// Reads the part of a seed clip's file that is used.
///
/// # Errors
/// [`AudioError`].
pub(crate) fn read_seed(path: &Path, trim: Option<SeedTrim>) -> Result<Excerpt, AudioError> {
    import_part(path, seed_part(trim))
}

/// A seed clip in a few words: the file's name, and which part of it where that is not all.
pub(crate) fn seed_words(name: &str, excerpt: &Excerpt) -> String {
    if excerpt.is_whole {
        return name.to_owned();
    }
    let begin = excerpt.begin_seconds();
    format!("{name} {begin:.1}-{:.1} s", begin + excerpt.clip.seconds())
}

/// A trim and the file that it was made for: another file has none, and a file that is refused leaves the one before as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Trimmed {
    pub(super) trim: Option<SeedTrim>,
    /// The chosen file; `None` for the factory's.
    pub(super) path: Option<PathBuf>,
}

impl Trimmed {
    /// The trim of this file.
    pub(super) fn of(&self, path: Option<&Path>) -> Option<SeedTrim> {
        self.trim.filter(|_| self.path.as_deref() == path)
    }
}

#[cfg(test)]
mod tests {
    use continuo_engine::audio::{Clip, WavFormat, write_wav};

    use super::*;

    #[test]
    fn a_trim_is_a_part_that_can_be_used() {
        let trim = SeedTrim::new(2.0, 6.0).unwrap();
        assert_eq!((trim.begin_seconds(), trim.end_seconds()), (2.0, 6.0));
        assert_eq!(SeedTrim::new(-3.0, 6.0), SeedTrim::new(0.0, 6.0));
        assert_eq!(SeedTrim::new(0.0, 100.0), SeedTrim::new(40.0, 100.0), "what is nearest to the end");
        assert!(SeedTrim::new(1.0, 1.01).is_some());
        for (begin, end) in [(6.0, 2.0), (1.0, 1.005), (f64::NAN, f64::NAN), (0.0, f64::INFINITY), (0.0, -1.0)] {
            assert_eq!(SeedTrim::new(begin, end), None, "{begin} {end}");
        }
    }

    #[test]
    fn a_saved_trim_comes_back_with_its_bits_and_nonsense_does_not() {
        for (begin, end) in [(0.1 + 0.2, 7.0 / 3.0), (123_456.789_012_3, 123_460.000_001), (0.0, 0.01)] {
            let trim = SeedTrim::new(begin, end).unwrap();
            let text = serde_json::to_string(&trim).unwrap();
            assert_eq!(serde_json::from_str::<SeedTrim>(&text).unwrap(), trim, "{text}");
        }
        for text in [r#"{"begin_seconds":6,"end_seconds":2}"#, r#"{"begin_seconds":1}"#, "[2,1]", "null"] {
            assert!(serde_json::from_str::<SeedTrim>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_clip_says_which_part_of_its_file_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.wav");
        let clip = |seconds: usize| Clip { sample_rate_hz: 8_000, channels: vec![vec![0.25; 8_000 * seconds]] };
        write_wav(&path, &clip(10), WavFormat::I16).unwrap();
        let words = |trim| seed_words("clip.wav", &read_seed(&path, trim).unwrap());
        assert_eq!(words(None), "clip.wav");
        assert_eq!(words(SeedTrim::new(2.0, 6.0)), "clip.wav 2.0-6.0 s");
        assert_eq!(words(SeedTrim::new(0.0, 10.0)), "clip.wav");
        assert_eq!(words(SeedTrim::new(8.0, 12.0)), "clip.wav 8.0-10.0 s");
        assert!(read_seed(&path, SeedTrim::new(20.0, 24.0)).is_err());
        // A file of any length is read: its last minute, if nobody says otherwise.
        write_wav(&path, &clip(90), WavFormat::I16).unwrap();
        assert_eq!(words(None), "clip.wav 30.0-90.0 s");
    }
}
