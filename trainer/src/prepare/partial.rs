//! The dataset while it is being written: a folder beside its final place that vanishes unless it is completed.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::PrepareError;
use crate::data::dataset::{FRAMES_FILE, INDEX_FILE};

/// Longest name of a file, in bytes.
const MOST_NAME_BYTES: usize = 255;

/// Marks a folder as a half-written dataset that may be removed. Locked as long as its writer lives.
const MARKER: &str = "being-prepared";

/// A folder that is removed on drop unless [`Partial::complete`] renamed it.
#[derive(Debug)]
pub(crate) struct Partial {
    dir: PathBuf,
    out: PathBuf,
    marker: Option<File>,
}

impl Partial {
    /// Checks that `out` may be written and makes `OUT.partial`. A leftover of a killed run is removed first.
    pub(crate) fn create(out: &Path, force: bool) -> Result<Self, PrepareError> {
        check_target(out, force)?;
        let dir = partial_path(out);
        let marker_path = dir.join(MARKER);
        if dir.exists() {
            let open = File::options().read(true).write(true).open(&marker_path);
            let Ok(marker) = open else { return Err(PrepareError::InTheWay { out: dir }) };
            if marker.try_lock().is_err() {
                return Err(PrepareError::Busy { partial: dir });
            }
            std::fs::remove_dir_all(&dir).map_err(|e| PrepareError::io(&dir, "remove", e))?;
        }
        if let Some(parent) = out.parent() {
            std::fs::create_dir_all(parent).map_err(|e| PrepareError::io(parent, "create", e))?;
        }
        std::fs::create_dir(&dir).map_err(|e| PrepareError::io(&dir, "create", e))?;
        let mut partial = Self { dir, out: out.to_path_buf(), marker: None };
        let marker = File::create(&marker_path).map_err(|e| PrepareError::io(&marker_path, "create", e))?;
        if marker.try_lock().is_err() {
            return Err(PrepareError::Busy { partial: partial.dir.clone() });
        }
        partial.marker = Some(marker);
        Ok(partial)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Puts the folder in its final place, replacing an older dataset.
    pub(crate) fn complete(mut self, force: bool) -> Result<(), PrepareError> {
        // It may have appeared meanwhile.
        check_target(&self.out, force)?;
        let marker_path = self.dir.join(MARKER);
        self.marker = None;
        std::fs::remove_file(&marker_path).map_err(|e| PrepareError::io(&marker_path, "remove", e))?;
        let old = beside(&self.out, ".old");
        let replaced = self.out.exists();
        if replaced {
            std::fs::rename(&self.out, &old).map_err(|e| PrepareError::io(&self.out, "replace", e))?;
        }
        if let Err(e) = std::fs::rename(&self.dir, &self.out) {
            if replaced {
                // Back to what it was; if not even that works, `.old` still holds the dataset.
                let _ = std::fs::rename(&old, &self.out);
            }
            return Err(PrepareError::io(&self.out, "create", e));
        }
        self.dir = PathBuf::new();
        if replaced {
            std::fs::remove_dir_all(&old).map_err(|e| PrepareError::io(&old, "remove", e))?;
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.marker = None;
        if !self.dir.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Where the dataset is written before it is complete.
pub(crate) fn partial_path(out: &Path) -> PathBuf {
    beside(out, ".partial")
}

fn beside(out: &Path, ending: &str) -> PathBuf {
    let name = out.file_name().unwrap_or_default();
    let mut beside = name.to_os_string();
    beside.push(ending);
    if beside.len() > MOST_NAME_BYTES {
        // File systems refuse longer names; a name that lacks its end is still beside the right one.
        let text = name.to_string_lossy();
        let room = (0..=MOST_NAME_BYTES - ending.len()).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        beside = format!("{}{ending}", &text[..room]).into();
    }
    out.with_file_name(beside)
}

/// An empty folder may be used and a dataset may be replaced by force; anything else is somebody's.
fn check_target(out: &Path, force: bool) -> Result<(), PrepareError> {
    if out.file_name().is_none() {
        return Err(PrepareError::InTheWay { out: out.to_path_buf() });
    }
    if out.join(INDEX_FILE).is_file() && out.join(FRAMES_FILE).is_file() {
        return if force { Ok(()) } else { Err(PrepareError::Exists { out: out.to_path_buf() }) };
    }
    match std::fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(PrepareError::InTheWay { out: out.to_path_buf() }),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) => Err(PrepareError::InTheWay { out: out.to_path_buf() }),
    }
}
