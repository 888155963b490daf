//! One recording: its i16 frames go into a file of its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::error::PrepareError;
use super::levels::ClipCounter;
use super::progress::Progress;
use super::read::{ImportError, guarded, stream};
use super::scan::Found;
use super::tally::{Tallied, Tally, Target};

/// A recording, ready to go into the dataset.
#[derive(Debug)]
pub(super) struct Imported {
    /// File with the frames.
    pub(super) spool: PathBuf,
    pub(super) tallied: Tallied,
    pub(super) source_rate_hz: u32,
    pub(super) source_channels: u16,
    pub(super) warnings: Vec<String>,
}

/// Imports one file into `spool`.
pub(super) fn import(
    found: &Found,
    target: Target,
    spool: &Path,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let result = guarded(found, || import_unguarded(found, target, spool, stop, progress));
    if result.is_err() {
        // Space for the others; if that fails, the partial dataset's removal will say so.
        let _ = std::fs::remove_file(spool);
    }
    result
}

/// The frames on their way to the disk.
struct Spool {
    tally: Tally,
    clips: ClipCounter,
    file: BufWriter<File>,
    bytes: Vec<u8>,
}

fn import_unguarded(
    found: &Found,
    target: Target,
    spool: &Path,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let write_error = |e| ImportError::Fatal(PrepareError::io(spool, "write", e));
    let begin = |info: &continuo_engine::audio::Info| {
        let file = BufWriter::with_capacity(1 << 18, File::create(spool).map_err(write_error)?);
        Ok(Spool { tally: Tally::new(target), clips: ClipCounter::new(info.channels), file, bytes: Vec::new() })
    };
    let (source, out) = stream(found, target, stop, progress, begin, |out, block| {
        out.clips.push(block.source);
        out.bytes.clear();
        out.tally.push(block.frames, &mut out.bytes);
        out.file.write_all(&out.bytes).map_err(write_error)
    })?;
    let Spool { tally, clips, mut file, mut bytes } = out;
    bytes.clear();
    let tallied = tally.finish(clips.clipped(), &mut bytes);
    file.write_all(&bytes).map_err(write_error)?;
    let file = file.into_inner().map_err(|e| write_error(e.into_error()))?;
    if tallied.trimmed.tail_frames > 0 {
        file.set_len(tallied.frames * u64::from(target.channels) * 2).map_err(write_error)?;
    }
    if let Some(skipped) = tallied.left_out(found, &source.info, target) {
        return Err(ImportError::Skip(skipped));
    }
    Ok(Imported {
        spool: spool.to_path_buf(),
        tallied,
        source_rate_hz: source.info.sample_rate_hz,
        source_channels: source.info.channels as u16,
        warnings: source.warnings,
    })
}
