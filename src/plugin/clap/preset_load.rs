//! `clap.preset-load`: the host loads one of the presets that [`super::discovery`] has told it of.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::PathBuf;
use std::ptr::null;

use clap_sys::ext::preset_load::{
    CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT, clap_host_preset_load, clap_plugin_preset_load,
};
use clap_sys::factory::preset_discovery::{CLAP_PRESET_DISCOVERY_LOCATION_FILE, clap_preset_discovery_location_kind};
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;

use super::instance;
use crate::patch::PatchError;
use crate::plugin::patches;

/// The extension.
pub(super) static PRESET_LOAD: clap_plugin_preset_load = clap_plugin_preset_load { from_location: Some(from_location) };

/// Why a place holds no preset of ours.
const NOT_A_FILE: &str = "Continuo's presets are files; this place is none";

unsafe extern "C" fn from_location(
    plugin: *const clap_plugin,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
) -> bool {
    // SAFETY: as in `instance`.
    let Some(instance) = (unsafe { instance(plugin) }) else { return false };
    // SAFETY: a host gives null or the place that it was told of, as a string.
    let path = unsafe { path_of(kind, location) };
    let outcome = match &path {
        None => Err((0, NOT_A_FILE.to_owned())),
        Some(path) => patches::load(path, &instance.params).map_err(|error| (error.os_error(), words(&error))),
    };
    let loaded = match &outcome {
        Ok(state) => instance.wrapper().set_state_inner(&mut state.clone()),
        Err(_) => false,
    };
    // It was the host that changed something.
    instance.changes.forget(&instance.params);
    // SAFETY: the host is there, this is its main thread, and a host's extension of that name has that structure.
    unsafe {
        let host = instance.host;
        let Some(listener) = listener(host).as_ref() else { return loaded };
        match (outcome, listener.loaded, listener.on_error) {
            (Ok(_), Some(on_loaded), _) if loaded => on_loaded(host, kind, location, load_key),
            (Err((os_error, words)), _, Some(on_error)) => {
                let words = CString::new(words).unwrap_or_default();
                on_error(host, kind, location, load_key, os_error, words.as_ptr());
            }
            _ => {}
        }
    }
    loaded
}

fn words(error: &PatchError) -> String {
    error.to_string()
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
