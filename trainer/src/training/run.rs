//! A run: a folder that holds a configuration, where the data is, checkpoints and a log.
//!
//! ```text
//! RUN/config.toml      the configuration, as it is in force
//! RUN/run.json         the run's id, its dataset and that dataset's fingerprint
//! RUN/checkpoints/     the newest checkpoints, the best one, and those that are kept for good
//! RUN/log.jsonl        one JSON object per line: losses, rates, measurements
//! RUN/previews/        what the model sounded like after so many steps
//! RUN/events/          the log, the sounds and the weights for TensorBoard
//! RUN/lock             held by the trainer that works on the run
//! ```
//!
//! A run is what its checkpoints hold: the two files beside them can be made anew from any checkpoint, and a folder without
//! one has nothing to lose.

mod error;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use continuo_package::{files, hash};

pub use error::RunError;

use super::checkpoint::{self, Checkpoint};
use super::run_file::About;
pub use super::run_file::RunFile;
use crate::config::{self, ConfigError, Configuration, Family};
use crate::data::dataset::Dataset;

/// How names of model packages end.
const ENDING: &str = "continuo";
const RUN_FILE: &str = "run.json";
const CONFIG_FILE: &str = "config.toml";
const LOG_FILE: &str = "log.jsonl";
const CHECKPOINTS: &str = "checkpoints";

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
    /// A run that is not on the disk yet.
    ///
    /// # Errors
    /// [`RunError::Data`] if the dataset does not fit the configuration.
    pub fn plan(dir: &Path, config: Box<dyn Configuration>, dataset: &Dataset) -> Result<Self, RunError> {
        check_data(&*config, dataset)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let mut hasher = hash::Hasher::new();
        hasher.update(config.to_toml());
        hasher.update(dataset.fingerprint());
        hasher.update(now.to_le_bytes());
        let mut file = RunFile {
            run_id: hash::to_hex(&hasher.finish()[..8]),
            data: PathBuf::new(),
            data_beside: None,
            data_fingerprint: dataset.fingerprint().to_owned(),
            trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
            initial_model: None,
        };
        file.place_data(dataset.dir(), dir);
        Ok(Self { dir: dir.to_path_buf(), config, file })
    }

    /// Puts a planned run on the disk. A folder without a checkpoint has nothing to lose and is taken.
    ///
    /// # Errors
    /// [`RunError::Exists`] where there are checkpoints, without `force`; [`RunError::Foreign`]; [`RunError::Io`].
    pub fn establish(&self, force: bool) -> Result<(), RunError> {
        let begun = checkpoint::any(&self.checkpoints())?;
        if begun && !force {
            return Err(RunError::Exists { dir: self.dir.clone() });
        }
        if begun || self.dir.join(RUN_FILE).exists() {
            for part in
                [self.checkpoints(), self.previews(), self.dir.join("events"), self.log(), self.dir.join(RUN_FILE)]
            {
                files::remove(&part).map_err(|source| RunError::Io { file: part, action: "removing", source })?;
            }
        } else if let Some(name) = [CONFIG_FILE, LOG_FILE].into_iter().find(|name| self.dir.join(name).exists()) {
            // In a folder that is no run, what has these names is somebody's own.
            return Err(RunError::Foreign { dir: self.dir.clone(), name });
        }
        self.save()
    }

    /// A new run, planned and put on the disk.
    ///
    /// # Errors
    /// Those of [`Run::plan`] and [`Run::establish`].
    pub fn create(
        dir: &Path,
        config: Box<dyn Configuration>,
        dataset: &Dataset,
        force: bool,
    ) -> Result<Self, RunError> {
        let run = Self::plan(dir, config, dataset)?;
        run.establish(force)?;
        Ok(run)
    }

    /// Opens the run that a path means: its folder, or anything in it. What is missing beside the checkpoints is made anew
    /// from the newest one, and told.
    ///
    /// # Errors
    /// [`RunError::NotARun`], or what is wrong with its configuration.
    pub fn open(path: &Path, families: &[Family]) -> Result<Self, RunError> {
        let not_a_run = |reason: String| RunError::NotARun { dir: path.to_path_buf(), reason };
        let Some(dir) = locate(path) else {
            let reason =
                if path.exists() { "it holds no run.json and no checkpoints" } else { "there is no such folder" };
            return Err(not_a_run(reason.into()));
        };
        let read = std::fs::read_to_string(dir.join(RUN_FILE)).map_err(|error| error.to_string());
        let file = read.and_then(|text| serde_json::from_str::<RunFile>(&text).map_err(|error| error.to_string()));
        let config_file = dir.join(CONFIG_FILE);
        // An empty one is what a system that went down leaves.
        let there = std::fs::metadata(&config_file).is_ok_and(|metadata| metadata.len() > 0);
        let own = |source| RunError::OwnConfig { source };
        if let Ok(file) = &file
            && there
        {
            let file = file.clone();
            return Ok(Self { config: config::read(&config_file, families).map_err(own)?, dir, file });
        }
        let reason =
            file.as_ref().err().map_or_else(|| format!("it has no {CONFIG_FILE}"), |e| format!("{RUN_FILE}: {e}"));
        let about = Checkpoint::newest(&dir.join(CHECKPOINTS)).ok().and_then(|(checkpoint, _)| checkpoint.about);
        let Some(About { run, config: text }) = about else { return Err(not_a_run(reason)) };
        eprintln!("{}: {reason}; it is made anew from the newest checkpoint", dir.display());
        let config = if there {
            config::read(&config_file, families).map_err(own)?
        } else {
            let fault = |fault| ConfigError::Fault { file: config_file, fault };
            config::parse(&text, families).map_err(fault)?
        };
        let run = Self { dir, config, file: file.unwrap_or(run) };
        run.save()?;
        Ok(run)
    }

    /// Whether a path means a run and not a model package.
    pub fn is_meant(path: &Path) -> bool {
        path.is_dir() || path.extension().is_none_or(|ending| ending != ENDING) && locate(path).is_some()
    }

    /// What a checkpoint holds of the run.
    pub fn about(&self) -> About {
        About { run: self.file.clone(), config: self.config.to_toml() }
    }

    /// Writes configuration and `run.json`.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn save(&self) -> Result<(), RunError> {
        let io = |file: PathBuf, action| move |source| RunError::Io { file, action, source };
        std::fs::create_dir_all(&self.dir).map_err(io(self.dir.clone(), "creating the folder"))?;
        let json = serde_json::to_string_pretty(&self.file);
        let json = json.map_err(|error| io(self.dir.join(RUN_FILE), "writing")(std::io::Error::other(error)))?;
        // The second makes the folder a run: a configuration alone could be somebody's own.
        for (name, text) in [(RUN_FILE, json), (CONFIG_FILE, self.config.to_toml())] {
            let file = self.dir.join(name);
            files::replace_with(&file, text).map_err(io(file, "writing"))?;
        }
        Ok(())
    }

    /// Keeps other trainers off the run for as long as the result lives; the system lets go of it when this process ends,
    /// however it ends. Temporary files of a trainer that was killed are cleared away.
    ///
    /// # Errors
    /// [`RunError::Busy`], or [`RunError::Io`] if the folder cannot be written.
    pub fn lock(&self) -> Result<File, RunError> {
        let file = self.dir.join("lock");
        let io = |source| RunError::Io { file: file.clone(), action: "writing", source };
        std::fs::create_dir_all(&self.dir).map_err(io)?;
        let lock = File::options().create(true).truncate(false).write(true).open(&file).map_err(io)?;
        match lock.try_lock() {
            // Its terminal may be gone: whoever wants to stop it has to know which process it is.
            Ok(()) => drop(lock.set_len(0).and_then(|()| write!(&lock, "{}", std::process::id()))),
            Err(TryLockError::WouldBlock) => {
                let id = std::fs::read_to_string(&file).ok().and_then(|text| text.parse::<u32>().ok());
                let process = id.map_or_else(String::new, |id| format!(" (process {id})"));
                return Err(RunError::Busy { dir: self.dir.clone(), process });
            }
            // Some network drives have no locks; training there is as safe as it can be.
            Err(TryLockError::Error(error)) => eprintln!("{}: not locked: {error}", file.display()),
        }
        for folder in [self.dir.clone(), self.checkpoints(), self.previews()] {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with(".continuo-") && name.ends_with(".part") || name == checkpoint::PARTIAL {
                    let _ = files::remove(&entry.path());
                }
            }
        }
        Ok(lock)
    }

    /// Opens the dataset that the run is trained on, where it was, where it would be if it had moved with the run, or at
    /// `moved`.
    ///
    /// # Errors
    /// [`RunError::Data`] if it is another dataset, and what is wrong with the dataset if it cannot be opened.
    pub fn dataset(&self, moved: Option<&Path>) -> Result<Dataset, RunError> {
        let places = moved.map_or_else(|| self.file.places_of_data(&self.dir), |place| vec![place.to_path_buf()]);
        let mut refused = None;
        for place in places {
            match Dataset::open(&place) {
                Ok(dataset) if dataset.fingerprint() == self.file.data_fingerprint => {
                    check_data(&*self.config, &dataset)?;
                    return Ok(dataset);
                }
                Ok(dataset) => {
                    let reason = "is not the dataset that this run was started on (its index differs); give that one with \
                                  --data";
                    refused.get_or_insert(RunError::Data { dir: dataset.dir().to_path_buf(), reason: reason.into() });
                }
                Err(error) if moved.is_some() => return Err(error.into()),
                Err(error) => {
                    refused.get_or_insert(RunError::Data {
                        dir: self.file.data.clone(),
                        reason: format!("the run's dataset is not there ({error}); say where it is now with --data"),
                    });
                }
            }
        }
        Err(refused.unwrap_or_else(|| RunError::Data { dir: self.dir.clone(), reason: "names no dataset".into() }))
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.dir.join(CHECKPOINTS)
    }

    /// Where previews are.
    pub fn previews(&self) -> PathBuf {
        self.dir.join("previews")
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.dir.join(LOG_FILE)
    }
}

/// The folder of the run that a path means: the folder itself, or a file or folder in it.
fn locate(path: &Path) -> Option<PathBuf> {
    let is_run =
        |dir: &&Path| dir.join(RUN_FILE).is_file() || checkpoint::any(&dir.join(CHECKPOINTS)).is_ok_and(|any| any);
    // A bare name lies in the working folder, whose own name counts too.
    let absolute = std::path::absolute(path).ok()?;
    let up = |path: &Path| path.ancestors().take(3).find(is_run).map(Path::to_path_buf);
    // A link from elsewhere into a run means that run.
    let found = up(&absolute).or_else(|| up(&path.canonicalize().ok()?))?;
    Some(if found == absolute { path.to_path_buf() } else { found })
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
