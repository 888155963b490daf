//! What a user may set about the renderer: a small file in their data folder, the same for every project and instance.
//!
//! ```json
//! { "threads": 0, "priority": "low", "precision": "auto" }
//! ```

use std::path::Path;

use continuo_engine::{MOST_THREADS, Precision};
use serde::{Deserialize, Serialize};

use super::RenderError;
use crate::resources;

/// The file's name in the user's data folder.
const FILE: &str = "renderer.json";

/// How the renderer's threads stand against the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Priority {
    /// Below everything that the host does.
    #[default]
    Low,
    /// As any other thread.
    Normal,
}

/// The renderer's settings. What a file leaves out stays as it is by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Preferences {
    /// Threads that render; 0 takes half of the processor's cores, two at least.
    threads: usize,
    /// Their priority.
    pub priority: Priority,
    /// In what models are computed; none (`"auto"`) leaves it to the model.
    #[serde(with = "precision_or_auto")]
    pub precision: Option<Precision>,
}

impl Preferences {
    /// The user's settings; the defaults where there is no file. With a file that cannot be understood come the defaults
    /// and what to tell the user.
    pub fn of_user() -> (Self, Option<RenderError>) {
        let Some(folder) = resources::user_data_dir() else { return (Self::default(), None) };
        let file = folder.join(FILE);
        match Self::read(&file) {
            Ok(preferences) => (preferences, None),
            Err(reason) => (Self::default(), Some(RenderError::Preferences { path: file, reason })),
        }
    }

    fn read(file: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How many threads render.
    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if self.threads == 0 { cores.div_ceil(2).max(2).min(cores) } else { self.threads };
        threads.clamp(1, MOST_THREADS)
    }
}

mod precision_or_auto {
    use continuo_engine::Precision;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(precision: &Option<Precision>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(precision.map_or("auto", Precision::name))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Precision>, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "auto" {
            return Ok(None);
        }
        let unknown = || D::Error::custom(format!("`{name}` is not a precision; auto, f32, bf16 and int8 are"));
        Precision::named(&name).map(Some).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_say_something_everything_or_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Preferences::read(&file)
        };
        assert_eq!(Preferences::read(&folder.path().join("none")), Ok(Preferences::default()));
        assert_eq!(read("{}"), Ok(Preferences::default()));
        assert!(read("nonsense").is_err());
        assert!(read(r#"{"precision": "int3"}"#).is_err_and(|reason| reason.contains("bf16")));
        let said = read(r#"{"threads": 3, "priority": "normal", "precision": "bf16"}"#).unwrap();
        let expected = Preferences { threads: 3, priority: Priority::Normal, precision: Some(Precision::Bf16) };
        assert_eq!(said, expected);
        assert_eq!(read(&serde_json::to_string(&said).unwrap()), Ok(said));
        assert_eq!(said.threads(), 3);
        assert_eq!(read(r#"{"threads": 100000}"#).unwrap().threads(), MOST_THREADS);
        assert!(Preferences::default().threads() >= 1);
    }
}
