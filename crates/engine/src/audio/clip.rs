//! A clip in memory.

use std::path::Path;

use super::{AudioError, Decoder};

/// Largest clip that is taken into memory, in samples over all channels: 1 GiB, three quarters of an hour at 48 kHz in
/// stereo. Longer recordings go through [`Decoder`].
pub const MAX_CLIP_SAMPLES: u64 = 1 << 28;

/// Audio in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clip {
    /// Frames per second.
    pub sample_rate_hz: u32,
    /// `[C][T]`: one vector per channel, all of the same length.
    pub channels: Vec<Vec<f32>>,
}

impl Clip {
    /// Length in frames.
    pub fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        if self.sample_rate_hz == 0 { 0.0 } else { self.frames() as f64 / f64::from(self.sample_rate_hz) }
    }

    /// The mean of all channels.
    pub fn mono(&self) -> Vec<f32> {
        match self.channels.as_slice() {
            [] => Vec::new(),
            [one] => one.clone(),
            many => {
                let scale = 1.0 / many.len() as f32;
                (0..self.frames()).map(|t| many.iter().filter_map(|c| c.get(t)).sum::<f32>() * scale).collect()
            }
        }
    }
}

/// Reads a whole file, up to [`MAX_CLIP_SAMPLES`].
///
/// A file that breaks off gives the frames in front of the break; only one that breaks off before its first frame is an
/// error. [`Decoder::warnings`] tells the difference to callers that want to know.
///
/// # Errors
/// [`AudioError`].
pub fn read(path: &Path) -> Result<Clip, AudioError> {
    read_bounded(path, f64::INFINITY)
}

/// As [`read`], but refuses a file longer than `max_seconds`: from its header where that tells, else once it has
/// delivered that much.
///
/// # Errors
/// [`AudioError::TooLong`] and the others.
pub fn read_bounded(path: &Path, max_seconds: f64) -> Result<Clip, AudioError> {
    let mut decoder = Decoder::open(path)?;
    let (rate, count) = (decoder.info().sample_rate_hz, decoder.info().channels);
    let max_frames = (max_seconds * f64::from(rate)).min((MAX_CLIP_SAMPLES / count as u64) as f64).max(0.0) as u64;
    let too_long =
        || AudioError::TooLong { path: path.to_path_buf(), max_seconds: max_frames as f64 / f64::from(rate) };

    let mut channels = vec![Vec::new(); count];
    let mut block = Vec::new();
    while decoder.next_block(&mut block)? > 0 {
        if decoder.frames_read() > max_frames {
            return Err(too_long());
        }
        for (c, channel) in channels.iter_mut().enumerate() {
            channel.extend(block.iter().skip(c).step_by(count));
        }
    }
    Ok(Clip { sample_rate_hz: rate, channels })
}
