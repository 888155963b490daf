//! A clip in memory.

use std::path::{Path, PathBuf};

use super::{AudioError, Decoder, Loss, describe};

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

    /// One or two channels, whatever there are: the mean of all, or the first two (front left and right in every common
    /// layout), of which a single one is both. `[count][T]`.
    pub fn with_channels(&self, count: usize) -> Vec<Vec<f32>> {
        match (count, self.channels.as_slice()) {
            (1, _) => vec![self.mono()],
            (_, []) => vec![Vec::new(); count],
            (_, channels) => (0..count).map(|c| channels[c.min(channels.len() - 1)].clone()).collect(),
        }
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

/// A clip as a file gave it, and what the file did not give.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The sound.
    pub clip: Clip,
    /// What is missing in it, in the order of its places; empty for a good file. For the user to see.
    pub losses: Vec<Loss>,
}

/// A file that was read although parts of it are missing: no reason to stop, but the user has to know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: used as far as it can be read: {}", path.display(), describe(losses).join("; "))]
pub struct DamagedClip {
    /// The file.
    pub path: PathBuf,
    /// What is missing.
    pub losses: Vec<Loss>,
}

impl Imported {
    /// What is missing, as a sentence about the file it came from; `None` for a good one.
    pub fn damage(&self, path: &Path) -> Option<DamagedClip> {
        let losses = self.losses.clone();
        (!losses.is_empty()).then(|| DamagedClip { path: path.to_path_buf(), losses })
    }
}

/// Reads a whole file, up to [`MAX_CLIP_SAMPLES`]. For callers that do not care what is missing in a damaged one.
///
/// # Errors
/// [`AudioError`].
pub fn read(path: &Path) -> Result<Clip, AudioError> {
    import(path, f64::INFINITY).map(|imported| imported.clip)
}

/// Reads a whole file of at most `max_seconds` and [`MAX_CLIP_SAMPLES`]: refused from its header where that tells, else
/// once it has delivered that much.
///
/// A damaged file gives the frames that can be read, and the rest as [`Imported::losses`]; only one that gives no frame at
/// all is an error.
///
/// # Errors
/// [`AudioError::TooLong`] and the others.
pub fn import(path: &Path, max_seconds: f64) -> Result<Imported, AudioError> {
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
    Ok(Imported { clip: Clip { sample_rate_hz: rate, channels }, losses: decoder.losses().to_vec() })
}
