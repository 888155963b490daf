//! The two ways in which a model fails that a figure shows at once: it falls silent, or it plays noise.

use super::sound::Listening;

/// A phrase this far under the recordings is silence to a listener.
const SILENT_DB: f64 = 40.0;
/// A phrase as flat as this, where the recordings are not half as flat, is noise.
const NOISY: f64 = 0.35;

/// What a sound has become in place of music.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collapse {
    /// It is far quieter than any recording.
    Silence,
    /// Its spectrum is flat, and the recordings' is not.
    Noise,
}

/// Whether a sound has collapsed, given what the recordings are like.
pub fn collapse(heard: &Listening, recordings: &Listening) -> Option<Collapse> {
    if heard.level_db < recordings.level_db - SILENT_DB {
        return Some(Collapse::Silence);
    }
    (heard.flatness > NOISY && recordings.flatness < NOISY / 2.0).then_some(Collapse::Noise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_noise_are_told_from_music() {
        let music = Listening { level_db: -25.0, centroid_hz: 800.0, flatness: 0.02 };
        assert_eq!(collapse(&music, &music), None);
        assert_eq!(collapse(&Listening { level_db: -40.0, ..music }, &music), None);
        assert_eq!(collapse(&Listening { level_db: -66.0, ..music }, &music), Some(Collapse::Silence));
        let noise = Listening { flatness: 0.5, ..music };
        assert_eq!(collapse(&noise, &music), Some(Collapse::Noise));
        // Where the recordings are noise themselves, noise is right.
        assert_eq!(collapse(&noise, &noise), None);
    }
}
