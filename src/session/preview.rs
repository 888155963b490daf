//! The seed clip's file drawn small, all of it, however long: so that an editor can show what a continuation starts from, and what of
//! the file that is.

use std::path::Path;

use continuo_engine::audio::{AudioError, DamagedClip, Decoder};

use super::overview::Peak;
use super::trim::{SeedTrim, seed_part};

/// Most columns of a preview: a minute to the millisecond.
const COLUMNS: usize = 1 << 16;

/// A seed clip's file drawn small.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedPreview {
    /// Its frames per second.
    pub rate_hz: u32,
    /// Its length in frames.
    pub frames: u64,
    /// Frames of each column; the last may have fewer.
    pub frames_per_column: u64,
    /// Lowest and highest value of each column, over the whole file.
    pub peaks: Vec<Peak>,
}

impl SeedPreview {
    /// Length of the file in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds_of(self.frames)
    }

    /// Length of a column in seconds.
    pub fn seconds_per_column(&self) -> f64 {
        self.seconds_of(self.frames_per_column)
    }

    /// Where the part that is used begins and ends, in seconds from the file's first frame: exactly what a render reads with this trim.
    pub fn used(&self, trim: Option<SeedTrim>) -> (f64, f64) {
        let frames = seed_part(trim).frames(self.rate_hz, self.frames);
        (self.seconds_of(frames.start), self.seconds_of(frames.end))
    }

    fn seconds_of(&self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.rate_hz.max(1))
    }

    /// Reads and draws an audio file, and tells what of it is missing. `None` where it is given up because `goes_on` says no.
    pub(super) fn read(
        path: &Path,
        goes_on: impl Fn() -> bool,
    ) -> Result<Option<(Self, Option<DamagedClip>)>, AudioError> {
        let mut decoder = Decoder::open(path)?;
        let (rate_hz, channels) = (decoder.info().sample_rate_hz, decoder.info().channels);
        let mut columns = Columns::new(COLUMNS);
        let mut block = Vec::new();
        while decoder.next_block(&mut block)? > 0 {
            if !goes_on() {
                return Ok(None);
            }
            let scale = 1.0 / channels as f32;
            block.chunks_exact(channels).for_each(|frame| columns.push(frame.iter().sum::<f32>() * scale));
        }
        let losses = decoder.losses().to_vec();
        let damage = (!losses.is_empty()).then(|| DamagedClip { path: path.to_path_buf(), losses });
        let preview =
            Self { rate_hz, frames: decoder.frames_read(), frames_per_column: columns.width, peaks: columns.peaks };
        Ok(Some((preview, damage)))
    }
}

/// Columns over a stream whose length nobody knows: when they are full, each two become one.
struct Columns {
    most: usize,
    peaks: Vec<Peak>,
    /// Frames of a column.
    width: u64,
    /// Frames of the last column.
    filled: u64,
}

impl Columns {
    fn new(most: usize) -> Self {
        Self { most, peaks: Vec::new(), width: 1, filled: 1 }
    }

    fn push(&mut self, value: f32) {
        if self.filled == self.width {
            if self.peaks.len() == self.most {
                self.halve();
            }
            if self.filled == self.width {
                self.peaks.push(Peak { min: value, max: value });
                self.filled = 1;
                return;
            }
        }
        self.filled += 1;
        if let Some(last) = self.peaks.last_mut() {
            (last.min, last.max) = (last.min.min(value), last.max.max(value));
        }
    }

    fn halve(&mut self) {
        let odd = !self.peaks.len().is_multiple_of(2);
        self.peaks = self
            .peaks
            .chunks(2)
            .map(|pair| {
                let (first, last) = (pair[0], pair[pair.len() - 1]);
                Peak { min: first.min.min(last.min), max: first.max.max(last.max) }
            })
            .collect();
        self.filled += if odd { 0 } else { self.width };
        self.width *= 2;
    }
}

#[cfg(test)]
mod tests {
    use continuo_engine::audio::{Clip, WavFormat, write_wav};

    use super::*;
    use crate::session::trim::read_seed;

    fn drawn(frames: impl Iterator<Item = f32>, most: usize) -> Columns {
        let mut columns = Columns::new(most);
        frames.for_each(|value| columns.push(value));
        columns
    }

    #[test]
    fn columns_cover_every_frame_whatever_the_length() {
        for count in [1, 2, 7, 8, 9, 63, 64, 65, 1_000, 10_007_u32] {
            let value = |frame: u32| (frame as f32 - 5_000.0) / 10_007.0;
            for most in [7, 8] {
                let columns = drawn((0..count).map(value), most);
                assert!(
                    columns.peaks.len() <= most
                        && u64::from(count).div_ceil(columns.width) == columns.peaks.len() as u64
                );
                for (column, peak) in columns.peaks.iter().enumerate() {
                    let first = column as u32 * columns.width as u32;
                    let last = (first + columns.width as u32).min(count) - 1;
                    assert_eq!((peak.min, peak.max), (value(first), value(last)), "{count}, column {column}");
                }
            }
        }
        assert!(drawn(std::iter::empty(), 8).peaks.is_empty());
    }

    #[test]
    fn what_is_shown_as_used_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.wav");
        for seconds in [0.5, 59.9, 60.0, 75.25] {
            let frames = (11_025.0 * seconds) as usize;
            let clip = Clip { sample_rate_hz: 11_025, channels: vec![vec![0.25; frames]; 2] };
            write_wav(&path, &clip, WavFormat::I16).unwrap();
            let (preview, damage) = SeedPreview::read(&path, || true).unwrap().unwrap();
            assert_eq!((damage, preview.frames), (None, frames as u64));
            for trim in [None, SeedTrim::new(0.1, 0.3), SeedTrim::new(0.123_456, 90.0), SeedTrim::new(0.0, 0.4)] {
                let Ok(read) = read_seed(&path, trim) else {
                    let (begin, end) = preview.used(trim);
                    assert_eq!(begin.to_bits(), end.to_bits(), "nothing of it is shown either");
                    continue;
                };
                let (begin, end) = preview.used(trim);
                assert_eq!(begin.to_bits(), read.begin_seconds().to_bits(), "{seconds} s, {trim:?}");
                assert!((end - begin - read.clip.seconds()).abs() < 1e-9, "{seconds} s, {trim:?}");
            }
        }
    }

    #[test]
    fn what_is_not_audio_is_refused_in_words_and_nobody_waits_for_what_nobody_wants() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.wav");
        std::fs::write(&path, b"this is not audio").unwrap();
        let error = SeedPreview::read(&path, || true).unwrap_err();
        assert!(error.to_string().contains("text.wav"), "{error}");
        write_wav(&path, &Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 100]] }, WavFormat::I16).unwrap();
        assert_eq!(SeedPreview::read(&path, || false).unwrap(), None);
    }

    #[test]
    fn what_a_damaged_clip_lacks_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.wav");
        let clip = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; 1_000]] };
        write_wav(&path, &clip, WavFormat::I16).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 500]).unwrap();
        let (preview, damage) = SeedPreview::read(&path, || true).unwrap().unwrap();
        let sentence = damage.unwrap().to_string();
        assert!(sentence.contains("short.wav") && sentence.contains("250 frames are missing"), "{sentence}");
        assert!((preview.seconds() - 750.0 / 16_000.0).abs() < 1e-9);
    }
}
