//! The file of ONNX Runtime's library: its name, and the note beside it that says what it must be.
//!
//! A damaged library does not fail to load: it kills the process that loads it. So whoever lays it down writes its size and
//! its SHA-256 into a note beside it ([`RuntimeNote`]), and whoever loads it compares them first ([`check`]).

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{files, hash};

/// The library's name on Linux.
pub const LINUX: &str = "libcontinuo_onnxruntime.so";

/// The library's name on macOS.
pub const MACOS: &str = "libcontinuo_onnxruntime.dylib";

/// The library's name on Windows.
pub const WINDOWS: &str = "continuo_onnxruntime.dll";

/// The library's name on the system that this was built for: one of our own, since a host may hold another library under the
/// usual one, and Windows then hands that out.
pub const NAME: &str = if cfg!(windows) {
    WINDOWS
} else if cfg!(target_os = "macos") {
    MACOS
} else {
    LINUX
};

/// The name that the library gives itself on Linux (its SONAME), in place of `libonnxruntime.so.1`: the loader takes a library
/// that is loaded already for any other that asks for its SONAME, so under the usual one another plug-in would get ours. It is
/// no longer than the usual one, which it overwrites.
pub const SONAME: &str = "libcontinuo_ort.so";

/// Longest note that is read, in bytes.
const LONGEST_NOTE: u64 = 64 << 10;

/// What a library must be, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeNote {
    /// The file's name; the note says nothing of files of other names.
    pub file: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub sha256: String,
    /// The version of ONNX Runtime.
    pub version: String,
    /// The file that it was taken out of.
    pub origin: String,
    /// SHA-256 of that file.
    pub origin_sha256: String,
}

/// Why a library must not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeFileError {
    /// The library or its note cannot be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The note is not one.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Note {
        /// The note.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library is shorter or longer than it was.
    #[error("it has {found} bytes where it must have {expected}: it is damaged")]
    Size {
        /// What the note says.
        expected: u64,
        /// What the file has.
        found: u64,
    },
    /// The library has other content than it had.
    #[error("its content has changed (SHA-256 is {found}, not {expected}): it is damaged")]
    Content {
        /// What the note says.
        expected: String,
        /// What the file has.
        found: String,
    },
}

impl RuntimeNote {
    /// The note for the library as it lies there now.
    ///
    /// # Errors
    /// [`RuntimeFileError::Io`].
    pub fn of(library: &Path, version: &str, origin: &str, origin_sha256: &str) -> Result<Self, RuntimeFileError> {
        Ok(Self {
            file: name_of(library),
            size_bytes: size(library)?,
            sha256: sha256(library)?,
            version: version.to_owned(),
            origin: origin.to_owned(),
            origin_sha256: origin_sha256.to_owned(),
        })
    }

    /// Where the note for a library lies: beside it.
    pub fn place(library: &Path) -> PathBuf {
        let mut name = library.file_name().unwrap_or_default().to_owned();
        name.push(".json");
        library.with_file_name(name)
    }

    /// The note beside a library; none if there is no note, or only one for another file.
    ///
    /// # Errors
    /// [`RuntimeFileError::Io`], [`RuntimeFileError::Note`].
    pub fn beside(library: &Path) -> Result<Option<Self>, RuntimeFileError> {
        let path = Self::place(library);
        let damaged = |reason: String| RuntimeFileError::Note { path: path.clone(), reason };
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.len() > LONGEST_NOTE => return Err(damaged("it is too long".to_owned())),
            _ => {}
        }
        let text = std::fs::read(&path).map_err(|source| RuntimeFileError::Io { path: path.clone(), source })?;
        let note: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        Ok((note.file == name_of(library)).then_some(note))
    }

    /// Writes the note beside the library.
    ///
    /// # Errors
    /// [`RuntimeFileError::Io`].
    pub fn write(&self, library: &Path) -> Result<(), RuntimeFileError> {
        let path = Self::place(library);
        let written = serde_json::to_vec_pretty(self).map_err(io::Error::other);
        written
            .and_then(|text| files::replace_with(&path, text))
            .map_err(|source| RuntimeFileError::Io { path, source })
    }

    /// Compares a library with the note: the size first, which costs nothing.
    ///
    /// # Errors
    /// [`RuntimeFileError`].
    pub fn check(&self, library: &Path) -> Result<(), RuntimeFileError> {
        let found = size(library)?;
        if found != self.size_bytes {
            return Err(RuntimeFileError::Size { expected: self.size_bytes, found });
        }
        let found = sha256(library)?;
        if !found.eq_ignore_ascii_case(&self.sha256) {
            return Err(RuntimeFileError::Content { expected: self.sha256.clone(), found });
        }
        Ok(())
    }
}

/// Compares a library with the note beside it; `false` if there is none, as with a library of the user's own.
///
/// # Errors
/// [`RuntimeFileError`] when it must not be loaded.
pub fn check(library: &Path) -> Result<bool, RuntimeFileError> {
    let Some(note) = RuntimeNote::beside(library)? else { return Ok(false) };
    note.check(library).map(|()| true)
}

fn name_of(library: &Path) -> String {
    library.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn size(library: &Path) -> Result<u64, RuntimeFileError> {
    let metadata = std::fs::metadata(library);
    metadata.map(|metadata| metadata.len()).map_err(|source| RuntimeFileError::Io { path: library.to_owned(), source })
}

fn sha256(library: &Path) -> Result<String, RuntimeFileError> {
    hash::sha256_hex_of_file(library).map_err(|source| RuntimeFileError::Io { path: library.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_what_its_note_says_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join(NAME);
        std::fs::write(&library, b"a whole library").unwrap();
        assert!(!check(&library).unwrap(), "there is no note yet");
        let note = RuntimeNote::of(&library, "1.2.3", "a.whl", &"0".repeat(64)).unwrap();
        note.write(&library).unwrap();
        assert_eq!(RuntimeNote::beside(&library).unwrap().as_ref(), Some(&note));
        assert!(check(&library).unwrap());

        std::fs::write(&library, b"a whole libra").unwrap();
        assert!(matches!(check(&library), Err(RuntimeFileError::Size { expected: 15, found: 13 })));
        std::fs::write(&library, b"a whole libra\0\0").unwrap();
        assert!(matches!(check(&library), Err(RuntimeFileError::Content { .. })));

        // Another library beside it has no note, nor has one whose note was copied along under its name.
        let other = folder.path().join("other.so");
        std::fs::write(&other, b"x").unwrap();
        assert!(!check(&other).unwrap());
        std::fs::copy(RuntimeNote::place(&library), RuntimeNote::place(&other)).unwrap();
        assert!(!check(&other).unwrap());
    }

    #[test]
    fn a_damaged_note_is_no_note_of_a_good_library() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join(NAME);
        std::fs::write(&library, b"a whole library").unwrap();
        for text in ["", "{}", "{\"file\": 1}", &"x".repeat(100_000)] {
            std::fs::write(RuntimeNote::place(&library), text).unwrap();
            assert!(matches!(check(&library), Err(RuntimeFileError::Note { .. })), "{text:.20}");
        }
    }

    #[test]
    fn our_soname_fits_where_the_usual_one_stood() {
        assert!(SONAME.len() <= "libonnxruntime.so.1".len());
    }
}
