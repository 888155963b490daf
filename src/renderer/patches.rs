//! Patches as sessions ask for them: each an errand, since files are read and written.

use std::path::PathBuf;
use std::sync::Arc;

use super::errands::errand;
use super::error::RenderError;
use crate::patch::{self, Patch, PatchError};
use crate::session::{Concern, Session};

/// Loads the patch in a file. What it turns waits for an editor.
pub(super) fn load(session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    errand(session, "continuo-patch", move |session| {
        let resolved = patch::resolve(Patch::read(&path)?, &path)?;
        session.load_patch(&resolved);
        Ok(())
    })
}

/// Keeps the present settings as a patch of the user's own.
pub(super) fn save(session: &Arc<Session>, name: String, over: bool) -> Result<(), RenderError> {
    own(session, move |session, folder| {
        let patch = session.to_patch(&name)?;
        let path = patch::save(&patch, &folder, over)?;
        let name: Arc<str> = patch.name.into();
        session.post(|snapshot| {
            snapshot.notice = Some(format!("Saved the patch {name} as {}.", path.display()).into());
            snapshot.patch = Some(name);
        });
        Ok(())
    })
}

/// Gives a patch of the user's own another name.
pub(super) fn rename(session: &Arc<Session>, path: PathBuf, name: String) -> Result<(), RenderError> {
    own(session, move |_, folder| patch::rename(&path, &name, &folder).map(drop))
}

/// Deletes a patch of the user's own.
pub(super) fn delete(session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    own(session, move |_, folder| patch::delete(&path, &folder))
}

/// Changes something in the user's folder; whoever lists it is to look again, also where only a part went well.
fn own(
    session: &Arc<Session>,
    change: impl FnOnce(&Session, PathBuf) -> Result<(), PatchError> + Send + 'static,
) -> Result<(), RenderError> {
    errand(session, "continuo-patch", move |session| {
        let changed = patch::user_folder().ok_or(PatchError::NoDataFolder).and_then(|folder| change(session, folder));
        session.post(|snapshot| snapshot.patches += 1);
        changed?;
        session.settle(Concern::Patch);
        Ok(())
    })
}
