//! A run: a folder that holds a configuration, where the data is, checkpoints and a log.
//!
//! ```text
//! RUN/config.toml      the configuration, as it is in force
//! RUN/run.json         the run's id, its dataset and that dataset's fingerprint
//! RUN/checkpoints/     the newest two checkpoints
//! RUN/log.jsonl        one JSON object per line: losses, rates, measurements
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::checkpoint::CheckpointError;
use crate::config::{self, ConfigError, Configuration, Family};
use crate::data::dataset::{Dataset, DatasetError};
use crate::device::DeviceError;
use crate::task::TaskError;

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
    /// The folder is something else.
    #[error("{}: not a run's folder ({reason}). Give a folder that `continuo-trainer train` made", dir.display())]
    NotARun {
        /// The folder.
        dir: PathBuf,
        /// What is missing.
        reason: String,
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
        "step {step}: {what} is {value}. Training has diverged; the checkpoints are from before. Lower learning_rate, or \
         set clip_norm"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// Which loss, or whose gradient.
        what: String,
        /// Its value.
        value: f64,
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
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// Identifies the run.
    pub run_id: String,
    /// The dataset's folder.
    #[serde(with = "crate::names")]
    pub data: PathBuf,
    /// The dataset's fingerprint.
    pub data_fingerprint: String,
    /// The trainer that began it.
    pub trainer_version: String,
    /// The model that its first weights came from; none for fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_model: Option<String>,
}

/// A run's folder.
#[derive(Debug)]
pub struct Run {
    /// The folder.
    pub dir: PathBuf,
    /// The configuration in force.
    pub config: Box<dyn Configuration>,
    /// What it is trained on.
    pub file: RunFile,
}

impl Run {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    /// [`RunError::Exists`] without `force`; [`RunError::Data`] if the dataset does not fit the configuration.
    pub fn create(
        dir: &Path,
        config: Box<dyn Configuration>,
        dataset: &Dataset,
        force: bool,
    ) -> Result<Self, RunError> {
        check_data(&*config, dataset)?;
        let run_file = dir.join("run.json");
        if run_file.exists() {
            if !force {
                return Err(RunError::Exists { dir: dir.to_path_buf() });
            }
            for part in [Self::checkpoints_in(dir), dir.join("log.jsonl"), run_file] {
                let removed = if part.is_dir() { std::fs::remove_dir_all(&part) } else { std::fs::remove_file(&part) };
                match removed {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(RunError::Io { file: part, action: "removing", source });
                    }
                    _ => {}
                }
            }
        }
        std::fs::create_dir_all(dir).map_err(|source| RunError::Io {
            file: dir.to_path_buf(),
            action: "creating the folder",
            source,
        })?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let mut hash = Sha256::new();
        hash.update(config.to_toml());
        hash.update(dataset.fingerprint());
        hash.update(now.to_le_bytes());
        let run_id = crate::data::dataset::hex(&hash.finalize()[..8]);
        let data = std::path::absolute(dataset.dir()).unwrap_or_else(|_| dataset.dir().to_path_buf());
        let file = RunFile {
            run_id,
            data,
            data_fingerprint: dataset.fingerprint().to_owned(),
            trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
            initial_model: None,
        };
        let run = Self { dir: dir.to_path_buf(), config, file };
        run.save()?;
        Ok(run)
    }

    /// Opens the folder of a run of one of these families.
    ///
    /// # Errors
    /// [`RunError::NotARun`], or what is wrong with its configuration.
    pub fn open(dir: &Path, families: &[Family]) -> Result<Self, RunError> {
        let not_a_run = |reason: String| RunError::NotARun { dir: dir.to_path_buf(), reason };
        let path = dir.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(|e| not_a_run(format!("run.json: {e}")))?;
        let file = serde_json::from_str(&text).map_err(|e| not_a_run(format!("run.json: {e}")))?;
        let config = config::read(&dir.join("config.toml"), families)?;
        Ok(Self { dir: dir.to_path_buf(), config, file })
    }

    /// Writes configuration and `run.json`.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn save(&self) -> Result<(), RunError> {
        let json = serde_json::to_string_pretty(&self.file).unwrap_or_default();
        for (name, text) in [("config.toml", self.config.to_toml()), ("run.json", json)] {
            let file = self.dir.join(name);
            let partial = self.dir.join(format!("{name}.partial"));
            std::fs::write(&partial, text)
                .and_then(|()| std::fs::rename(&partial, &file))
                .map_err(|source| RunError::Io { file, action: "writing", source })?;
        }
        Ok(())
    }

    /// Opens the dataset that the run is trained on, or the same one at another place.
    ///
    /// # Errors
    /// [`RunError::Data`] if it is another dataset.
    pub fn dataset(&self, moved: Option<&Path>) -> Result<Dataset, RunError> {
        let dataset = Dataset::open(moved.unwrap_or(&self.file.data))?;
        if dataset.fingerprint() != self.file.data_fingerprint {
            return Err(RunError::Data {
                dir: dataset.dir().to_path_buf(),
                reason:
                    "is not the dataset that this run was started on (its index differs); give that one with --data"
                        .into(),
            });
        }
        check_data(&*self.config, &dataset)?;
        Ok(dataset)
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        Self::checkpoints_in(&self.dir)
    }

    fn checkpoints_in(dir: &Path) -> PathBuf {
        dir.join("checkpoints")
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log.jsonl")
    }
}

fn check_data(config: &dyn Configuration, dataset: &Dataset) -> Result<(), RunError> {
    let wrong = |reason: String| Err(RunError::Data { dir: dataset.dir().to_path_buf(), reason });
    let (rate, wanted) = (dataset.sample_rate_hz(), config.sample_rate_hz());
    if rate != wanted {
        return wrong(format!(
            "has {rate} frames per second and the configuration {wanted}; prepare it with --rate {wanted}"
        ));
    }
    let (channels, wanted) = (dataset.channels(), config.channels());
    if channels != usize::from(wanted) {
        return wrong(format!("has {channels} channel(s) and the model {wanted}; prepare it with --channels {wanted}"));
    }
    Ok(())
}
