//! Checkpoints: everything that a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a safetensors file. Its tensors are named `NETWORK/weights/TENSOR`, `NETWORK/average/TENSOR` and
//! `NETWORK/MOMENT/TENSOR` (the optimiser's), and `buffers/BUFFER/TENSOR`; its metadata holds where the run stands as JSON
//! and a SHA-256 over that and all tensors. It is written under another name, flushed to the disk and renamed, so a file
//! with a checkpoint's name is whole unless the disk damaged it; the hash finds that. The newest few are kept, the best by
//! what was measured, and one of every so many steps.

mod error;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use continuo_package::hash::Hasher;
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

pub use error::CheckpointError;

use super::run_file::About;
use crate::data::BatchCursor;
use crate::nn::TensorLayout;
use crate::task::{Figures, Task};

/// The form of the metadata.
const FORMAT: &str = "continuo-checkpoint-2";
/// Keys of the metadata.
const FORMAT_KEY: &str = "format";
const STATE_KEY: &str = "state";
const HASH_KEY: &str = "sha256";
/// Endings of the files: now, and of the form before this one.
const ENDING: &str = ".safetensors";
const OLD_ENDING: &str = ".checkpoint";
/// The name of a checkpoint that is being written.
pub const PARTIAL: &str = "writing.partial";

/// Which checkpoints stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest; at least one.
    pub newest: usize,
    /// Those of every so many steps, for good; 0 = none.
    pub every_steps: u64,
}

/// Where a run stands, besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Frames that contributed to the loss.
    pub frames_seen: u64,
    /// Wall time of training so far, in seconds, over all sittings.
    pub wall_seconds: f64,
    /// Where the next batch begins.
    pub cursor: BatchCursor,
    /// Held-out figures of the averaged weights when they were last measured; empty if they never were.
    pub heldout: Figures,
    /// Sums of the training losses since the last line of the log.
    pub running_losses: Figures,
    /// Steps in those sums.
    pub running_steps: u64,
    /// What computed the last step, in words.
    pub device: String,
    /// The best measurement so far.
    #[serde(default)]
    pub best: Option<Best>,
}

/// A measurement of held-out recordings that was better than all before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The step after which it was made.
    pub step: u64,
    /// What was measured; less is better.
    pub figure: f64,
}

/// A tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// A checkpoint that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The file.
    pub file: PathBuf,
    /// Where the run stands.
    pub progress: Progress,
    /// The task's own state.
    pub task: serde_json::Value,
    /// Steps of each network's optimiser.
    pub optimiser_steps: BTreeMap<String, u64>,
    /// All tensors by name.
    pub tensors: BTreeMap<String, StoredTensor>,
    /// The run that it is of.
    pub about: Option<About>,
}

/// What the metadata holds as JSON.
#[derive(Serialize, Deserialize)]
struct State {
    progress: Progress,
    optimiser_steps: BTreeMap<String, u64>,
    task: serde_json::Value,
    #[serde(default)]
    about: Option<About>,
}

/// A tensor of a task, as it is written.
struct Stored<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(self.values))
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

// Tensors are written as they lie in memory; safetensors files are little-endian.
#[cfg(target_endian = "big")]
compile_error!("checkpoints are written as little-endian f32");

/// Vectors of a task with their layouts, by the first parts of their tensors' names.
pub(super) fn vectors(task: &dyn Task) -> Vec<(String, &TensorLayout, &[f32])> {
    let mut vectors = Vec::new();
    for network in task.networks() {
        let layout = &*network.weights.layout;
        vectors.push((format!("{}/weights", network.name), layout, network.weights.values.as_slice()));
        vectors.push((format!("{}/average", network.name), layout, network.average.as_slice()));
        for (moment, values) in network.optimiser.moments() {
            vectors.push((format!("{}/{moment}", network.name), layout, values));
        }
    }
    for (name, buffer) in task.buffers() {
        vectors.push((format!("buffers/{name}"), &*buffer.layout, buffer.values.as_slice()));
    }
    vectors
}

/// Writes the state of a run into `dir` and removes the checkpoints that do not stay. Gives back its path.
///
/// # Errors
/// [`CheckpointError::Io`] or [`CheckpointError::NotFinite`]; older checkpoints are then untouched.
pub fn write(
    dir: &Path,
    progress: &Progress,
    task: &dyn Task,
    about: &About,
    keep: Keep,
) -> Result<PathBuf, CheckpointError> {
    let io = |file: &Path, action| {
        let file = file.to_path_buf();
        move |source| CheckpointError::Io { file, action, source }
    };
    let file = dir.join(name(progress.step));
    std::fs::create_dir_all(dir).map_err(io(dir, "creating the folder"))?;
    let optimiser_steps =
        task.networks().iter().map(|network| (network.name.to_owned(), network.optimiser.steps())).collect();
    let about = Some(about.clone());
    let state = State { progress: progress.clone(), optimiser_steps, task: task.state(), about };
    let state = serde_json::to_string(&state)
        .map_err(|error| io(&file, "writing")(std::io::Error::other(error.to_string())))?;

    let mut tensors = BTreeMap::new();
    for (prefix, layout, values) in vectors(task) {
        for tensor in layout.tensors() {
            let values = &values[tensor.range()];
            let name = format!("{prefix}/{}", tensor.name);
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(CheckpointError::NotFinite { step: progress.step, tensor: name, value });
            }
            tensors.insert(name, Stored { shape: &tensor.shape, values });
        }
    }
    let hash = hash(&state, tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape, tensor.data())));
    let metadata = HashMap::from([
        (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
        (STATE_KEY.to_owned(), state),
        (HASH_KEY.to_owned(), hash),
    ]);

    // One trainer works on a run, so one name will do, and what a kill leaves behind is written over.
    let partial = dir.join(PARTIAL);
    let written = safetensors::serialize_to_file(tensors, Some(metadata), &partial)
        .map_err(std::io::Error::other)
        .and_then(|()| File::options().write(true).open(&partial)?.sync_all())
        .and_then(|()| std::fs::rename(&partial, &file));
    if let Err(source) = written {
        // What a full disk let through would only keep it full.
        let _ = std::fs::remove_file(&partial);
        return Err(io(&file, "writing")(source));
    }
    // The rename is on the disk once the folder is; a system that cannot open folders flushes them itself.
    if let Ok(folder) = File::open(dir) {
        let _ = folder.sync_all();
    }
    let best = progress.best.map(|best| best.step);
    let stays =
        |step: u64| best == Some(step) || keep.every_steps > 0 && step.is_multiple_of(keep.every_steps) && step > 0;
    for (step, old) in list(dir, ENDING)?.into_iter().skip(keep.newest.max(1)) {
        if !stays(step) {
            std::fs::remove_file(&old).map_err(io(&old, "removing"))?;
        }
    }
    Ok(file)
}

/// The name of the checkpoint of a step.
fn name(step: u64) -> String {
    format!("step-{step:010}{ENDING}")
}

/// Whether there is a checkpoint in a folder, of whatever form and state.
///
/// # Errors
/// If the folder is there and cannot be listed.
pub fn any(dir: &Path) -> Result<bool, CheckpointError> {
    Ok(!list(dir, ENDING)?.is_empty() || !list(dir, OLD_ENDING)?.is_empty())
}

/// Over the state and all tensors in the order of their names.
fn hash<'a>(state: &str, tensors: impl Iterator<Item = (&'a str, &'a [usize], Cow<'a, [u8]>)>) -> String {
    let mut hash = Hasher::new();
    hash.update(state);
    for (name, shape, data) in tensors {
        hash.update(format!("\0{name}{shape:?}"));
        hash.update(data);
    }
    hash.finish_hex()
}

impl Checkpoint {
    /// Reads one checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be read or is not whole.
    pub fn read(file: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { file: file.to_path_buf(), action: "reading", source };
        let damaged = |reason: String| CheckpointError::Damaged { file: file.to_path_buf(), reason };
        let size = usize::try_from(std::fs::metadata(file).map_err(io)?.len()).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| damaged(format!("it has {size} bytes, more than there is memory")))?;
        File::open(file).map_err(io)?.take(size as u64).read_to_end(&mut bytes).map_err(io)?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| damaged(format!("it is cut off or changed ({error})")))?;
        let of = |key: &str| metadata.metadata().as_ref().and_then(|all| all.get(key)).map(String::as_str);
        if of(FORMAT_KEY) != Some(FORMAT) {
            return Err(damaged("another program, or another version of the trainer, wrote it".into()));
        }
        let state = of(STATE_KEY).unwrap_or_default();
        let content = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let tensors: BTreeMap<&str, _> = content.iter().collect();
        let found = hash(state, tensors.iter().map(|(name, tensor)| (*name, tensor.shape(), tensor.data().into())));
        if of(HASH_KEY) != Some(&found) {
            return Err(damaged("its content does not have its hash: it was changed".into()));
        }
        let State { progress, optimiser_steps, task, about } =
            serde_json::from_str(state).map_err(|error| damaged(format!("state: {error}")))?;
        let tensors: BTreeMap<String, StoredTensor> = tensors
            .into_iter()
            .map(|(name, tensor)| {
                let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                (name.to_owned(), StoredTensor { shape: tensor.shape().to_vec(), values })
            })
            .collect();
        let is_number = |tensor: &StoredTensor| tensor.values.iter().all(|value| value.is_finite());
        if let Some((name, _)) = tensors.iter().find(|(_, tensor)| !is_number(tensor)) {
            return Err(damaged(format!("{name} holds values that are no numbers")));
        }
        Ok(Self { file: file.to_path_buf(), progress, task, optimiser_steps, tensors, about })
    }

    /// Reads the newest checkpoint of `dir` that is whole. Those that are not are given back with it, each with the
    /// reason.
    ///
    /// # Errors
    /// [`CheckpointError::NoneLeft`] if none is; [`CheckpointError::Old`] if an earlier trainer wrote them.
    pub fn newest(dir: &Path) -> Result<(Self, Vec<CheckpointError>), CheckpointError> {
        let mut refused = Vec::new();
        for (_, file) in list(dir, ENDING)? {
            match Self::read(&file) {
                Ok(checkpoint) => return Ok((checkpoint, refused)),
                Err(error) => refused.push(error),
            }
        }
        if refused.is_empty() && !list(dir, OLD_ENDING)?.is_empty() {
            return Err(CheckpointError::Old { dir: dir.to_path_buf() });
        }
        let reason = refused.iter().fold(String::new(), |text, error| text + "; " + &error.to_string());
        Err(CheckpointError::NoneLeft { dir: dir.to_path_buf(), reason })
    }

    /// Puts a task into the checkpoint's state.
    ///
    /// # Errors
    /// [`CheckpointError::OtherModel`] if it is not the checkpoint's; the task is then of no more use.
    pub fn restore(&self, task: &mut dyn Task) -> Result<(), CheckpointError> {
        let other = |reason: String| CheckpointError::OtherModel { file: self.file.clone(), reason };
        task.restore(&self.task).map_err(other)?;
        let mut used = 0;
        let mut fill = |prefix: &str, layout: &TensorLayout, values: &mut [f32]| {
            for tensor in layout.tensors() {
                let name = format!("{prefix}/{}", tensor.name);
                let stored = self.tensors.get(&name).ok_or_else(|| other(format!("it has no tensor {name}")))?;
                if stored.shape != tensor.shape {
                    return Err(other(format!("{name} is {:?}; the model's is {:?}", stored.shape, tensor.shape)));
                }
                values[tensor.range()].copy_from_slice(&stored.values);
                used += 1;
            }
            Ok(())
        };
        for network in task.networks_mut() {
            let name = network.name;
            let layout = std::sync::Arc::clone(&network.weights.layout);
            fill(&format!("{name}/weights"), &layout, &mut network.weights.values)?;
            fill(&format!("{name}/average"), &layout, &mut network.average)?;
            for (moment, values) in network.optimiser.moments_mut() {
                fill(&format!("{name}/{moment}"), &layout, values)?;
            }
            let steps = self.optimiser_steps.get(name).ok_or_else(|| other(format!("it has no network {name}")))?;
            network.optimiser.set_steps(*steps);
        }
        for (name, buffer) in task.buffers_mut() {
            let layout = std::sync::Arc::clone(&buffer.layout);
            fill(&format!("buffers/{name}"), &layout, &mut buffer.values)?;
        }
        if used != self.tensors.len() {
            return Err(other(format!("it holds {} tensors and the model {used}", self.tensors.len())));
        }
        Ok(())
    }
}

/// The checkpoints of a folder with this ending and their steps, newest first.
fn list(dir: &Path, ending: &str) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let io = |source| CheckpointError::Io { file: dir.to_path_buf(), action: "listing", source };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let step = name.and_then(|name| name.strip_prefix("step-")?.strip_suffix(ending)?.parse().ok());
        files.extend(step.map(|step| (step, path)));
    }
    files.sort();
    files.reverse();
    Ok(files)
}
