//! Writing WAV, all or nothing: into a temporary file beside the target, renamed when complete.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use continuo_package::files::NewFile;
use hound::{SampleFormat, WavSpec, WavWriter};

use super::annotations::Annotations;
use super::{AudioError, Clip, MAX_CHANNELS, RATES_HZ};

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WavFormat {
    /// 16-bit integers, rounded, without dither; clamped at full scale.
    I16,
    /// 24-bit integers, rounded; clamped at full scale.
    I24,
    /// 32-bit floats, as they are.
    F32,
}

impl WavFormat {
    fn spec(self, channels: u16, sample_rate: u32) -> WavSpec {
        let (bits_per_sample, sample_format) = match self {
            Self::I16 => (16, SampleFormat::Int),
            Self::I24 => (24, SampleFormat::Int),
            Self::F32 => (32, SampleFormat::Float),
        };
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }
}

/// Writes a clip. An existing file is replaced only once the new one is complete on the disk.
///
/// # Errors
/// [`AudioError::InvalidClip`] for a clip that no WAV can hold; [`AudioError::DiskFull`] or another IO error.
pub fn write_wav(path: &Path, clip: &Clip, format: WavFormat) -> Result<(), AudioError> {
    let frames = clip.frames();
    if clip.channels.iter().any(|c| c.len() != frames) {
        return Err(AudioError::InvalidClip {
            path: path.to_path_buf(),
            reason: "its channels differ in length".into(),
        });
    }
    let mut sink = WavSink::create(path, clip.sample_rate_hz, clip.channels.len(), format)?;
    let channels: Vec<&[f32]> = clip.channels.iter().map(Vec::as_slice).collect();
    sink.push(&channels)?;
    sink.finish()
}

/// A WAV that is written block by block. Dropped without [`WavSink::finish`], it leaves nothing behind.
pub struct WavSink {
    path: PathBuf,
    format: WavFormat,
    channels: usize,
    frames: u64,
    writer: WavWriter<BufWriter<File>>,
    /// The same file by its name: removed on drop, renamed on success.
    file: NewFile,
}

impl std::fmt::Debug for WavSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WavSink").field("path", &self.path).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl WavSink {
    /// Begins a WAV in the folder of `path`.
    ///
    /// # Errors
    /// [`AudioError::InvalidClip`] for a rate or a number of channels that cannot be; an IO error.
    pub fn create(path: &Path, sample_rate_hz: u32, channels: usize, format: WavFormat) -> Result<Self, AudioError> {
        let invalid = |reason: String| AudioError::InvalidClip { path: path.to_path_buf(), reason };
        if !RATES_HZ.contains(&sample_rate_hz) {
            return Err(invalid(format!("a sample rate of {sample_rate_hz} Hz")));
        }
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(invalid(format!("{channels} channels")));
        }
        let file = NewFile::create(path).map_err(|e| AudioError::io(path, "write", e))?;
        let handle = file.reopen().map_err(|e| AudioError::io(path, "write", e))?;
        let writer = WavWriter::new(BufWriter::new(handle), format.spec(channels as u16, sample_rate_hz))
            .map_err(|e| write_error(path, e))?;
        Ok(Self { path: path.to_path_buf(), format, channels, frames: 0, writer, file })
    }

    /// Appends frames, `[C][T]`.
    ///
    /// # Errors
    /// [`AudioError::InvalidClip`] for NaN, unequal channels or more than 4 GB; an IO error.
    pub fn push(&mut self, channels: &[&[f32]]) -> Result<(), AudioError> {
        let invalid = |reason: String| AudioError::InvalidClip { path: self.path.clone(), reason };
        let frames = channels.first().map_or(0, |c| c.len());
        if channels.len() != self.channels || channels.iter().any(|c| c.len() != frames) {
            return Err(invalid("a block of another shape".into()));
        }
        let bytes = (self.frames + frames as u64) * self.channels as u64 * 4;
        if bytes > u64::from(u32::MAX) - 1024 {
            return Err(invalid("a WAV holds at most 4 GB".into()));
        }
        for t in 0..frames {
            for channel in channels {
                let x = channel[t];
                if !x.is_finite() {
                    return Err(invalid(format!("frame {} is not a number", self.frames + t as u64)));
                }
                match self.format {
                    WavFormat::F32 => self.writer.write_sample(x),
                    WavFormat::I16 => self.writer.write_sample(integer(x, 16)),
                    WavFormat::I24 => self.writer.write_sample(integer(x, 24)),
                }
                .map_err(|e| write_error(&self.path, e))?;
            }
        }
        self.frames += frames as u64;
        Ok(())
    }

    /// Completes the file and puts it in its place.
    ///
    /// # Errors
    /// [`AudioError::DiskFull`] or another IO error; nothing is left behind then.
    pub fn finish(self) -> Result<(), AudioError> {
        self.finish_with(&Annotations::default())
    }

    /// As [`WavSink::finish`], with what the file says about itself.
    ///
    /// # Errors
    /// As [`WavSink::finish`].
    pub fn finish_with(self, annotations: &Annotations) -> Result<(), AudioError> {
        let Self { path, writer, file, frames, .. } = self;
        let seconds = frames as f64 / f64::from(writer.spec().sample_rate);
        writer.finalize().map_err(|e| write_error(&path, e))?;
        let annotated = file.reopen().and_then(|mut handle| annotations.append(&mut handle, seconds));
        annotated.map_err(|e| AudioError::io(&path, "write", e))?;
        file.commit().map_err(|e| AudioError::io(&path, "write", e))
    }
}

/// A sample as an integer of so many bits, rounded, without dither; clamped at full scale.
pub(super) fn integer(x: f32, bits: u32) -> i32 {
    let full = f64::from(1_u32 << (bits - 1));
    (f64::from(x) * full).round().clamp(-full, full - 1.0) as i32
}

fn write_error(path: &Path, error: hound::Error) -> AudioError {
    match error {
        hound::Error::IoError(e) => AudioError::io(path, "write", e),
        e => AudioError::InvalidClip { path: path.to_path_buf(), reason: e.to_string() },
    }
}
