//! One file as a stream: decode, mix, resample, block by block, for `prepare` and for the audit.

use std::fs::File;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use continuo_engine::audio::{AudioError, Decoder, Info, Loss, StreamResampler, describe};
use continuo_package::hash::Hasher;

use super::error::PrepareError;
use super::progress::Progress;
use super::scan::Found;
use super::skipped::{SkipKind, Skipped};
use super::tally::Target;

/// Blocks that are handed over at once, so that waking the other side costs nothing beside them.
const TOGETHER: usize = 4;
/// So many times as many the decoder may be ahead.
const AHEAD: usize = 2;

/// Blocks of the decoder, each with how much of the file has been read by then.
type Batch = Vec<(Vec<f32>, f64)>;

/// Why a file gave no recording.
#[derive(Debug)]
pub(crate) enum ImportError {
    /// It is the file's fault: go on with the next.
    Skip(Skipped),
    /// It is ours: stop.
    Fatal(PrepareError),
}

/// What was read of a file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) info: Info,
    /// What was odd about it, in words.
    pub(crate) warnings: Vec<String>,
}

/// The same stretch of a file twice: as it is, and as the dataset wants it. Both interleaved; they are not equally long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Frames of all the file's channels, at its rate.
    pub(crate) source: &'a [f32],
    /// Frames at the dataset's rate, in its channels. The last block has no source.
    pub(crate) frames: &'a [f32],
}

/// Hex SHA-256 of a file's bytes.
pub(crate) fn hash_file(found: &Found, stop: &AtomicBool, progress: &Progress) -> Result<String, ImportError> {
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

/// Does what reads a file. A decoder that panics on a hostile file costs that file only.
pub(crate) fn guarded<T>(found: &Found, work: impl FnOnce() -> Result<T, ImportError>) -> Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let reason = "its decoder gave up in an unforeseen way".to_owned();
        Err(ImportError::Skip(Skipped::new(found.name.clone(), SkipKind::Damaged, reason)))
    })
}

/// Reads a file to its end; `begin` is told what the file says of itself, and what it makes is handed every block. Memory
/// does not grow with the file.
pub(crate) fn stream<T>(
    found: &Found,
    target: Target,
    stop: &AtomicBool,
    progress: &Progress,
    begin: impl FnOnce(&Info) -> Result<T, ImportError>,
    mut each: impl FnMut(&mut T, Block<'_>) -> Result<(), ImportError>,
) -> Result<(Source, T), ImportError> {
    let skip = |e: AudioError| skip_for(found, &e);
    let mut decoder = Decoder::open(&found.path).map_err(skip)?;
    let info = decoder.info().clone();
    let channels = usize::from(target.channels);
    let mut resampler = StreamResampler::new(info.sample_rate_hz, target.rate_hz, channels).map_err(skip)?;
    let mut taker = begin(&info)?;
    let (mut mixed, mut resampled) = (Vec::new(), Vec::new());
    let mut share = Share { bytes: found.bytes, told: 0 };
    let losses = std::thread::scope(|scope| {
        // The decoder works ahead on a thread of its own: one long file keeps two cores busy.
        let (decoded, batches) = sync_channel::<Batch>(AHEAD);
        let (used, room) = sync_channel::<Batch>(AHEAD + 2);
        let decoding = scope.spawn(move || -> Result<Vec<Loss>, AudioError> {
            loop {
                let mut batch = room.try_recv().unwrap_or_else(|_| vec![(Vec::new(), 0.0); TOGETHER]);
                let mut filled = 0;
                for (block, done) in &mut batch {
                    if decoder.next_block(block)? == 0 {
                        break;
                    }
                    *done = decoder.progress();
                    filled += 1;
                }
                batch.truncate(filled);
                // Nobody takes more where the other side has given up.
                if decoded.send(batch).is_err() || filled < TOGETHER {
                    return Ok(decoder.losses().to_vec());
                }
            }
        });
        for batch in batches {
            for (block, done) in &batch {
                if stop.load(Ordering::Relaxed) {
                    return Err(ImportError::Fatal(PrepareError::Cancelled));
                }
                mix(block, info.channels, channels, &mut mixed);
                resampled.clear();
                resampler.push(&mixed, &mut resampled).map_err(skip)?;
                each(&mut taker, Block { source: block, frames: &resampled })?;
                share.tell(*done, progress);
            }
            let _ = used.try_send(batch);
        }
        decoding.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(skip)
    })?;
    resampled.clear();
    resampler.finish(&mut resampled).map_err(skip)?;
    each(&mut taker, Block { source: &[], frames: &resampled })?;
    share.complete(progress);
    let mut warnings: Vec<String> = describe(&losses);
    if info.channels > 2 && channels == 2 {
        warnings.push(format!("the first two of {} channels were kept", info.channels));
    }
    Ok((Source { info, warnings }, taker))
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
    if (from, to) == (2, 1) {
        out.extend(frames.as_chunks::<2>().0.iter().map(|[left, right]| (left + right) * scale));
        return;
    }
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
