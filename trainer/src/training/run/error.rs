//! What can be wrong with a run, and what to do.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::data::dataset::DatasetError;
use crate::device::DeviceError;
use crate::peers::PeersError;
use crate::task::TaskError;
use crate::training::checkpoint::CheckpointError;

/// Why a run cannot start, go on or be read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of the run.
    #[error("{}: {action} failed: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `train` would overwrite a run.
    #[error("{}: there is a run already. Go on with `continuo-trainer resume`, or replace it with --force", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// Another trainer works on it.
    #[error("{}: another trainer{process} is at work on this run. Wait for it, or stop it with Ctrl-C or `kill`", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
        /// Which one, as ` (process 123)`, if it says so.
        process: String,
    },
    /// The last state could not be saved.
    #[error(
        "step {step}, where training stood, could not be saved, and the newest checkpoint is of step {saved}: {source}"
    )]
    Unsaved {
        /// The step that is lost.
        step: u64,
        /// The step of the newest checkpoint.
        saved: u64,
        /// Why.
        source: CheckpointError,
    },
    /// The folder is something else.
    #[error("{}: not a run ({reason}). Give a folder that `continuo-trainer train` made, or a checkpoint in it", dir.display())]
    NotARun {
        /// The folder.
        dir: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Files of the names that a run needs are somebody else's.
    #[error("{}: its {name} is not of a run, and would be overwritten. Give another folder with --out", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// The file.
        name: &'static str,
    },
    /// A run's configuration that was changed into none.
    #[error("{source}. Or delete the file: it is made anew from the newest checkpoint")]
    OwnConfig {
        /// What is wrong with it.
        source: ConfigError,
    },
    /// Dataset and configuration do not go together.
    #[error("{}: {reason}", dir.display())]
    Data {
        /// The dataset's folder.
        dir: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The model to start from cannot be used.
    #[error("{}: {reason}", file.display())]
    Initial {
        /// The package.
        file: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The package to start from cannot be read.
    #[error(transparent)]
    Package(#[from] continuo_package::PackageError),
    /// A loss is no number any more.
    #[error(
        "step {step}: {what} is {value}. Training has diverged; the checkpoints are from before. Lower learning_rate in the \
         run's config.toml, or set clip_norm. If it ends here again, the newest checkpoints are too late: remove them"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// Which loss, or whose gradient.
        what: String,
        /// Its value.
        value: f64,
    },
    /// The losses are far beyond what knowing nothing costs.
    #[error(
        "step {step}: {what}. Training has run away and will not come back; the checkpoints are from before. Lower \
         learning_rate in the run's config.toml, or set clip_norm. If it ends here again, the newest checkpoints are too late: \
         remove them"
    )]
    Hopeless {
        /// The step.
        step: u64,
        /// Which loss, and how large.
        what: String,
    },
    /// The family's own reason.
    #[error(transparent)]
    Task(TaskError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The workers that train together.
    #[error(transparent)]
    Peers(#[from] PeersError),
}
