//! What `clap.preset-load` does: the host loads one of the presets that the discovery factory has told it of.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::PathBuf;
use std::ptr::null;

use clap_sys::ext::preset_load::{CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT, clap_host_preset_load};
use clap_sys::factory::preset_discovery::{CLAP_PRESET_DISCOVERY_LOCATION_FILE, clap_preset_discovery_location_kind};
use clap_sys::host::clap_host;
use nice_plug::prelude::PluginState;

use crate::params::ContinuoParams;
use crate::plugin::patches;

/// Why a place holds no preset of ours.
#[derive(Debug, thiserror::Error)]
#[error("Continuo's presets are files; this place is none")]
struct NotAFile;

/// Loads the preset in a place of the host's; gives the framework's state, or the system's number and words for what went wrong.
///
/// # Safety
/// `location` is null or a string.
pub(super) unsafe fn load(
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    params: &ContinuoParams,
) -> Result<PluginState, (i32, String)> {
    // SAFETY: as the caller promises.
    let path = unsafe { path_of(kind, location) }.ok_or_else(|| (0, NotAFile.to_string()))?;
    patches::load(&path, params).map_err(|error| (error.os_error(), error.to_string()))
}

/// Tells the host how loading a preset went.
///
/// # Safety
/// `host` must be alive, and this its main thread; the rest is what the host has given.
pub(super) unsafe fn report(
    host: *const clap_host,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
    outcome: Result<(), (i32, String)>,
) {
    // SAFETY: as the caller promises; a host's extension of that name has that structure.
    unsafe {
        let Some(listener) = listener(host).as_ref() else { return };
        match (outcome, listener.loaded, listener.on_error) {
            (Ok(()), Some(loaded), _) => loaded(host, kind, location, load_key),
            (Err((os_error, words)), _, Some(on_error)) => {
                let words = CString::new(words).unwrap_or_default();
                on_error(host, kind, location, load_key, os_error, words.as_ptr());
            }
            _ => {}
        }
    }
}

/// What the host says of presets that were loaded, or null.
///
/// # Safety
/// `host` must be alive, and this its main thread.
unsafe fn listener(host: *const clap_host) -> *const clap_host_preset_load {
    // SAFETY: as the caller promises.
    let get = |id: &CStr| unsafe { (*host).get_extension.map_or(null::<c_void>(), |get| get(host, id.as_ptr())) };
    let newest = get(CLAP_EXT_PRESET_LOAD);
    let found = if newest.is_null() { get(CLAP_EXT_PRESET_LOAD_COMPAT) } else { newest };
    found.cast()
}

/// The file that a place of a host's names; nothing for any other kind of place.
///
/// # Safety
/// `location` is null or a string.
pub(super) unsafe fn path_of(kind: clap_preset_discovery_location_kind, location: *const c_char) -> Option<PathBuf> {
    if kind != CLAP_PRESET_DISCOVERY_LOCATION_FILE || location.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { CStr::from_ptr(location) }.to_bytes();
    from_bytes(bytes).filter(|path| path.is_absolute())
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have paths that are no bytes")]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}
