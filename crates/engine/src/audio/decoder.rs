//! A recording, block by block, whatever its format.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::AudioError;
use super::packets::PacketSource;
use super::wav::WavSource;

/// Sample rates that are believed.
pub const RATES_HZ: RangeInclusive<u32> = 1_000..=768_000;
/// Most channels that are believed.
pub const MAX_CHANNELS: usize = 32;
/// Largest sample that is believed, 60 dB above full scale: floats may pass 1.0 somewhat, but not like this.
pub const MAX_LEVEL: f32 = 1_000.0;

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

/// Something odd that did not keep the frames from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file ends before the length that its header announces.
    Truncated {
        /// Frames announced, if the header tells.
        declared_frames: Option<u64>,
        /// Frames delivered.
        read_frames: u64,
    },
    /// Packets that could not be decoded were left out.
    DamagedPackets {
        /// How many.
        count: u64,
    },
    /// The stream broke inside the file and was read up to there.
    Broken {
        /// Frames delivered.
        read_frames: u64,
        /// What was wrong after them.
        reason: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { declared_frames: Some(declared), read_frames } => {
                write!(f, "breaks off after {read_frames} of {declared} frames")
            }
            Self::Truncated { declared_frames: None, read_frames } => {
                write!(f, "breaks off after {read_frames} frames")
            }
            Self::DamagedPackets { count } => write!(f, "{count} damaged packets left out"),
            Self::Broken { read_frames, reason } => write!(f, "unreadable after {read_frames} frames ({reason})"),
        }
    }
}

/// How a source's stream ended.
pub(super) enum End {
    /// Where it should.
    Complete,
    /// The bytes ran out.
    OutOfBytes,
    /// The bytes make no sense any more.
    Broken(String),
}

/// What a source gives per call.
pub(super) enum Step {
    /// At least one frame was appended to the block.
    Frames,
    /// Nothing more will come.
    End(End),
}

enum Source {
    Wav(WavSource),
    Packets(Box<PacketSource>),
}

/// Reads a recording block by block; memory does not grow with the recording's length.
pub struct Decoder {
    path: PathBuf,
    info: Info,
    source: Source,
    frames_read: u64,
    ended: bool,
    warnings: Vec<Warning>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("path", &self.path)
            .field("info", &self.info)
            .field("frames_read", &self.frames_read)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// Opens a file. The content decides about the format; the name is not looked at.
    ///
    /// # Errors
    /// [`AudioError`] when it is no audio, or has a sample rate or a number of channels that cannot be.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        let read_error = |e| AudioError::io(path, "read", e);
        let mut file = File::open(path).map_err(read_error)?;
        let meta = file.metadata().map_err(read_error)?;
        if meta.is_dir() {
            return Err(AudioError::NotAudio { path: path.to_path_buf(), reason: "it is a folder".into() });
        }
        let mut head = Vec::with_capacity(64);
        file.by_ref().take(64).read_to_end(&mut head).map_err(read_error)?;
        refuse_by_head(path, &head)?;

        let wav = if head.starts_with(b"RIFF") { WavSource::open(path)? } else { None };
        let (source, info) = if let Some((source, info)) = wav {
            (Source::Wav(source), info)
        } else {
            let (source, info) = PacketSource::open(path, looks_like_text(&head))?;
            (Source::Packets(Box::new(source)), info)
        };
        if !RATES_HZ.contains(&info.sample_rate_hz) {
            return Err(AudioError::SampleRate { path: path.to_path_buf(), sample_rate_hz: info.sample_rate_hz });
        }
        if info.channels == 0 || info.channels > MAX_CHANNELS {
            return Err(AudioError::Channels { path: path.to_path_buf(), channels: info.channels });
        }
        Ok(Self { path: path.to_path_buf(), info, source, frames_read: 0, ended: false, warnings: Vec::new() })
    }

    /// What the file says about itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Frames delivered so far.
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    /// What was odd so far; complete once [`Self::next_block`] has returned 0.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Replaces `block` by the next frames, interleaved `[T, C]`, and returns their number: some thousands, 0 at the end.
    ///
    /// # Errors
    /// [`AudioError::Empty`], [`AudioError::Truncated`] or [`AudioError::Damaged`] at the end of a file that gave no
    /// frame; [`AudioError::NotFinite`], [`AudioError::Scale`], [`AudioError::LayoutChanged`]; an IO error.
    pub fn next_block(&mut self, block: &mut Vec<f32>) -> Result<usize, AudioError> {
        block.clear();
        if self.ended {
            return Ok(0);
        }
        let step = match &mut self.source {
            Source::Wav(wav) => wav.next(block),
            Source::Packets(packets) => packets.next(block, &self.info, self.frames_read),
        }
        .map_err(|e| self.name(e))?;
        let end = match step {
            Step::Frames => {
                self.check(block)?;
                let frames = block.len() / self.info.channels;
                self.frames_read += frames as u64;
                return Ok(frames);
            }
            Step::End(end) => end,
        };
        self.ended = true;
        self.finish(end)?;
        Ok(0)
    }

    fn name(&self, error: SourceError) -> AudioError {
        match error {
            SourceError::Io(source) => AudioError::io(&self.path, "read", source),
            SourceError::Layout { from, to } => {
                AudioError::LayoutChanged { path: self.path.clone(), frame: self.frames_read, from, to }
            }
        }
    }

    fn check(&self, block: &[f32]) -> Result<(), AudioError> {
        // One comparison that a NaN fails too.
        let Some(at) = block.iter().position(|x| x.abs().partial_cmp(&MAX_LEVEL).is_none_or(Ordering::is_gt)) else {
            return Ok(());
        };
        let (path, frame) = (self.path.clone(), self.frames_read + (at / self.info.channels) as u64);
        let value = block[at];
        Err(if value.is_finite() {
            AudioError::Scale { path, frame, value }
        } else {
            AudioError::NotFinite { path, frame }
        })
    }

    fn finish(&mut self, end: End) -> Result<(), AudioError> {
        let damaged = match &self.source {
            Source::Wav(_) => 0,
            Source::Packets(packets) => packets.damaged_packets(),
        };
        let path = || self.path.clone();
        let declared = self.info.declared_frames;
        if self.frames_read == 0 {
            return Err(match end {
                End::Broken(reason) => AudioError::Damaged { path: path(), reason },
                _ if damaged > 0 => {
                    AudioError::Damaged { path: path(), reason: format!("none of its {damaged} packets decodes") }
                }
                End::OutOfBytes => AudioError::Truncated { path: path(), declared_frames: declared.unwrap_or(0) },
                End::Complete if declared.unwrap_or(0) > 0 => {
                    AudioError::Truncated { path: path(), declared_frames: declared.unwrap_or(0) }
                }
                End::Complete => AudioError::Empty { path: path() },
            });
        }
        if damaged > 0 {
            self.warnings.push(Warning::DamagedPackets { count: damaged });
        }
        // Encoders pad the last packet, so only what is missing beyond one counts as missing.
        let short = declared.is_some_and(|d| self.frames_read + self.slack_frames() < d);
        match end {
            End::Broken(reason) => self.warnings.push(Warning::Broken { read_frames: self.frames_read, reason }),
            End::OutOfBytes => {
                self.warnings.push(Warning::Truncated { declared_frames: declared, read_frames: self.frames_read });
            }
            End::Complete if short && damaged == 0 => {
                self.warnings.push(Warning::Truncated { declared_frames: declared, read_frames: self.frames_read });
            }
            End::Complete => {}
        }
        Ok(())
    }

    fn slack_frames(&self) -> u64 {
        match &self.source {
            Source::Wav(_) => 0,
            Source::Packets(packets) => packets.longest_packet_frames(),
        }
    }
}

/// An error of a source, which does not know its path.
pub(super) enum SourceError {
    Io(std::io::Error),
    Layout { from: String, to: String },
}

/// Gives files a better reason than "unsupported" when their first bytes tell what they are.
fn refuse_by_head(path: &Path, head: &[u8]) -> Result<(), AudioError> {
    let path = path.to_path_buf();
    let not_audio = |reason: &str| Err(AudioError::NotAudio { path: path.clone(), reason: reason.into() });
    let unsupported = |what: &str| Err(AudioError::Unsupported { path: path.clone(), what: what.into() });
    match head {
        [] => not_audio("it is empty"),
        [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => unsupported("RF64 (WAV beyond 4 GB)"),
        [b'r', b'i', b'f', b'f', 0x2e, 0x91, ..] => unsupported("Wave64"),
        [b'M', b'T', b'h', b'd', ..] => not_audio("it is a MIDI file: notes without sound"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => unsupported("Matroska/WebM"),
        [b'c', b'a', b'f', b'f', ..] => unsupported("Core Audio Format"),
        [b'P', b'K', 3, 4, ..] => not_audio("it is a zip archive"),
        [b'%', b'P', b'D', b'F', ..] => not_audio("it is a PDF"),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => not_audio("it is a picture"),
        _ if head.len() > 36 && head.starts_with(b"OggS") && head[28..].starts_with(b"OpusHead") => unsupported("Opus"),
        _ => Ok(()),
    }
}

fn looks_like_text(head: &[u8]) -> bool {
    std::str::from_utf8(&head[..head.len().min(60)]).map_or_else(|e| e.valid_up_to() + 4 > head.len().min(60), |_| true)
        && head.iter().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace())
}
