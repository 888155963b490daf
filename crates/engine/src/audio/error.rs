//! What can be wrong with an audio file, in words that name the file and say what to do.

use std::io;
use std::path::{Path, PathBuf};

/// A file that cannot be read or written as audio.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The system refused.
    #[error("{}: cannot {doing}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `write`, …
        doing: &'static str,
        /// The system's reason. Part of the message, so not told again as a source.
        reason: io::Error,
    },
    /// No space left while writing.
    #[error("{}: the disk is full; free some space or write to another disk (nothing was left behind)", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The content is not audio, whatever the name says.
    #[error(
        "{}: not an audio file ({reason}); give a WAV, FLAC, MP3, OGG Vorbis, M4A, AIFF, CAF or Matroska file",
        path.display()
    )]
    NotAudio {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        reason: String,
    },
    /// Audio, but of a kind that is not read here.
    #[error("{}: {what} is not supported; convert the file to WAV or FLAC", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Container, codec or feature.
        what: String,
    },
    /// The content contradicts itself before anything could be decoded.
    #[error("{}: damaged ({reason}); get another copy of the file", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file breaks off before its first frame.
    #[error("{}: breaks off before the first frame ({declared_frames} are announced); get another copy of the file", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Frames that the header announces.
        declared_frames: u64,
    },
    /// A well-formed file without a single frame.
    #[error("{}: holds no sound (zero frames)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A sample rate that no recording has.
    #[error(
        "{}: a sample rate of {sample_rate_hz} Hz is outside {}–{} Hz; the file is damaged or not audio",
        path.display(), super::RATES_HZ.start(), super::RATES_HZ.end()
    )]
    SampleRate {
        /// The file.
        path: PathBuf,
        /// The rate in the file.
        sample_rate_hz: u32,
    },
    /// A number of channels that no recording has.
    #[error("{}: {channels} channels; 1 to {} are supported, so mix it down first", path.display(), super::MAX_CHANNELS)]
    Channels {
        /// The file.
        path: PathBuf,
        /// The number in the file.
        channels: usize,
    },
    /// A NaN or an infinity among the samples.
    #[error("{}: frame {frame} is not a number; export the file again", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first such frame.
        frame: u64,
    },
    /// Floats far beyond full scale: integers that were stored as floats, for one.
    #[error("{}: frame {frame} reaches {value}, where 1.0 is full scale; normalise the file", path.display())]
    Scale {
        /// The file.
        path: PathBuf,
        /// The first such frame.
        frame: u64,
        /// Its value.
        value: f32,
    },
    /// Longer than the caller takes.
    #[error("{}: longer than {max_seconds:.0} s; cut out the part you need", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit in seconds.
        max_seconds: f64,
    },
    /// A part of a recording that holds nothing of it.
    #[error(
        "{}: lasts {seconds:.2} s, so there is nothing of it from {begin_seconds:.2} s on; choose a part that lies within it",
        path.display()
    )]
    NoSuchPart {
        /// The file.
        path: PathBuf,
        /// Where the part was to begin, in seconds.
        begin_seconds: f64,
        /// How long the recording is as far as it was read, in seconds.
        seconds: f64,
    },
    /// A clip that cannot be written: no or unequal channels, no rate, NaN.
    #[error("{}: cannot write this clip: {reason}", path.display())]
    InvalidClip {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A pair of rates that the resampler does not take.
    #[error("cannot resample {channels} channels from {from_hz} to {to_hz} Hz: {reason}")]
    Resample {
        /// Rate of the input.
        from_hz: u32,
        /// Rate of the output.
        to_hz: u32,
        /// Number of channels.
        channels: usize,
        /// What is wrong.
        reason: String,
    },
}

impl AudioError {
    /// The right variant for an IO error: a full disk has its own.
    pub(crate) fn io(path: &Path, doing: &'static str, reason: io::Error) -> Self {
        let path = path.to_path_buf();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, doing, reason },
        }
    }
}
