//! From what a patch names to the files that are here.

use std::path::{Path, PathBuf};

use continuo_engine::{Model, hash};

use super::error::PatchError;
use super::file::{ClipRef, ModelRef, Patch};
use crate::resources::{self, DEFAULT_MODEL};

/// A patch whose files were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The patch.
    pub patch: Patch,
    /// Its model: none where it says nothing of one; `Some(None)` is the factory's first.
    pub model: Option<Option<PathBuf>>,
    /// Its seed clip: none where it says nothing of one.
    pub clip: Option<Clip>,
    /// What the user should know although all is well, in a sentence.
    pub notice: Option<String>,
}

/// A seed clip that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The file; none is the factory's first.
    pub path: Option<PathBuf>,
    /// The part of it that is used, from and to in seconds; none for all of it.
    pub part_seconds: Option<[f64; 2]>,
}

/// Finds the files of a patch, whose own file is `path`. Reads the model once, as its content is what tells it.
///
/// # Errors
/// [`PatchError`]: what is not here or cannot be used.
pub fn resolve(patch: Patch, path: &Path) -> Result<Resolved, PatchError> {
    let model = patch.model.as_ref().map(|model| find_model(model, path)).transpose()?;
    let clip = patch.clip.as_ref().map(|clip| find_clip(clip, path)).transpose()?;
    let (model, other) = model.unzip();
    let notice = other.filter(|other| *other).and(patch.model.as_ref()).map(|model| {
        format!("{} was made with another version of the model {}, so it may sound different.", patch.name, model.file)
    });
    Ok(Resolved { patch, model, clip, notice })
}

/// The model, none for the factory's first, and whether it is another version than the patch was made with.
fn find_model(model: &ModelRef, path: &Path) -> Result<(Option<PathBuf>, bool), PatchError> {
    let found = candidates("models", &model.file, model.path.as_deref());
    let same = |file: &&PathBuf| hash::sha256_hex_of_file(file).is_ok_and(|hash| hash == model.sha256);
    let exact = found.iter().find(same);
    let Some(file) = exact.or(found.first()) else {
        return Err(PatchError::NoModel {
            path: path.to_path_buf(),
            model: model.file.clone(),
            folder: own_folder("models"),
        });
    };
    // Only the manifest: whether it can be played here is told now, not at Render.
    Model::abilities_of(file).map_err(|error| PatchError::BadModel {
        path: path.to_path_buf(),
        model: model.file.clone(),
        reason: error.to_string(),
    })?;
    let is_first = shipped("models", DEFAULT_MODEL).as_ref() == Some(file);
    Ok(((!is_first).then(|| file.clone()), exact.is_none()))
}

fn find_clip(clip: &ClipRef, path: &Path) -> Result<Clip, PatchError> {
    let found = candidates("seeds", &clip.file, clip.path.as_deref());
    let file = found.into_iter().next().ok_or_else(|| PatchError::NoClip {
        path: path.to_path_buf(),
        clip: clip.file.clone(),
        folder: own_folder("seeds"),
    })?;
    let is_first = resources::default_seed().is_ok_and(|first| first == file);
    Ok(Clip { path: (!is_first).then_some(file), part_seconds: clip.part_seconds })
}

/// The files of this name: shipped, the user's, and where it lay.
fn candidates(kind: &str, file: &str, lay: Option<&str>) -> Vec<PathBuf> {
    let own = resources::user_data_dir().map(|folder| folder.join(kind).join(file));
    let lay = lay.map(PathBuf::from).filter(|path| path.is_absolute());
    [shipped(kind, file), own, lay].into_iter().flatten().filter(|path| path.is_file()).collect()
}

fn shipped(kind: &str, file: &str) -> Option<PathBuf> {
    Some(resources::folder().ok()?.join("presets").join(kind).join(file))
}

fn own_folder(kind: &str) -> String {
    resources::user_data_dir().map_or_else(|| kind.to_owned(), |folder| folder.join(kind).display().to_string())
}

/// How a patch names this model; none is the factory's first. Reads the file.
///
/// # Errors
/// What says that there is no such file, or that it cannot be read.
pub fn model_ref(path: Option<&Path>) -> Result<ModelRef, PatchError> {
    let path = path.map_or_else(resources::default_model, |path| Ok(path.to_path_buf()))?;
    let sha256 =
        hash::sha256_hex_of_file(&path).map_err(|source| PatchError::Unreadable { path: path.clone(), source })?;
    let file = name_of(&path);
    Ok(ModelRef { path: lay(&path, "models", &file), file, sha256 })
}

/// How a patch names this clip; none is the factory's first.
///
/// # Errors
/// What says that there is no shipped clip.
pub fn clip_ref(path: Option<&Path>, part_seconds: Option<[f64; 2]>) -> Result<ClipRef, PatchError> {
    let path = path.map_or_else(resources::default_seed, |path| Ok(path.to_path_buf()))?;
    let file = name_of(&path);
    Ok(ClipRef { path: lay(&path, "seeds", &file), file, part_seconds })
}

/// Where a file lies, unless it is a shipped one, which may lie elsewhere on another machine.
fn lay(path: &Path, kind: &str, file: &str) -> Option<String> {
    let is_shipped = shipped(kind, file).is_some_and(|shipped| shipped == path);
    path.to_str().filter(|_| !is_shipped).map(ToOwned::to_owned)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
