//! One recording: decode, mix, resample, measure, and put its i16 frames into a file of its own.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use continuo_engine::audio::{AudioError, Decoder, StreamResampler, describe};
use continuo_package::hash::Hasher;

use super::levels::{ClipCounter, Meter, dbfs};
use super::progress::Progress;
use super::scan::Found;
use super::{PrepareError, SkipKind, Skipped};
use crate::data::dataset::Levels;

/// A recording whose peak stays below this (−66 dBFS) is silence.
const SILENT_PEAK: f32 = 5e-4;

/// A recording, ready to go into the dataset.
#[derive(Debug)]
pub(super) struct Imported {
    /// File with the frames.
    pub(super) spool: PathBuf,
    pub(super) frames: u64,
    /// Hex SHA-256 of the frames: tells the same sound in another file format.
    pub(super) frames_sha256: String,
    pub(super) source_rate_hz: u32,
    pub(super) source_channels: u16,
    pub(super) levels: Levels,
    pub(super) warnings: Vec<String>,
}

/// Why a file gave no recording.
#[derive(Debug)]
pub(super) enum ImportError {
    /// It is the file's fault: go on with the next.
    Skip(Skipped),
    /// It is ours: stop.
    Fatal(PrepareError),
}

/// What the dataset wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) rate_hz: u32,
    pub(super) channels: u16,
}

/// Hex SHA-256 of a file's bytes.
pub(super) fn hash_file(found: &Found, stop: &AtomicBool, progress: &Progress) -> Result<String, ImportError> {
    let unreadable =
        |e: std::io::Error| ImportError::Skip(Skipped::new(found.name.clone(), SkipKind::Unreadable, e.to_string()));
    let mut file = File::open(&found.path).map_err(unreadable)?;
    let (mut hasher, mut buffer) = (Hasher::new(), vec![0; 1 << 18]);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(ImportError::Fatal(PrepareError::Cancelled));
        }
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish_hex()),
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(unreadable(e)),
        };
        hasher.update(&buffer[..read]);
        progress.add(read as u64);
    }
}

/// Imports one file into `spool`. A decoder that panics on a hostile file costs that file only.
pub(super) fn import(
    found: &Found,
    target: Target,
    spool: &Path,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let result = catch_unwind(AssertUnwindSafe(|| import_unguarded(found, target, spool, stop, progress)))
        .unwrap_or_else(|_| {
            let reason = "its decoder gave up in an unforeseen way".to_owned();
            Err(ImportError::Skip(Skipped::new(found.name.clone(), SkipKind::Damaged, reason)))
        });
    if result.is_err() {
        // Space for the others; if that fails, the partial dataset's removal will say so.
        let _ = std::fs::remove_file(spool);
    }
    result
}

fn import_unguarded(
    found: &Found,
    target: Target,
    spool: &Path,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let skip = |e: AudioError| skip_for(found, &e);
    let write_error = |e| ImportError::Fatal(PrepareError::io(spool, "write", e));
    let mut decoder = Decoder::open(&found.path).map_err(skip)?;
    let info = decoder.info().clone();
    let channels = usize::from(target.channels);
    let mut resampler = StreamResampler::new(info.sample_rate_hz, target.rate_hz, channels).map_err(skip)?;
    let mut out = Spool {
        meter: Meter::new(target.rate_hz, channels),
        hasher: Hasher::new(),
        file: BufWriter::with_capacity(1 << 18, File::create(spool).map_err(write_error)?),
        bytes: Vec::new(),
        frames: 0,
        channels,
    };
    let mut clips = ClipCounter::new(info.channels);
    let (mut block, mut mixed, mut resampled) = (Vec::new(), Vec::new(), Vec::new());
    let mut share = Share { bytes: found.bytes, told: 0 };
    while decoder.next_block(&mut block).map_err(skip)? > 0 {
        if stop.load(Ordering::Relaxed) {
            return Err(ImportError::Fatal(PrepareError::Cancelled));
        }
        clips.push(&block);
        mix(&block, info.channels, channels, &mut mixed);
        resampled.clear();
        resampler.push(&mixed, &mut resampled).map_err(skip)?;
        out.push(&resampled).map_err(write_error)?;
        share.tell(decoder.progress(), progress);
    }
    resampled.clear();
    resampler.finish(&mut resampled).map_err(skip)?;
    out.push(&resampled).map_err(write_error)?;
    out.file.flush().map_err(write_error)?;
    share.complete(progress);

    let levels = out.meter.finish(clips.clipped());
    let skipped = |kind, reason| Err(ImportError::Skip(Skipped::new(found.name.clone(), kind, reason)));
    if out.frames == 0 {
        return skipped(SkipKind::Empty, format!("too short for one frame at {} Hz", target.rate_hz));
    }
    if levels.peak < SILENT_PEAK {
        let mixed = if info.channels > channels { " after mixing down" } else { "" };
        return skipped(SkipKind::Silent, format!("silence (peak {:.0} dBFS{mixed})", dbfs(levels.peak)));
    }
    let mut warnings: Vec<String> = describe(decoder.losses());
    if info.channels > 2 && channels == 2 {
        warnings.push(format!("the first two of {} channels were kept", info.channels));
    }
    Ok(Imported {
        spool: spool.to_path_buf(),
        frames: out.frames,
        frames_sha256: out.hasher.finish_hex(),
        source_rate_hz: info.sample_rate_hz,
        source_channels: info.channels as u16,
        levels,
        warnings,
    })
}

/// The frames on their way to the disk.
struct Spool {
    meter: Meter,
    hasher: Hasher,
    file: BufWriter<File>,
    bytes: Vec<u8>,
    frames: u64,
    channels: usize,
}

impl Spool {
    fn push(&mut self, frames: &[f32]) -> std::io::Result<()> {
        self.bytes.clear();
        self.meter.push(frames, &mut self.bytes);
        self.hasher.update(&self.bytes);
        self.frames += (frames.len() / self.channels) as u64;
        self.file.write_all(&self.bytes)
    }
}

/// A file's share of the progress bar, told as its frames come.
struct Share {
    bytes: u64,
    told: u64,
}

impl Share {
    fn tell(&mut self, share: f64, progress: &Progress) {
        let done = ((self.bytes as f64 * share) as u64).min(self.bytes);
        progress.add(done.saturating_sub(self.told));
        self.told = self.told.max(done);
    }

    fn complete(&mut self, progress: &Progress) {
        progress.add(self.bytes - self.told);
        self.told = self.bytes;
    }
}

/// Interleaved frames of `from` channels into frames of `to` channels: mono is the mean of all, stereo the first two
/// (front left and right in every common layout), and mono becomes stereo by doubling.
fn mix(frames: &[f32], from: usize, to: usize, out: &mut Vec<f32>) {
    out.clear();
    if from == to {
        out.extend_from_slice(frames);
        return;
    }
    let scale = 1.0 / from as f32;
    for frame in frames.chunks_exact(from) {
        match to {
            1 => out.push(frame.iter().sum::<f32>() * scale),
            _ => out.extend((0..to).map(|c| frame[c.min(from - 1)])),
        }
    }
}

fn skip_for(found: &Found, error: &AudioError) -> ImportError {
    let kind = match error {
        AudioError::Io { .. } => SkipKind::Unreadable,
        AudioError::NotAudio { .. } => SkipKind::NotAudio,
        AudioError::Empty { .. } => SkipKind::Empty,
        AudioError::Unsupported { .. } | AudioError::SampleRate { .. } | AudioError::Channels { .. } => {
            SkipKind::Unsupported
        }
        _ => SkipKind::Damaged,
    };
    // The list names the file already.
    let text = error.to_string();
    let reason = text.strip_prefix(&format!("{}: ", found.path.display())).unwrap_or(&text).to_owned();
    ImportError::Skip(Skipped::new(found.name.clone(), kind, reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::mix;

    #[test]
    fn mixing() {
        let mut out = Vec::new();
        mix(&[0.5, -0.5, 1.0, 0.0], 2, 1, &mut out);
        assert_eq!(out, [0.0, 0.5]);
        mix(&[0.5, 0.25], 1, 2, &mut out);
        assert_eq!(out, [0.5, 0.5, 0.25, 0.25]);
        mix(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 3, 2, &mut out);
        assert_eq!(out, [0.1, 0.2, 0.4, 0.5]);
        mix(&[0.1, 0.2], 2, 2, &mut out);
        assert_eq!(out, [0.1, 0.2]);
    }
}
