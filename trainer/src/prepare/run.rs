//! The order of things: scan, hash, import, collect, index, rename.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::import::{Imported, import};
use super::parallel::{in_order, threads};
use super::partial::{Partial, partial_path};
use super::read::{ImportError, hash_file};
use super::scan::{Found, scan};
use super::tally::{Tallied, Target};
use super::unique::{SAME_SOUND, measure_doubles, unique};
use super::{PrepareError, Progress, Skipped, Summary, split};
use crate::data::dataset::{FORMAT_VERSION, FRAMES_FILE, INDEX_FILE, Index, Recording, SKIPPED_FILE, Split};

/// What to prepare.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Folder of recordings.
    pub folder: PathBuf,
    /// Folder to create.
    pub out: PathBuf,
    /// Frames per second of the dataset.
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Share of the recordings to hold out, 0 up to but not including 1.
    pub holdout: f64,
    /// Cut off what is below this level at the ends of every recording, in dB below full scale (RMS of windows of 2 048
    /// frames); `None` leaves every recording as it is.
    pub trim_silence_dbfs: Option<f64>,
    /// Replace an existing dataset.
    pub force: bool,
    /// Threads; 0 = one per core.
    pub jobs: usize,
}

/// Imports `options.folder` into a dataset at `options.out`. Raising `stop` ends it early and leaves nothing behind;
/// `progress` makes the progress display for a pass of the given name over so many bytes.
///
/// # Errors
/// [`PrepareError`]. A file that cannot be imported is no error: see [`Summary::skipped`].
pub fn prepare(
    options: &PrepareOptions,
    stop: &AtomicBool,
    progress: &dyn Fn(&'static str, u64) -> Progress,
) -> Result<Summary, PrepareError> {
    let begin = Instant::now();
    let (folder, out) = (absolute(&options.folder), absolute(&options.out));
    let real = folder.canonicalize().map_err(|reason| PrepareError::Folder { path: folder.clone(), reason })?;
    if out.canonicalize().is_ok_and(|out| real.starts_with(out)) {
        return Err(PrepareError::Overlap { out, folder });
    }
    let own: Vec<PathBuf> = [out.clone(), partial_path(&out)].iter().filter_map(|p| p.canonicalize().ok()).collect();
    let (found, mut skipped) = scan(&folder, &own)?;
    if found.is_empty() && skipped.is_empty() {
        return Err(PrepareError::NoFiles { path: folder });
    }
    let partial = Partial::create(&out, options.force)?;
    let threads = threads(options.jobs);

    let source_bytes = found.iter().map(|f| f.bytes).sum();
    let bar = progress("hashing", source_bytes);
    let unique = unique(found, threads, stop, &bar, &mut skipped)?;
    bar.done();

    let bar = progress("importing", unique.iter().map(|(f, _)| f.bytes).sum());
    let target = Target { rate_hz: options.rate_hz, channels: options.channels, trim_dbfs: options.trim_silence_dbfs };
    let mut collector = Collector::new(partial.dir(), target)?;
    in_order(
        threads,
        &unique,
        stop,
        |at, (found, hash)| {
            let spool = partial.dir().join(format!("spool-{at}"));
            // What was not hashed yet is hashed beside the import.
            std::thread::scope(|scope| {
                let hash = match hash {
                    Some(hash) => Ok(hash.clone()),
                    None => Err(scope.spawn(|| hash_file(found, stop, &Progress::hidden()))),
                };
                let imported = import(found, target, &spool, stop, &bar);
                let hash = hash.or_else(|hashing| hashing.join().unwrap_or_else(|panic| resume_unwind(panic)));
                Ok((imported?, hash?))
            })
        },
        |at, result| {
            let (found, _) = &unique[at];
            match result {
                Ok((imported, hash)) => collector.add(found, &hash, imported),
                Err(ImportError::Skip(skip)) => {
                    collector.skipped.push(skip);
                    Ok(())
                }
                Err(ImportError::Fatal(error)) => Err(error),
            }
        },
    )?;
    if stop.load(Ordering::Relaxed) {
        return Err(PrepareError::Cancelled);
    }
    bar.done();

    skipped.append(&mut collector.skipped);
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut recordings, frames_total) = collector.finish()?;
    measure_doubles(&mut skipped, recordings.iter().map(|r| (r.name.clone(), r.frames)));
    if recordings.is_empty() {
        return Err(PrepareError::NothingImported { path: folder, skipped });
    }
    split::assign(&mut recordings, options.holdout);
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: env!("CARGO_PKG_VERSION").into(),
        sample_rate_hz: options.rate_hz,
        channels: options.channels,
        holdout: options.holdout,
        frames_total,
        trim_silence_dbfs: options.trim_silence_dbfs,
        recordings,
    };
    write_json(&partial.dir().join(SKIPPED_FILE), &skipped)?;
    write_json(&partial.dir().join(INDEX_FILE), &index)?;
    partial.complete(options.force)?;
    Ok(Summary { out, index, skipped, source_bytes, took: begin.elapsed() })
}

/// Appends recordings to the frames file and keeps their index.
struct Collector {
    path: PathBuf,
    file: BufWriter<File>,
    target: Target,
    offset: u64,
    recordings: Vec<Recording>,
    /// Hash of the frames → name.
    sounds: HashMap<String, String>,
    skipped: Vec<Skipped>,
}

impl Collector {
    fn new(dir: &Path, target: Target) -> Result<Self, PrepareError> {
        let path = dir.join(FRAMES_FILE);
        let file = File::create(&path).map_err(|e| PrepareError::io(&path, "create", e))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            target,
            offset: 0,
            recordings: Vec::new(),
            sounds: HashMap::new(),
            skipped: Vec::new(),
        })
    }

    fn add(&mut self, found: &Found, hash: &str, imported: Imported) -> Result<(), PrepareError> {
        let Tallied { frames, frames_sha256, levels, trimmed, .. } = imported.tallied;
        if let Some(first) = self.sounds.get(&frames_sha256) {
            self.skipped.push(Skipped::double(found.name.clone(), SAME_SOUND, first).with_frames(frames));
        } else {
            let mut spool = File::open(&imported.spool).map_err(|e| PrepareError::io(&imported.spool, "read", e))?;
            let copied =
                std::io::copy(&mut spool, &mut self.file).map_err(|e| PrepareError::io(&self.path, "write", e))?;
            let wanted = frames * u64::from(self.target.channels) * 2;
            if copied != wanted {
                let source = std::io::Error::other(format!("{copied} bytes where {wanted} were written"));
                return Err(PrepareError::io(&imported.spool, "read", source));
            }
            self.sounds.insert(frames_sha256, found.name.clone());
            self.recordings.push(Recording {
                name: found.name.clone(),
                offset: self.offset,
                frames,
                split: Split::Train,
                source: found.path.clone(),
                source_sha256: hash.to_owned(),
                source_rate_hz: imported.source_rate_hz,
                source_channels: imported.source_channels,
                levels,
                trimmed: (trimmed.frames() > 0).then_some(trimmed),
                warnings: imported.warnings,
            });
            self.offset += frames;
        }
        std::fs::remove_file(&imported.spool).map_err(|e| PrepareError::io(&imported.spool, "remove", e))
    }

    fn finish(self) -> Result<(Vec<Recording>, u64), PrepareError> {
        let write_error = |e| PrepareError::io(&self.path, "write", e);
        let file = self.file.into_inner().map_err(|e| write_error(e.into_error()))?;
        file.sync_all().map_err(write_error)?;
        Ok((self.recordings, self.offset))
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), PrepareError> {
    let write_error = |e| PrepareError::io(path, "write", e);
    let mut file = BufWriter::new(File::create(path).map_err(write_error)?);
    serde_json::to_writer_pretty(&mut file, value).map_err(|e| write_error(e.into()))?;
    file.flush().map_err(write_error)?;
    file.get_ref().sync_all().map_err(write_error)
}

/// Where the dataset lies and what it holds, for messages.
fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
