//! `clap.preset-discovery-factory`: tells hosts where patches lie and what is in them, without an instance and without opening
//! anything but patches.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::time::UNIX_EPOCH;

use clap_sys::factory::preset_discovery::{
    CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT, CLAP_PRESET_DISCOVERY_IS_USER_CONTENT,
    CLAP_PRESET_DISCOVERY_LOCATION_FILE, clap_preset_discovery_factory, clap_preset_discovery_filetype,
    clap_preset_discovery_indexer, clap_preset_discovery_location, clap_preset_discovery_location_kind,
    clap_preset_discovery_metadata_receiver, clap_preset_discovery_provider, clap_preset_discovery_provider_descriptor,
};
use clap_sys::timestamp::CLAP_TIMESTAMP_UNKNOWN;
use clap_sys::universal_plugin_id::clap_universal_plugin_id;
use clap_sys::version::CLAP_VERSION;
use nice_plug::prelude::ClapPlugin as _;

use super::preset_load::path_of;
use crate::patch::{EXTENSION, Patch, PatchError, factory_folder, user_folder};
use crate::plugin::Continuo;

/// The factory of the one provider.
pub(super) static FACTORY: clap_preset_discovery_factory =
    clap_preset_discovery_factory { count: Some(count), get_descriptor: Some(get_descriptor), create: Some(create) };

const ID: &CStr = c"org.continuo.continuo.patches";

static DESCRIPTOR: clap_preset_discovery_provider_descriptor = clap_preset_discovery_provider_descriptor {
    clap_version: CLAP_VERSION,
    id: ID.as_ptr(),
    name: c"Continuo patches".as_ptr(),
    vendor: c"Continuo".as_ptr(),
};

/// A provider as the host knows it.
#[repr(C)]
struct Provider {
    /// First, so that a pointer to it is a pointer to the whole.
    provider: clap_preset_discovery_provider,
    indexer: *const clap_preset_discovery_indexer,
}

unsafe extern "C" fn count(_factory: *const clap_preset_discovery_factory) -> u32 {
    1
}

unsafe extern "C" fn get_descriptor(
    _factory: *const clap_preset_discovery_factory,
    index: u32,
) -> *const clap_preset_discovery_provider_descriptor {
    if index == 0 { &raw const DESCRIPTOR } else { null() }
}

unsafe extern "C" fn create(
    _factory: *const clap_preset_discovery_factory,
    indexer: *const clap_preset_discovery_indexer,
    id: *const c_char,
) -> *const clap_preset_discovery_provider {
    // SAFETY: ids of providers are strings.
    if indexer.is_null() || id.is_null() || unsafe { CStr::from_ptr(id) } != ID {
        return null();
    }
    let provider = clap_preset_discovery_provider {
        desc: &raw const DESCRIPTOR,
        provider_data: std::ptr::null_mut(),
        init: Some(init),
        destroy: Some(destroy),
        get_metadata: Some(get_metadata),
        get_extension: Some(get_extension),
    };
    Box::into_raw(Box::new(Provider { provider, indexer })).cast::<clap_preset_discovery_provider>().cast_const()
}

unsafe extern "C" fn destroy(provider: *const clap_preset_discovery_provider) {
    if !provider.is_null() {
        // SAFETY: `create` made the provider with a box, and a host destroys it once and uses it no more.
        drop(unsafe { Box::from_raw(provider.cast_mut().cast::<Provider>()) });
    }
}

unsafe extern "C" fn get_extension(
    _provider: *const clap_preset_discovery_provider,
    _id: *const c_char,
) -> *const c_void {
    null()
}

/// Tells the host of the kind of files, and of the folders that are there.
unsafe extern "C" fn init(provider: *const clap_preset_discovery_provider) -> bool {
    // SAFETY: `create` gives out pointers to a `Provider`'s first field; the indexer outlives the provider.
    let Some(indexer) =
        (unsafe { provider.cast::<Provider>().as_ref().and_then(|provider| provider.indexer.as_ref()) })
    else {
        return false;
    };
    let (Some(declare_filetype), Some(declare_location)) = (indexer.declare_filetype, indexer.declare_location) else {
        return false;
    };
    let Ok(extension) = CString::new(EXTENSION) else { return false };
    let filetype = clap_preset_discovery_filetype {
        name: c"Continuo patch".as_ptr(),
        description: c"A model, a seed clip and the values of the controls".as_ptr(),
        file_extension: extension.as_ptr(),
    };
    // SAFETY: the host copies what it is given during the call.
    if !unsafe { declare_filetype(indexer, &raw const filetype) } {
        return false;
    }
    for (folder, flags, name) in [
        (factory_folder().ok(), CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT, c"Continuo"),
        (user_folder(), CLAP_PRESET_DISCOVERY_IS_USER_CONTENT, c"Your own"),
    ] {
        // Hosts take a folder that is not there for a fault.
        let Some(place) = folder.filter(|folder| folder.is_dir()).as_deref().and_then(text_of) else { continue };
        let location = clap_preset_discovery_location {
            flags,
            name: name.as_ptr(),
            kind: CLAP_PRESET_DISCOVERY_LOCATION_FILE,
            location: place.as_ptr(),
        };
        // SAFETY: as above.
        if !unsafe { declare_location(indexer, &raw const location) } {
            return false;
        }
    }
    true
}

unsafe extern "C" fn get_metadata(
    _provider: *const clap_preset_discovery_provider,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    receiver: *const clap_preset_discovery_metadata_receiver,
) -> bool {
    // SAFETY: a host gives a receiver that lives through the call, and null or a string for the place.
    let (Some(receiver), path) = (unsafe { (receiver.as_ref(), path_of(kind, location)) }) else { return false };
    let Some(path) = path else {
        // SAFETY: as above.
        unsafe { fail(receiver, 0, "Continuo's presets are files; this place is none") };
        return false;
    };
    match Patch::read(&path) {
        Ok(patch) => {
            // SAFETY: as above.
            unsafe { tell(receiver, &patch, &path) };
            true
        }
        Err(error) => {
            // SAFETY: as above.
            unsafe { fail(receiver, PatchError::os_error(&error), &error.to_string()) };
            false
        }
    }
}

/// # Safety
/// `receiver` must be a host's own, alive.
unsafe fn fail(receiver: &clap_preset_discovery_metadata_receiver, os_error: i32, words: &str) {
    let words = CString::new(words).unwrap_or_default();
    if let Some(on_error) = receiver.on_error {
        // SAFETY: as the caller promises; the words live through the call.
        unsafe { on_error(receiver, os_error, words.as_ptr()) };
    }
}

/// Tells a host what is in a patch.
///
/// # Safety
/// As for [`fail`].
unsafe fn tell(receiver: &clap_preset_discovery_metadata_receiver, patch: &Patch, path: &Path) {
    // A patch holds no control characters, so each text is a whole string.
    let string = |text: &str| CString::new(text).unwrap_or_default();
    // SAFETY: as the caller promises; each string lives through the call that it is given to.
    unsafe {
        let name = string(&patch.name);
        // The file holds one preset, so there is nothing to find within it.
        if receiver.begin_preset.is_none_or(|begin| !begin(receiver, name.as_ptr(), null())) {
            return;
        }
        if let Some(add_plugin_id) = receiver.add_plugin_id {
            let id = string(Continuo::CLAP_ID);
            let id = clap_universal_plugin_id { abi: c"clap".as_ptr(), id: id.as_ptr() };
            add_plugin_id(receiver, &raw const id);
        }
        if let (Some(set_flags), Some(flags)) = (receiver.set_flags, flags_of(path)) {
            set_flags(receiver, flags);
        }
        if let Some(add_creator) = receiver.add_creator.filter(|_| !patch.author.is_empty()) {
            add_creator(receiver, string(&patch.author).as_ptr());
        }
        if let Some(set_description) = receiver.set_description.filter(|_| !patch.description.is_empty()) {
            set_description(receiver, string(&patch.description).as_ptr());
        }
        if let (Some(set_timestamps), Some(modified)) = (receiver.set_timestamps, modified(path)) {
            set_timestamps(receiver, CLAP_TIMESTAMP_UNKNOWN, modified);
        }
        if let Some(add_feature) = receiver.add_feature {
            for feature in &patch.features {
                add_feature(receiver, string(feature).as_ptr());
            }
        }
        if let Some(add_extra_info) = receiver.add_extra_info {
            let model = patch.model.as_ref().map(|model| model.file.as_str());
            let clip = patch.clip.as_ref().map(|clip| clip.file.as_str());
            let category = Some(patch.category.as_str()).filter(|category| !category.is_empty());
            for (key, value) in [(c"category", category), (c"model", model), (c"seed clip", clip)] {
                if let Some(value) = value {
                    add_extra_info(receiver, key.as_ptr(), string(value).as_ptr());
                }
            }
        }
    }
}

/// Whose a patch is; nothing where it lies in neither folder, so that the host goes by the place that it had it from.
fn flags_of(path: &Path) -> Option<u32> {
    let in_folder = |folder: Option<PathBuf>| folder.is_some_and(|folder| path.starts_with(folder));
    if in_folder(factory_folder().ok()) {
        return Some(CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT);
    }
    in_folder(user_folder()).then_some(CLAP_PRESET_DISCOVERY_IS_USER_CONTENT)
}

/// When a file was last written, in seconds since 1970.
fn modified(path: &Path) -> Option<u64> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A folder as hosts write it; nothing for one that they cannot write.
#[cfg(unix)]
fn text_of(folder: &Path) -> Option<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    CString::new(folder.as_os_str().as_bytes()).ok()
}

/// A folder as hosts write it; nothing for one that they cannot write.
#[cfg(not(unix))]
fn text_of(folder: &Path) -> Option<CString> {
    CString::new(folder.to_str()?).ok()
}
