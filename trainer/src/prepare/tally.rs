//! What a dataset keeps of a recording: its frames as i16, their levels and their hash, without the silence at the ends if
//! that is not wanted. `prepare` writes the frames down; the audit only counts them: so both judge alike.

use continuo_engine::audio::Info;
use continuo_package::hash::Hasher;

use super::levels::{Meter, dbfs};
use super::scan::Found;
use super::skipped::{SkipKind, Skipped};
use super::trim::{Windows, mean_square, square_of};
use crate::data::dataset::{Levels, Trimmed};

/// A recording whose peak stays below this (−66 dBFS) is silence.
const SILENT_PEAK: f32 = 5e-4;

/// What the dataset wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) rate_hz: u32,
    pub(crate) channels: u16,
    /// Silence below this level is cut off at both ends.
    pub(crate) trim_dbfs: Option<f64>,
}

/// Frames that are kept so far.
#[derive(Debug, Clone)]
struct Kept {
    meter: Meter,
    hasher: Hasher,
    frames: u64,
}

/// Takes a recording in, block by block.
#[derive(Debug)]
pub(crate) struct Tally {
    channels: usize,
    kept: Kept,
    trim: Option<Trim>,
}

#[derive(Debug)]
struct Trim {
    square: f64,
    dbfs: f64,
    windows: Windows,
    head_frames: u64,
    /// What was kept where the present silence began: the recording's end, if nothing sounds after it.
    end: Option<Box<Kept>>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Tallied {
    /// Frames that are kept: what was given out beyond them is silence at the end.
    pub(crate) frames: u64,
    /// Hex SHA-256 of the frames: tells the same sound in another file format.
    pub(crate) frames_sha256: String,
    pub(crate) levels: Levels,
    pub(crate) trimmed: Trimmed,
    trim_dbfs: Option<f64>,
}

impl Tally {
    pub(crate) fn new(target: Target) -> Self {
        let channels = usize::from(target.channels);
        let trim = target.trim_dbfs.map(|dbfs| Trim {
            square: square_of(dbfs),
            dbfs,
            windows: Windows::new(channels),
            head_frames: 0,
            end: None,
        });
        let kept = Kept { meter: Meter::new(target.rate_hz, channels), hasher: Hasher::new(), frames: 0 };
        Self { channels, kept, trim }
    }

    /// Takes interleaved frames and appends what is kept of them to `out`, as little-endian i16.
    pub(crate) fn push(&mut self, frames: &[f32], out: &mut Vec<u8>) {
        match self.trim.as_mut() {
            None => self.kept.push(frames, self.channels, out),
            Some(Trim { square, windows, head_frames, end, .. }) => {
                let (kept, channels, square) = (&mut self.kept, self.channels, *square);
                windows.push(frames, |window| kept.window(window, channels, square, (head_frames, end), out));
            }
        }
    }

    /// The rest, and what came of it all.
    pub(crate) fn finish(mut self, source_clipped: u64, out: &mut Vec<u8>) -> Tallied {
        let (mut trimmed, mut trim_dbfs) = (Trimmed::default(), None);
        if let Some(Trim { square, dbfs, mut windows, mut head_frames, mut end }) = self.trim {
            let (kept, channels) = (&mut self.kept, self.channels);
            windows.finish(|window| kept.window(window, channels, square, (&mut head_frames, &mut end), out));
            trimmed.head_frames = head_frames;
            if let Some(end) = end {
                trimmed.tail_frames = self.kept.frames - end.frames;
                self.kept = *end;
            }
            trim_dbfs = Some(dbfs);
        }
        Tallied {
            frames: self.kept.frames,
            frames_sha256: self.kept.hasher.finish_hex(),
            levels: self.kept.meter.finish(source_clipped),
            trimmed,
            trim_dbfs,
        }
    }
}

impl Kept {
    fn push(&mut self, frames: &[f32], channels: usize, out: &mut Vec<u8>) {
        let before = out.len();
        self.meter.push(frames, out);
        self.hasher.update(&out[before..]);
        self.frames += (frames.len() / channels) as u64;
    }

    /// Silence before the first sound is only counted. Later silence is kept, since sound may follow, and what was there
    /// before it is remembered.
    fn window(
        &mut self,
        window: &[f32],
        channels: usize,
        square: f64,
        (head_frames, end): (&mut u64, &mut Option<Box<Self>>),
        out: &mut Vec<u8>,
    ) {
        if mean_square(window) >= square {
            *end = None;
        } else if self.frames == 0 {
            *head_frames += (window.len() / channels) as u64;
            return;
        } else if end.is_none() {
            *end = Some(Box::new(self.clone()));
        }
        self.push(window, channels, out);
    }
}

impl Tallied {
    /// Why the recording is left out, if it is.
    pub(crate) fn left_out(&self, found: &Found, info: &Info, target: Target) -> Option<Skipped> {
        let frames = self.frames + self.trimmed.frames();
        let skipped = |kind, reason| Some(Skipped::new(found.name.clone(), kind, reason).with_frames(frames));
        if frames == 0 {
            return skipped(SkipKind::Empty, format!("too short for one frame at {} Hz", target.rate_hz));
        }
        if let Some(dbfs) = self.trim_dbfs.filter(|_| self.frames == 0) {
            let seconds = frames as f64 / f64::from(target.rate_hz);
            return skipped(SkipKind::Silent, format!("nothing in its {seconds:.1} s is louder than {dbfs} dBFS"));
        }
        if self.levels.peak < SILENT_PEAK {
            let mixed = if info.channels > usize::from(target.channels) { " after mixing down" } else { "" };
            return skipped(SkipKind::Silent, format!("silence (peak {:.0} dBFS{mixed})", dbfs(self.levels.peak)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn tally(sound: &[f32], block: usize, trim_dbfs: Option<f64>) -> (Tallied, Vec<u8>) {
        let mut tally = Tally::new(Target { rate_hz: 16_000, channels: 1, trim_dbfs });
        let mut out = Vec::new();
        sound.chunks(block).for_each(|part| tally.push(part, &mut out));
        (tally.finish(0, &mut out), out)
    }

    #[test]
    fn silence_at_the_ends_goes_and_silence_between_stays() {
        let silence = |windows: usize| vec![0.0; windows * 2_048];
        let sound = |windows: usize| vec![0.5; windows * 2_048];
        let whole = [silence(3), sound(2), silence(4), sound(1), silence(5), vec![0.0; 100]].concat();
        for block in [100, 2_048, 9_999, 1 << 20] {
            let (found, out) = tally(&whole, block, Some(-40.0));
            assert_eq!(found.trimmed, Trimmed { head_frames: 3 * 2_048, tail_frames: 5 * 2_048 + 100 });
            assert_eq!(found.frames, 7 * 2_048);
            // What is kept counts, as if nothing else had ever been there.
            let (alone, bytes) = tally(&[sound(2), silence(4), sound(1)].concat(), block, None);
            assert_eq!((found.levels, &found.frames_sha256), (alone.levels, &alone.frames_sha256));
            assert_eq!(out[..bytes.len()], bytes);
            assert_eq!(tally(&whole, block, None).0.frames, whole.len() as u64);
        }
        let (nothing, out) = tally(&silence(3), 1_000, Some(-40.0));
        assert_eq!((nothing.frames, nothing.trimmed.frames(), out.len()), (0, 3 * 2_048, 0));
    }
}
