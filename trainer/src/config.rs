//! The configuration of a training run, `CONFIG.toml`: what all families have in common.
//!
//! The key `family` at the top of the file says whose configuration it is; everything else is read by that family, and a
//! key that it does not know is refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::nn::Precision;
use crate::task::{Task, TaskError};
use crate::training::checkpoint::Keep;

/// The largest configuration that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// What the file says.
    #[error("{}: {fault}", file.display())]
    Fault {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: ConfigFault,
    },
}

/// What is wrong with a configuration; the file is named by [`ConfigError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// It is not TOML, or has a field that does not exist or lacks one that must.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot work.
    #[error("{field} {reason}")]
    Value {
        /// The field, with its table.
        field: &'static str,
        /// What is wrong with it and what would be right.
        reason: String,
    },
}

impl ConfigFault {
    /// Nothing if a field's value is good, else a fault with the reason.
    ///
    /// # Errors
    /// The fault.
    pub fn unless(good: bool, field: &'static str, reason: &str) -> Result<(), Self> {
        if good { Ok(()) } else { Err(Self::Value { field, reason: reason.to_owned() }) }
    }
}

/// Everything that decides a run of one family, given a dataset.
pub trait Configuration: std::fmt::Debug {
    /// The family's name, as in the file.
    fn family(&self) -> &'static str;

    /// Frames per second; the dataset must have the same.
    fn sample_rate_hz(&self) -> u32;

    /// Channels; the dataset must have as many.
    fn channels(&self) -> u16;

    /// What the loop has to know.
    fn plan(&self) -> Plan;

    /// Trains for so many steps in place of the configured number.
    fn set_steps(&mut self, steps: u64);

    /// What the recordings are.
    fn corpus(&self) -> &Corpus;

    /// The configuration as TOML, with `family` in it.
    fn to_toml(&self) -> String;

    /// A task before its first step, with fresh weights.
    ///
    /// # Errors
    /// If the device cannot be used.
    fn task(&self, device: &Device) -> Result<Box<dyn Task>, TaskError>;
}

/// What the training loop has to know of a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Steps after which training is finished.
    pub steps: u64,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
    /// Which checkpoints stay.
    pub keep: Keep,
    /// Steps between lines of the log.
    pub log_every_steps: u64,
    /// Steps between previews; 0 = none.
    pub preview_every_steps: u64,
    /// Steps between measurements on held-out recordings; 0 = only at the end.
    pub measure_every_steps: u64,
    /// Decides the initial weights, the order of the chunks and all that a step draws.
    pub rng_seed: u64,
    /// In what arithmetic a GPU multiplies.
    pub precision: Precision,
}

/// Facts about the recordings, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Corpus {
    /// What they are, where they come from.
    pub description: String,
    /// Their licence.
    pub licence: String,
}

/// A family that can be trained.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name, as in the key `family`.
    pub name: &'static str,
    /// Reads and checks a configuration of this family.
    pub parse: fn(&str) -> Result<Box<dyn Configuration>, ConfigFault>,
}

/// Reads and checks a configuration of one of these families.
///
/// # Errors
/// [`ConfigError`], which names the file and the field.
pub fn read(file: &Path, families: &[Family]) -> Result<Box<dyn Configuration>, ConfigError> {
    let io = |source| ConfigError::Io { file: file.to_path_buf(), source };
    if std::fs::metadata(file).map_err(io)?.len() > MAX_BYTES {
        let reason = "is larger than any configuration; give a TOML file such as those in trainer/configs";
        return Err(ConfigError::Fault { file: file.to_path_buf(), fault: ConfigFault::Syntax(reason.into()) });
    }
    parse(&std::fs::read_to_string(file).map_err(io)?, families)
        .map_err(|fault| ConfigError::Fault { file: file.to_path_buf(), fault })
}

/// Checks a configuration of one of these families.
///
/// # Errors
/// [`ConfigFault`], which names the field.
pub fn parse(text: &str, families: &[Family]) -> Result<Box<dyn Configuration>, ConfigFault> {
    /// Read before the rest, which belongs to the family.
    #[derive(Deserialize)]
    struct Tag {
        family: Option<String>,
    }
    let tag: Tag = toml::from_str(text).map_err(|error| ConfigFault::Syntax(error.to_string()))?;
    let names = || families.iter().map(|family| family.name).collect::<Vec<_>>().join(", ");
    let fault = |reason: String| ConfigFault::Value { field: "family", reason };
    let Some(name) = tag.family else {
        return Err(fault(format!(
            "is missing: say at the top of the file, above the first [table], whose configuration it is, as in family = \
             \"wavenet\". The families are: {}",
            names()
        )));
    };
    let family = families.iter().find(|family| family.name == name);
    let family = family.ok_or_else(|| fault(format!("is {name:?}; the families are: {}", names())))?;
    (family.parse)(text)
}
