//! Checkpoints: everything that a run needs to go on as if it had never stopped.
//!
//! ```text
//! magic (16 bytes) · header length (u64, little-endian) · header (JSON) · vectors of f32, little-endian, in the order
//! weights, average, Adam's first moments, Adam's second moments · SHA-256 of all bytes before it
//! ```
//!
//! A checkpoint is written under another name, flushed to the disk and renamed, so a file with a checkpoint's name is
//! whole unless the disk damaged it; the hash finds that. The newest two are kept.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::optimiser::Adam;
use crate::dataset::SamplerCursor;

const MAGIC: &[u8; 16] = b"continuo-ckpt-1\n";
/// The largest header that is read, in bytes.
const MAX_HEADER: u64 = 1 << 20;
/// Checkpoints that stay.
const KEEP: usize = 2;

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file or its folder cannot be written or read.
    #[error("{}: {action} failed: {source}. Check that the disk has space and the folder may be written", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not a whole checkpoint of this model.
    #[error("{}: not a usable checkpoint: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No checkpoint in the folder can be used.
    #[error("{}: no usable checkpoint{reason}. Start the run again with `continuo-trainer train`", dir.display())]
    NoneLeft {
        /// The folder.
        dir: PathBuf,
        /// What was wrong with those that are there.
        reason: String,
    },
}

/// Where a run stands, besides its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Targets that contributed to the loss.
    pub frames_seen: u64,
    /// Wall time of training so far, in seconds, over all sessions.
    pub wall_seconds: f64,
    /// Where the next batch begins; it holds the state of the random numbers.
    pub cursor: SamplerCursor,
    /// Held-out loss of the averaged weights when it was last measured, in nats.
    pub heldout_nats: Option<f64>,
    /// Targets over which it was measured.
    pub heldout_frames: u64,
    /// Sum and count of the training loss since the last line of the log.
    pub running_loss: (f64, u64),
    /// What computed the last step, in words.
    pub device: String,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Where it stands.
    pub progress: Progress,
    /// The weights.
    pub weights: Vec<f32>,
    /// Their average.
    pub average: Vec<f32>,
    /// The optimiser.
    pub adam: Adam,
}

#[derive(Serialize, Deserialize)]
struct Header {
    progress: Progress,
    adam_step: u64,
    /// Values in each vector.
    len: u64,
}

impl Checkpoint {
    /// Writes the checkpoint into `dir` and removes all but the newest two. Gives back its path.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; older checkpoints are then untouched.
    pub fn write(&self, dir: &Path) -> Result<PathBuf, CheckpointError> {
        let io = |file: &Path, action| {
            let file = file.to_path_buf();
            move |source| CheckpointError::Io { file, action, source }
        };
        std::fs::create_dir_all(dir).map_err(io(dir, "creating the folder"))?;
        let header =
            Header { progress: self.progress.clone(), adam_step: self.adam.step, len: self.weights.len() as u64 };
        let header = serde_json::to_vec(&header)
            .map_err(|e| CheckpointError::Damaged { file: dir.to_path_buf(), reason: e.to_string() })?;
        let mut bytes = Vec::with_capacity(header.len() + 16 * self.weights.len() + 64);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&header);
        for vector in [&self.weights, &self.average, &self.adam.m, &self.adam.v] {
            for value in vector {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);

        let file = dir.join(name(self.progress.step));
        let mut partial = tempfile::NamedTempFile::new_in(dir).map_err(io(dir, "creating a file"))?;
        partial.write_all(&bytes).map_err(io(&file, "writing"))?;
        partial.as_file().sync_all().map_err(io(&file, "writing"))?;
        partial.persist(&file).map_err(|e| io(&file, "renaming")(e.error))?;
        // The rename is on the disk once the folder is; a system that cannot open folders flushes them itself.
        if let Ok(folder) = File::open(dir) {
            let _ = folder.sync_all();
        }
        for old in list(dir)?.into_iter().skip(KEEP) {
            std::fs::remove_file(&old).map_err(io(&old, "removing"))?;
        }
        Ok(file)
    }

    /// Reads one checkpoint of a model with `len` weights.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be read, is not whole, or belongs to another model.
    pub fn read(file: &Path, len: usize) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { file: file.to_path_buf(), action: "reading", source };
        let damaged = |reason: &str| CheckpointError::Damaged { file: file.to_path_buf(), reason: reason.to_owned() };
        let size = std::fs::metadata(file).map_err(io)?.len();
        let vectors = 16 * len as u64;
        let prefix = MAGIC.len() as u64 + 8;
        if size < prefix + vectors + 32 {
            return Err(damaged("it is shorter than a checkpoint of this model"));
        }
        if size > prefix + MAX_HEADER + vectors + 32 {
            return Err(damaged("it is longer than a checkpoint of this model"));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        File::open(file).map_err(io)?.take(size).read_to_end(&mut bytes).map_err(io)?;
        let (content, hash) = bytes.split_last_chunk::<32>().ok_or_else(|| damaged("it is cut off"))?;
        if Sha256::digest(content)[..] != hash[..] {
            return Err(damaged("its content does not have its hash: it was cut off or changed"));
        }
        let content = content.strip_prefix(MAGIC).ok_or_else(|| damaged("another version of the trainer wrote it"))?;
        let (length, rest) = content.split_first_chunk::<8>().ok_or_else(|| damaged("it is cut off"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let header = rest.get(..length).ok_or_else(|| damaged("its header is cut off"))?;
        let header: Header = serde_json::from_slice(header).map_err(|e| damaged(&format!("header: {e}")))?;
        let values = &rest[length..];
        if header.len != len as u64 || values.len() as u64 != vectors {
            return Err(damaged("it belongs to a model of another size"));
        }
        let vector = |index: usize| -> Vec<f32> {
            values[index * 4 * len..(index + 1) * 4 * len]
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect()
        };
        Ok(Self {
            progress: header.progress,
            weights: vector(0),
            average: vector(1),
            adam: Adam { m: vector(2), v: vector(3), step: header.adam_step },
        })
    }

    /// Reads the newest checkpoint of `dir` that is whole. Those that are not are given back with it, each with the
    /// reason.
    ///
    /// # Errors
    /// [`CheckpointError::NoneLeft`] if none is.
    pub fn newest(dir: &Path, len: usize) -> Result<(Self, Vec<CheckpointError>), CheckpointError> {
        let mut refused = Vec::new();
        for file in list(dir)? {
            match Self::read(&file, len) {
                Ok(checkpoint) => return Ok((checkpoint, refused)),
                Err(error) => refused.push(error),
            }
        }
        let reason = refused.iter().fold(String::new(), |text, error| text + "; " + &error.to_string());
        Err(CheckpointError::NoneLeft { dir: dir.to_path_buf(), reason })
    }
}

fn name(step: u64) -> String {
    format!("step-{step:010}.checkpoint")
}

/// The checkpoints of a folder, newest first.
fn list(dir: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let io = |source| CheckpointError::Io { file: dir.to_path_buf(), action: "listing", source };
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let is = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.strip_prefix("step-").and_then(|rest| rest.strip_suffix(".checkpoint")).is_some());
        if is {
            files.push(path);
        }
    }
    files.sort();
    files.reverse();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        let vector = |start: f32| (0..5).map(|i| start + i as f32).collect::<Vec<_>>();
        Checkpoint {
            progress: Progress {
                step,
                frames_seen: 9,
                wall_seconds: 1.5,
                cursor: SamplerCursor { epoch: 1, position: 2, rng_state: u64::MAX },
                heldout_nats: Some(1.0 / 3.0),
                heldout_frames: 7,
                running_loss: (0.1, 3),
                device: "CPU".into(),
            },
            weights: vector(0.1),
            average: vector(10.1),
            adam: Adam { m: vector(-1.0), v: vector(f32::MIN_POSITIVE), step },
        }
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit_and_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for step in [1, 2, 30] {
            let file = checkpoint(step).write(dir.path()).unwrap();
            assert_eq!(Checkpoint::read(&file, 5).unwrap(), checkpoint(step));
        }
        assert_eq!(list(dir.path()).unwrap().len(), 2);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no other file is left");
        assert_eq!(Checkpoint::newest(dir.path(), 5).unwrap().0, checkpoint(30));
    }

    #[test]
    fn damage_is_found_and_the_checkpoint_before_is_used() {
        let dir = tempfile::tempdir().unwrap();
        checkpoint(1).write(dir.path()).unwrap();
        let file = checkpoint(2).write(dir.path()).unwrap();
        let whole = std::fs::read(&file).unwrap();
        for length in [0, 10, 24, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&file, &whole[..length]).unwrap();
            let (found, refused) = Checkpoint::newest(dir.path(), 5).unwrap();
            assert_eq!(found, checkpoint(1));
            assert!(refused[0].to_string().contains("step-0000000002"), "{refused:?}");
        }
        let mut flipped = whole.clone();
        flipped[60] ^= 1;
        std::fs::write(&file, &flipped).unwrap();
        assert_eq!(Checkpoint::newest(dir.path(), 5).unwrap().0, checkpoint(1));
    }

    #[test]
    fn another_model_and_an_empty_folder_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        for dir in [dir.path().to_path_buf(), dir.path().join("none")] {
            assert!(Checkpoint::newest(&dir, 5).unwrap_err().to_string().contains("no usable checkpoint"));
        }
        let file = checkpoint(1).write(dir.path()).unwrap();
        for len in [4, 6, 1000] {
            assert!(Checkpoint::read(&file, len).is_err());
        }
    }
}
