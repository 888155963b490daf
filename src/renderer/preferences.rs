//! Where the renderer's settings are kept: a small file in the user's data folder.
//!
//! ```json
//! { "threads": 0, "priority": "low", "precision": "auto" }
//! ```

use std::path::{Path, PathBuf};

use continuo_engine::files;

use super::error::RenderError;
use crate::resources;
use crate::session::Preferences;

/// The file's name in the user's data folder.
const FILE: &str = "renderer.json";

/// The user's settings; the defaults where there is no file. With a file that cannot be understood come the defaults and
/// what to tell the user.
pub(super) fn read() -> (Preferences, Option<RenderError>) {
    let Some(path) = file() else { return (Preferences::default(), None) };
    match read_file(&path) {
        Ok(preferences) => (preferences, None),
        Err(reason) => (Preferences::default(), Some(RenderError::Preferences { path, reason })),
    }
}

/// Keeps the user's settings: the file is replaced whole or stays as it was.
///
/// # Errors
/// [`RenderError::PreferencesNotKept`]
pub(super) fn write(preferences: &Preferences) -> Result<(), RenderError> {
    let Some(path) = file() else { return Ok(()) };
    write_file(&path, preferences).map_err(|error| RenderError::PreferencesNotKept { path, reason: error.to_string() })
}

fn file() -> Option<PathBuf> {
    resources::user_data_dir().map(|folder| folder.join(FILE))
}

fn read_file(file: &Path) -> Result<Preferences, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Preferences::default()),
        Err(error) => Err(error.to_string()),
    }
}

fn write_file(file: &Path, preferences: &Preferences) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    files::replace_with(file, serde_json::to_string_pretty(preferences)? + "\n")
}

#[cfg(test)]
mod tests {
    use continuo_engine::{MOST_THREADS, Precision};

    use super::*;
    use crate::session::Priority;

    #[test]
    fn a_file_may_say_something_everything_or_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read_file(&file)
        };
        assert_eq!(read_file(&folder.path().join("none")), Ok(Preferences::default()));
        assert_eq!(read("{}"), Ok(Preferences::default()));
        assert!(read("nonsense").is_err());
        assert!(read(r#"{"precision": "int3"}"#).is_err_and(|reason| reason.contains("bf16")));
        let said = read(r#"{"threads": 3, "priority": "normal", "precision": "bf16"}"#).unwrap();
        let expected = Preferences { threads: 3, priority: Priority::Normal, precision: Some(Precision::Bf16) };
        assert_eq!(said, expected);
        assert_eq!(said.threads_used(), 3);
        assert_eq!(read(r#"{"threads": 100000}"#).unwrap().threads_used(), MOST_THREADS);
    }

    #[test]
    fn what_is_written_is_read_again_and_a_failure_leaves_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("not yet there").join(FILE);
        let said = Preferences { threads: 5, priority: Priority::Normal, precision: Some(Precision::Int8) };
        write_file(&file, &said).unwrap();
        assert_eq!(read_file(&file), Ok(said));
        assert!(write_file(&file.join("below a file"), &Preferences::default()).is_err());
        assert_eq!(read_file(&file), Ok(said));
    }
}
