//! A recording, block by block, whatever its format.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

use super::bounds::{MAX_CHANNELS, MAX_LEVEL, RATES_HZ};
use super::error::AudioError;
use super::loss::{Cause, Log, Loss};
use super::sniff;
use super::source::{End, Info, Opened, Source, Step};
use super::window::Window;

/// Samples that are checked together.
const CHECKED_TOGETHER: usize = 256;

/// Reads a recording block by block; memory does not grow with the recording's length.
pub struct Decoder {
    path: PathBuf,
    info: Info,
    source: Box<dyn Source>,
    log: Log,
    /// How the stream ends, once that is known.
    end: Option<End>,
    ended: bool,
    bytes: u64,
    furthest: Arc<AtomicU64>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("path", &self.path)
            .field("info", &self.info)
            .field("frames_read", &self.log.frames)
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
        // Before it is opened: to open a pipe can take for ever.
        let meta = std::fs::metadata(path).map_err(read_error)?;
        if !meta.is_file() {
            let reason = if meta.is_dir() { "it is a folder" } else { "it is not an ordinary file" };
            return Err(AudioError::NotAudio { path: path.to_path_buf(), reason: reason.into() });
        }
        let window = File::open(path).and_then(Window::whole).map_err(read_error)?;
        let furthest = window.furthest();
        let Opened { source, info } = sniff::open(window).map_err(|refusal| refusal.of(path))?;
        // Opening looks for tags at the end too; progress counts from here on.
        furthest.store(0, atomic::Ordering::Relaxed);
        if !RATES_HZ.contains(&info.sample_rate_hz) {
            return Err(AudioError::SampleRate { path: path.to_path_buf(), sample_rate_hz: info.sample_rate_hz });
        }
        if info.channels == 0 || info.channels > MAX_CHANNELS {
            return Err(AudioError::Channels { path: path.to_path_buf(), channels: info.channels });
        }
        Ok(Self {
            path: path.to_path_buf(),
            info,
            source,
            log: Log::default(),
            end: None,
            ended: false,
            bytes: meta.len(),
            furthest,
        })
    }

    /// What the file says about itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Frames delivered so far.
    pub fn frames_read(&self) -> u64 {
        self.log.frames
    }

    /// How much of the file has been read, 0–1.
    pub fn progress(&self) -> f64 {
        let furthest = self.furthest.load(atomic::Ordering::Relaxed).min(self.bytes);
        if self.bytes == 0 { 1.0 } else { furthest as f64 / self.bytes as f64 }
    }

    /// What was lost so far; complete once [`Self::next_block`] has returned 0.
    pub fn losses(&self) -> &[Loss] {
        self.log.losses()
    }

    /// Frames that are still there, where that is known for sure without reading them: of samples that stand for themselves.
    pub fn frames_ahead(&self) -> Option<u64> {
        self.source.frames_ahead()
    }

    /// Passes over up to `frames` frames without decoding them, where the format makes that exact, and says how many: none where it
    /// does not, or the file ends. They count as delivered, and nothing in them is checked.
    ///
    /// # Errors
    /// An IO error.
    pub fn skip(&mut self, frames: u64) -> Result<u64, AudioError> {
        if self.end.is_some() {
            return Ok(0);
        }
        let skipped = self.source.skip(frames).map_err(|e| AudioError::io(&self.path, "read", e))?;
        self.log.frames += skipped;
        Ok(skipped)
    }

    /// Replaces `block` by the next frames, interleaved `[T, C]`, and returns their number: some thousands, 0 at the end.
    ///
    /// # Errors
    /// [`AudioError::Empty`], [`AudioError::Truncated`] or [`AudioError::Damaged`] at the end of a file that gave no
    /// frame; [`AudioError::NotFinite`], [`AudioError::Scale`]; an IO error.
    pub fn next_block(&mut self, block: &mut Vec<f32>) -> Result<usize, AudioError> {
        block.clear();
        if self.ended {
            return Ok(0);
        }
        if self.end.is_none() {
            let step = self.source.next(block, &mut self.log).map_err(|e| AudioError::io(&self.path, "read", e))?;
            if let Step::End(end) = step {
                self.end = Some(end);
            }
            self.check(block)?;
            let frames = block.len() / self.info.channels;
            self.log.frames += frames as u64;
            if frames > 0 {
                return Ok(frames);
            }
        }
        self.ended = true;
        let end = self.end.take().unwrap_or(End::Complete);
        self.finish(end)?;
        Ok(0)
    }

    fn check(&self, block: &[f32]) -> Result<(), AudioError> {
        let wrong = |x: &f32| x.abs() > MAX_LEVEL || x.is_nan();
        // Whole pieces at a time first, which the compiler makes vectors of.
        let mut pieces = block.chunks(CHECKED_TOGETHER);
        if pieces.all(|piece| !piece.iter().fold(false, |any, x| any | wrong(x))) {
            return Ok(());
        }
        let Some(at) = block.iter().position(wrong) else { return Ok(()) };
        let (path, frame) = (self.path.clone(), self.log.frames + (at / self.info.channels) as u64);
        let value = block[at];
        Err(if value.is_finite() {
            AudioError::Scale { path, frame, value }
        } else {
            AudioError::NotFinite { path, frame }
        })
    }

    fn finish(&mut self, end: End) -> Result<(), AudioError> {
        let path = || self.path.clone();
        let declared = self.info.declared_frames;
        if self.log.frames == 0 {
            let damage = self.log.losses().first().map(ToString::to_string);
            return Err(match end {
                End::Broken(reason) => AudioError::Damaged { path: path(), reason },
                _ if damage.is_some() => AudioError::Damaged {
                    path: path(),
                    reason: format!("nothing of it decodes: {}", damage.unwrap_or_default()),
                },
                End::Complete if declared.unwrap_or(0) == 0 => AudioError::Empty { path: path() },
                End::OutOfBytes | End::Complete => {
                    AudioError::Truncated { path: path(), declared_frames: declared.unwrap_or(0) }
                }
            });
        }
        let delivered = self.log.frames.saturating_add(self.log.lost_frames());
        let missing = declared.map(|declared| declared.saturating_sub(delivered));
        let short = missing.is_some_and(|missing| missing > self.source.slack_frames());
        match end {
            End::Broken(reason) => {
                self.log.lose(0, missing.filter(|&missing| missing > 0), Cause::Unreadable { reason });
            }
            End::OutOfBytes => self.log.lose(0, missing.filter(|&missing| missing > 0), Cause::EndsEarly),
            End::Complete if short => self.log.lose(0, missing, Cause::EndsEarly),
            End::Complete => {}
        }
        Ok(())
    }
}
