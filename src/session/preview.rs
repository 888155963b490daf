//! The seed clip of the next render drawn small, so that an editor can show what a continuation starts from.

use std::path::Path;

use continuo_engine::audio::{AudioError, DamagedClip, import};

use super::overview::Peak;
use crate::take::MAX_SEED_SECONDS;

/// Columns of a preview.
const COLUMNS: usize = 512;

/// A seed clip drawn small.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedPreview {
    /// Length in seconds.
    pub seconds: f64,
    /// Lowest and highest value of each column, over the whole clip.
    pub peaks: Vec<Peak>,
}

impl SeedPreview {
    /// Reads and draws an audio file, and tells what of it is missing.
    pub(super) fn read(path: &Path) -> Result<(Self, Option<DamagedClip>), AudioError> {
        let seed = import(path, MAX_SEED_SECONDS)?;
        let preview = Self { seconds: seed.clip.seconds(), peaks: columns(&seed.clip.mono(), COLUMNS) };
        Ok((preview, seed.damage(path)))
    }
}

/// Lowest and highest of `frames` in each of at most `count` columns.
fn columns(frames: &[f32], count: usize) -> Vec<Peak> {
    let count = count.min(frames.len());
    (0..count)
        .map(|column| {
            let part = &frames[column * frames.len() / count..(column + 1) * frames.len() / count];
            part.iter().fold(Peak { min: f32::INFINITY, max: f32::NEG_INFINITY }, |all, value| Peak {
                min: all.min.min(*value),
                max: all.max.max(*value),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use continuo_engine::audio::{Clip, WavFormat, write_wav};

    use super::*;

    #[test]
    fn columns_cover_every_frame() {
        let frames: Vec<f32> = (0..10_007_u16).map(|frame| f32::from(frame) / 10_007.0).collect();
        let columns = columns(&frames, COLUMNS);
        assert_eq!(columns.len(), COLUMNS);
        assert_eq!(columns[0].min.to_bits(), frames[0].to_bits());
        assert_eq!(columns[COLUMNS - 1].max.to_bits(), frames[10_006].to_bits());
        for pair in columns.windows(2) {
            assert!(pair[0].max < pair[1].min && pair[1].min - pair[0].max < 2.0 / 10_007.0);
        }
    }

    #[test]
    fn a_short_clip_has_a_column_per_frame() {
        assert_eq!(columns(&[0.5, -0.5], COLUMNS), [Peak { min: 0.5, max: 0.5 }, Peak { min: -0.5, max: -0.5 }]);
        assert!(columns(&[], COLUMNS).is_empty());
    }

    #[test]
    fn what_is_not_audio_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.wav");
        std::fs::write(&path, b"this is not audio").unwrap();
        let error = SeedPreview::read(&path).unwrap_err();
        assert!(error.to_string().contains("text.wav"), "{error}");
    }

    #[test]
    fn what_a_damaged_clip_lacks_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.wav");
        let clip = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 1_000]] };
        write_wav(&path, &clip, WavFormat::I16).unwrap();
        assert_eq!(SeedPreview::read(&path).unwrap().1, None);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 500]).unwrap();
        let (preview, damage) = SeedPreview::read(&path).unwrap();
        let sentence = damage.unwrap().to_string();
        assert!(sentence.contains("short.wav") && sentence.contains("250 frames are missing"), "{sentence}");
        assert!((preview.seconds - 750.0 / 16_000.0).abs() < 1e-9);
    }
}
