//! The folders in which patches lie: the shipped ones, which stay as they are, and the user's own.

use std::fs;
use std::path::{Path, PathBuf};

use continuo_engine::files;

use super::error::PatchError;
use super::file::{EXTENSION, MOST_LETTERS, Patch, fits, parse_map, read_bytes, text_of};
use crate::files::plain_name;
use crate::resources::{self, ResourceError};

/// Most patches of one folder that are listed.
const MOST_LISTED: usize = 2_000;

/// A file in a folder of patches.
#[derive(Debug)]
pub struct Listed {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds, or what is wrong with it.
    pub patch: Result<Patch, PatchError>,
}

/// Where the shipped patches lie.
///
/// # Errors
/// [`ResourceError::NoFolder`] where the shipped files are not found.
pub fn factory_folder() -> Result<PathBuf, ResourceError> {
    Ok(resources::folder()?.join("presets").join("patches"))
}

/// Where the user's own patches lie, if the system names a folder for user data. It need not be there yet.
pub fn user_folder() -> Option<PathBuf> {
    Some(resources::user_data_dir()?.join("patches"))
}

/// The patches in a folder in the order of file names; none where there is no such folder.
pub fn list(folder: &Path) -> Vec<Listed> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| is_patch(path))
        .take(MOST_LISTED)
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Listed { patch: Patch::read(&path), path }).collect()
}

/// Keeps a patch in a folder under its name; with `over`, also in the place of one of that name.
///
/// # Errors
/// [`PatchError::NoName`]; [`PatchError::Exists`] where there is one of that name; [`PatchError::NotWritten`].
pub fn save(patch: &Patch, folder: &Path, over: bool) -> Result<PathBuf, PatchError> {
    let path = place(&patch.name, folder)?;
    if !over {
        must_be_free(&path, &patch.name, None)?;
    }
    write(&path, &patch.to_text())?;
    Ok(path)
}

/// Gives a patch of `folder` another name, in itself and as a file. What is not understood of it stays in it.
///
/// # Errors
/// As [`save`]; [`PatchError::NotYours`] for a file that lies elsewhere; what is wrong with the patch.
pub fn rename(path: &Path, name: &str, folder: &Path) -> Result<PathBuf, PatchError> {
    must_lie_in(path, folder)?;
    let mut map = parse_map(&read_bytes(path)?, path)?;
    let name = name.trim();
    let target = place(name, folder)?;
    must_be_free(&target, name, Some(path))?;
    map.insert("name".to_owned(), name.into());
    // In its place first: where case does not matter, the new name may be the old one.
    write(path, &text_of(&map))?;
    fs::rename(path, &target).map_err(|source| PatchError::NotWritten { path: target.clone(), source })?;
    Ok(target)
}

/// Deletes a patch of `folder`.
///
/// # Errors
/// [`PatchError::NotYours`] for a file that lies elsewhere; [`PatchError::NotWritten`].
pub fn delete(path: &Path, folder: &Path) -> Result<(), PatchError> {
    must_lie_in(path, folder)?;
    fs::remove_file(path).map_err(|source| PatchError::NotWritten { path: path.to_path_buf(), source })
}

fn is_patch(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|found| found.eq_ignore_ascii_case(EXTENSION))
}

fn must_lie_in(path: &Path, folder: &Path) -> Result<(), PatchError> {
    if path.parent() == Some(folder) && is_patch(path) { Ok(()) } else { Err(PatchError::NotYours(path.to_path_buf())) }
}

/// The file that a patch of this name has in a folder.
fn place(name: &str, folder: &Path) -> Result<PathBuf, PatchError> {
    let name = name.trim();
    if name.is_empty() || !fits(name, MOST_LETTERS) {
        return Err(PatchError::NoName { most: MOST_LETTERS });
    }
    let plain = plain_name(name);
    let stem = Some(plain.trim_matches([' ', '.'])).filter(|stem| !stem.is_empty()).unwrap_or("patch");
    Ok(folder.join(format!("{stem}.{EXTENSION}")))
}

/// No other file than `own` may have this place. Systems differ in whether case matters.
fn must_be_free(place: &Path, name: &str, own: Option<&Path>) -> Result<(), PatchError> {
    let lower = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let mut entries = fs::read_dir(place.parent().unwrap_or(place)).into_iter().flatten().filter_map(Result::ok);
    let taken = entries.any(|entry| lower(&entry.path()) == lower(place) && own != Some(entry.path().as_path()));
    if taken { Err(PatchError::Exists(name.to_owned())) } else { Ok(()) }
}

fn write(path: &Path, text: &str) -> Result<(), PatchError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| files::replace_with(path, text))
        .map_err(|source| PatchError::NotWritten { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_kept_listed_renamed_and_deleted_and_nothing_is_overwritten() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("not yet there");
        let patch = |name: &str| Patch { name: name.into(), ..Patch::default() };
        assert!(list(&folder).is_empty());
        let one = save(&patch("One: two?"), &folder, false).unwrap();
        assert!(one.ends_with("One_ two_.continuo-patch"), "{}", one.display());
        assert!(matches!(save(&patch("ONE: TWO?"), &folder, false), Err(PatchError::Exists(_))));
        for name in ["", "  ", "a\nb"] {
            assert!(matches!(save(&patch(name), &folder, true), Err(PatchError::NoName { .. })), "{name:?}");
        }
        let other = save(&patch("../Other"), &folder, false).unwrap();
        assert_eq!(save(&Patch { author: "A".into(), ..patch("../Other") }, &folder, true).unwrap(), other);
        assert_eq!(Patch::read(&other).unwrap().author, "A");
        assert_eq!(other.parent(), Some(folder.as_path()));
        std::fs::write(folder.join("notes.txt"), "no patch").unwrap();
        std::fs::write(folder.join("bad.continuo-patch"), "no patch").unwrap();
        let listed = list(&folder);
        assert_eq!(listed.iter().filter(|listed| listed.patch.is_ok()).count(), 2);
        assert_eq!(listed.len(), 3);

        // What a newer Continuo has put in stays in.
        let text = std::fs::read_to_string(&one).unwrap().replacen('{', "{ \"later\": [1, 2],", 1);
        std::fs::write(&one, text).unwrap();
        assert!(matches!(rename(&one, "../other", &folder), Err(PatchError::Exists(_))));
        // A name that differs in its case alone is its own.
        let renamed = rename(&one, " one: TWO? ", &folder).unwrap();
        let text = std::fs::read_to_string(&renamed).unwrap();
        assert!(text.contains("later") && Patch::read(&renamed).unwrap().name == "one: TWO?", "{text}");
        let renamed = rename(&renamed, "Three", &folder).unwrap();
        assert_eq!(list(&folder).len(), 3);

        let elsewhere = data.path().join("x.continuo-patch");
        std::fs::write(&elsewhere, patch("x").to_text()).unwrap();
        assert!(matches!(rename(&elsewhere, "y", &folder), Err(PatchError::NotYours(_))));
        assert!(matches!(delete(&elsewhere, &folder), Err(PatchError::NotYours(_))));
        assert!(matches!(delete(&folder.join("notes.txt"), &folder), Err(PatchError::NotYours(_))));
        delete(&renamed, &folder).unwrap();
        assert!(!renamed.exists() && elsewhere.exists());
    }
}
