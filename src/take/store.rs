//! The take store: sounds too large for the host's session, in files named by the SHA-256 of what they hold.
//!
//! A file is written beside its final name and then renamed, so that a file of a given name is whole or absent; what is
//! read is hashed again. Files are never changed, and equal sounds share one file.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use continuo_engine::files;

/// Why the take store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// This system names no folder for user data.
    #[error(
        "this account has no folder for user data, so large takes cannot be kept outside the project; raise the limit for takes inside the project"
    )]
    NoFolder,
    /// Writing failed.
    #[error(
        "a large take could not be written to {path} ({reason}); it stays inside the project — free some space or make the folder writable, then render or save again"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not there or cannot be read.
    #[error(
        "the take's sound {path} cannot be read ({reason}); copy it from the machine where the take was made, or render the take again"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A name in the project is not a SHA-256.
    #[error(
        "the project names a stored take {0:?}, which is not a SHA-256; the project file is damaged — render the take again"
    )]
    Name(String),
}

/// A folder of content-addressed files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in the user's data folder. Nothing is created before something is written.
    pub fn of_user() -> Option<Self> {
        crate::resources::user_data_dir().map(|folder| Self::at(folder.join("takes")))
    }

    /// A store in `folder`.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stores `bytes`, whose SHA-256 is `sha256`.
    pub fn put(&self, sha256: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(sha256)?;
        let failed = |error: std::io::Error| StoreError::Write { path: path.clone(), reason: error.to_string() };
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes.len() as u64)
            && self.get(sha256, bytes.len() as u64).is_ok_and(|present| present == bytes)
        {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(failed)?;
        // Instances and processes may write the same sound at once; each under a name of its own until it is whole.
        files::replace_with(&path, bytes).map_err(failed)
    }

    /// Reads what has the SHA-256 `sha256`, at most `limit` bytes. The caller hashes it.
    pub fn get(&self, sha256: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(sha256)?;
        let failed = |reason: String| StoreError::Read { path: path.clone(), reason };
        let file = fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(failed("it is larger than the project says".to_owned()));
        }
        Ok(bytes)
    }

    fn path(&self, sha256: &str) -> Result<PathBuf, StoreError> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash { Ok(self.folder.join(format!("{sha256}.take"))) } else { Err(StoreError::Name(sha256.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use continuo_engine::hash::sha256_hex;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("takes"));
        let bytes = vec![7u8; 10_000];
        let name = sha256_hex(&bytes);
        store.put(&name, &bytes).unwrap();
        store.put(&name, &bytes).unwrap();
        assert_eq!(store.get(&name, 10_000).unwrap(), bytes);
        assert!(store.get(&name, 9_999).is_err());
        assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_path_buf());
        let bytes = vec![7u8; 1_000];
        let name = sha256_hex(&bytes);
        fs::write(folder.path().join(format!("{name}.take")), vec![8u8; 1_000]).unwrap();
        store.put(&name, &bytes).unwrap();
        assert_eq!(store.get(&name, 1_000).unwrap(), bytes);
    }

    #[test]
    fn no_name_leaves_the_folder() {
        let store = Store::at(PathBuf::from("/nowhere"));
        for name in ["../../etc/passwd", "", &"/".repeat(64), &"g".repeat(64)] {
            assert!(matches!(store.get(name, 10), Err(StoreError::Name(_))), "{name}");
        }
    }
}
