//! Putting a file or a folder in place in one step.
//!
//! What is new is written beside its target under a hidden name, then renamed. A host that holds the old library keeps
//! its own copy of it (the file is unlinked, not overwritten), and a run that dies half-way leaves the old one whole.

use std::fs;
use std::path::{Path, PathBuf};

use continuo_package::files;

use crate::BundleError;

/// Makes `target` what `write` makes at the path it is given, in one rename.
///
/// An older `target` (file, folder or link) is moved aside first and put back if the rename fails.
pub fn replace<T>(target: &Path, write: impl FnOnce(&Path) -> Result<T, BundleError>) -> Result<T, BundleError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| BundleError::io(folder, "creating the folder", source))?;
    let staging = files::beside(target, "new");
    remove(&staging)?;
    let put = || files::put_in_place(&staging, target).map_err(|source| BundleError::io(target, "replacing", source));
    let written = write(&staging).and_then(|value| put().map(|()| value));
    if written.is_err() {
        // The reason is already on its way to the caller; a leftover hidden file is the lesser trouble.
        let _ = remove(&staging);
    }
    written
}

/// Copies the plain files and folders under `from` to `to`, which must not exist; returns how many files.
///
/// Hidden files (a desktop's droppings) are left out; links are refused, since what they name may not go along.
pub fn copy_tree(from: &Path, to: &Path) -> Result<usize, BundleError> {
    let mut copied = 0;
    fs::create_dir_all(to).map_err(|source| BundleError::io(to, "creating the folder", source))?;
    for entry in entries(from)? {
        let target = match entry.file_name() {
            Some(name) if !name.to_string_lossy().starts_with('.') => to.join(name),
            _ => continue,
        };
        let kind =
            fs::symlink_metadata(&entry).map_err(|source| BundleError::io(&entry, "reading", source))?.file_type();
        if kind.is_dir() {
            copied += copy_tree(&entry, &target)?;
        } else if kind.is_file() {
            copy_file(&entry, &target)?;
            copied += 1;
        } else {
            return Err(BundleError::NotPlain { path: entry });
        }
    }
    Ok(copied)
}

/// Copies one file, making the folder above it.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), BundleError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|source| BundleError::io(folder, "creating the folder", source))?;
    }
    // Opened apart from the copy so that the error names the side that failed.
    let mut source = fs::File::open(from).map_err(|source| BundleError::io(from, "reading", source))?;
    let mut target = fs::File::create(to).map_err(|source| BundleError::io(to, "writing", source))?;
    std::io::copy(&mut source, &mut target).map_err(|source| BundleError::io(to, "writing", source))?;
    let permissions = source.metadata().map_err(|source| BundleError::io(from, "reading", source))?.permissions();
    target.set_permissions(permissions).map_err(|source| BundleError::io(to, "writing", source))
}

/// Writes `text`, making the folder above it.
pub(crate) fn write_text(path: &Path, text: impl AsRef<[u8]>) -> Result<(), BundleError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| BundleError::io(folder, "creating the folder", source))?;
    }
    fs::write(path, text).map_err(|source| BundleError::io(path, "writing", source))
}

/// The entries of a folder in name order, so that two runs do the same.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, BundleError> {
    let failed = |source| BundleError::io(folder, "reading the folder", source);
    let mut paths = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Removes a file, a link or a folder; it is fine if there is none.
pub(crate) fn remove(path: &Path) -> Result<(), BundleError> {
    files::remove(path).map_err(|source| BundleError::io(path, "removing", source))
}
