//! Patches that a host loads: its presets. What one turns goes through the framework, which tells the host.

use std::path::Path;

use nice_plug::prelude::PluginState;

use super::state;
use crate::params::ContinuoParams;
use crate::patch::{Patch, PatchError, resolve};
use crate::session::Concern;

/// Loads the patch in a file; gives the framework's state, which tells the host of what was turned. Only on the host's main thread.
///
/// # Errors
/// [`PatchError`], which the user is told too; nothing has changed then.
pub(super) fn load(path: &Path, params: &ContinuoParams) -> Result<PluginState, PatchError> {
    place(Patch::read(path), path, params)
}

/// As [`load`], of a patch that a host keeps in a file of its own. What is wrong is told to the user.
pub(super) fn load_from_host(bytes: &[u8], params: &ContinuoParams) -> Option<PluginState> {
    let path = Path::new("this preset");
    place(Patch::parse(bytes, path), path, params).ok()
}

fn place(patch: Result<Patch, PatchError>, path: &Path, params: &ContinuoParams) -> Result<PluginState, PatchError> {
    let resolved = patch
        .and_then(|patch| resolve(patch, path))
        .inspect_err(|error| params.session.complain_of(Concern::Patch, error))?;
    params.session.load_patch(&resolved);
    params.put(&params.session.take_wishes());
    Ok(state::parameters_alone(params))
}
