//! What a format's reader gives to the decoder: blocks of frames, what the file says of itself, and refusals.

use std::io;
use std::path::Path;

use symphonia::core::errors::Error;

use super::error::AudioError;
use super::loss::Log;

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Frames per second.
    pub sample_rate_hz: u32,
    /// Channels per frame.
    pub channels: usize,
    /// Length by the header, if it tells. Headers lie: never allocate by it.
    pub declared_frames: Option<u64>,
    /// Container and encoding, such as `wav 16-bit` or `flac`.
    pub format: String,
}

/// How a source's stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// Where it should.
    Complete,
    /// The bytes ran out.
    OutOfBytes,
    /// The bytes make no sense any more.
    Broken(String),
}

/// What a source gives per call.
#[derive(Debug)]
pub(super) enum Step {
    /// At least one frame was appended to the block.
    Frames,
    /// Nothing more will come. The block may hold the last frames.
    End(End),
}

/// A format's reader.
pub(super) trait Source: Send {
    /// Appends the next frames to an empty block, interleaved, and notes in `log` what is missing among them.
    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> io::Result<Step>;

    /// Frames that are still there, where that is known for sure without reading them.
    fn frames_ahead(&self) -> Option<u64> {
        None
    }

    /// Passes over up to `frames` frames where that is exact without decoding them, and says how many it has passed over.
    fn skip(&mut self, _frames: u64) -> io::Result<u64> {
        Ok(0)
    }

    /// Frames by which a declared length may be off, since encoders pad the last packet.
    fn slack_frames(&self) -> u64 {
        0
    }
}

/// A source and what its file says about itself.
pub(super) struct Opened {
    pub(super) source: Box<dyn Source>,
    pub(super) info: Info,
}

impl Opened {
    pub(super) fn new(source: impl Source + 'static, info: Info) -> Self {
        Self { source: Box::new(source), info }
    }
}

/// Why a source could not be opened. It does not know its path.
#[derive(Debug)]
pub(super) enum Refusal {
    NotAudio(String),
    Unsupported(String),
    Damaged(String),
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::damaged("it breaks off too early to be read");
        }
        Self::Io(error)
    }
}

impl Refusal {
    pub(super) fn damaged(reason: &str) -> Self {
        Self::Damaged(reason.into())
    }

    /// What symphonia says of a codec.
    pub(super) fn codec(name: &str, error: Error) -> Self {
        match error {
            Error::IoError(e) => e.into(),
            Error::Unsupported(what) => Self::Unsupported(format!("{name} ({what})")),
            e => Self::Damaged(e.to_string()),
        }
    }

    pub(super) fn of(self, path: &Path) -> AudioError {
        let path = path.to_path_buf();
        match self {
            Self::NotAudio(reason) => AudioError::NotAudio { path, reason },
            Self::Unsupported(what) => AudioError::Unsupported { path, what },
            Self::Damaged(reason) => AudioError::Damaged { path, reason },
            Self::Io(e) => AudioError::io(&path, "read", e),
        }
    }
}
