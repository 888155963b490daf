//! Where shipped files and the user's data lie.
//!
//! Everything is found from the plugin library's own path, never from the working directory, and only when it is needed:
//! nothing is opened while a host scans.

use std::path::{Path, PathBuf};

use continuo_engine::runtime_file::NAME;
use directories::ProjectDirs;

/// The factory model that is used until the user chooses one.
pub const DEFAULT_MODEL: &str = "piano-16k.continuo";

/// Overrides the folder of shipped files, for tests and development.
const OVERRIDE: &str = "CONTINUO_RESOURCES";

/// Why a shipped file is not there.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// No folder of shipped files.
    #[error("Continuo's shipped files were not found (looked in {}); install Continuo again, or choose a model and a seed clip of your own", .looked_in.join(", "))]
    NoFolder {
        /// The folders that were tried.
        looked_in: Vec<String>,
    },
    /// The factory model is missing.
    #[error("the factory model {0} is missing; install Continuo again, or choose another model")]
    NoModel(PathBuf),
    /// There is no factory seed clip.
    #[error("there is no seed clip in {0}; choose a seed clip of your own, or set the mode to From silence")]
    NoSeed(PathBuf),
}

/// The folder of shipped files.
///
/// Order: `CONTINUO_RESOURCES`; inside the bundle (`Contents/Resources`, VST3 on all systems and CLAP on macOS);
/// `Continuo.resources` beside the library (CLAP on Linux and Windows) or the standalone program; `resources` in the
/// user's data folder.
pub fn folder() -> Result<PathBuf, ResourceError> {
    if let Some(folder) = std::env::var_os(OVERRIDE).filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let candidates = candidates(library_path().as_deref(), user_data_dir().as_deref());
    candidates.iter().find(|folder| folder.is_dir()).cloned().ok_or_else(|| ResourceError::NoFolder {
        looked_in: candidates.iter().map(|folder| folder.display().to_string()).collect(),
    })
}

fn candidates(library: Option<&Path>, user_data: Option<&Path>) -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(library) = library {
        // …/Continuo.vst3/Contents/x86_64-linux/Continuo.so and …/Contents/MacOS/Continuo lie two levels below Contents.
        if let Some(contents) = library.ancestors().nth(2).filter(|folder| folder.ends_with("Contents")) {
            candidates.push(contents.join("Resources"));
        }
        if let Some(beside) = library.parent() {
            candidates.push(beside.join("Continuo.resources"));
        }
    }
    candidates.extend(user_data.map(|folder| folder.join("resources")));
    candidates
}

/// The factory model.
pub fn default_model() -> Result<PathBuf, ResourceError> {
    let path = folder()?.join("presets").join("models").join(DEFAULT_MODEL);
    if path.is_file() { Ok(path) } else { Err(ResourceError::NoModel(path)) }
}

/// The factory seed clip: the first in the order of names.
pub fn default_seed() -> Result<PathBuf, ResourceError> {
    let seeds = folder()?.join("presets").join("seeds");
    let first = std::fs::read_dir(&seeds)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")))
        .min();
    first.ok_or(ResourceError::NoSeed(seeds))
}

/// ONNX Runtime's library, if it was shipped; autoregressive models work without it.
pub fn onnx_runtime() -> Option<PathBuf> {
    folder().ok().map(|folder| folder.join("runtime").join(NAME)).filter(|path| path.is_file())
}

/// The user's data folder for Continuo (`~/.local/share/continuo` on Linux).
pub fn user_data_dir() -> Option<PathBuf> {
    ProjectDirs::from("", "", "Continuo").map(|dirs| dirs.data_dir().to_path_buf())
}

/// The file that this code was loaded from: the plugin library, or the program that links it.
#[cfg(unix)]
pub(crate) fn library_path() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt as _;

    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let here = (library_path as *const ()).cast::<libc::c_void>();
    // SAFETY: `here` is an address in this library, and `info` has room for what dladdr writes.
    let found = unsafe { libc::dladdr(here, info.as_mut_ptr()) };
    if found == 0 {
        return None;
    }
    // SAFETY: dladdr reported success, so it has filled `info` in (which was zeroed before besides).
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr's file name is a NUL-terminated string that lives as long as the library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    // The loader may have been given a relative path or a link.
    std::fs::canonicalize(OsStr::from_bytes(name.to_bytes())).ok()
}

/// The file that this code was loaded from: the plugin library, or the program that links it.
#[cfg(windows)]
pub(crate) fn library_path() -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt as _;

    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
        GetModuleHandleExW,
    };

    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let here = library_path as *const ();
    let mut module = std::ptr::null_mut();
    // SAFETY: `here` is an address in this library and `module` has room for the handle.
    if unsafe { GetModuleHandleExW(flags, here.cast(), &raw mut module) } == 0 {
        return None;
    }
    let mut name = vec![0_u16; 32_768];
    // SAFETY: `module` is the handle just received and `name` has the room that is announced.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) };
    (length > 0).then(|| PathBuf::from(OsString::from_wide(&name[..length as usize])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_come_before_the_users_folder() {
        let data = Path::new("/home/u/.local/share/continuo");
        let vst3 = Path::new("/usr/lib/vst3/Continuo.vst3/Contents/x86_64-linux/Continuo.so");
        assert_eq!(
            candidates(Some(vst3), Some(data)),
            [
                PathBuf::from("/usr/lib/vst3/Continuo.vst3/Contents/Resources"),
                PathBuf::from("/usr/lib/vst3/Continuo.vst3/Contents/x86_64-linux/Continuo.resources"),
                data.join("resources"),
            ]
        );
        let clap = Path::new("/home/u/.clap/Continuo.clap");
        assert_eq!(
            candidates(Some(clap), Some(data)),
            [PathBuf::from("/home/u/.clap/Continuo.resources"), data.join("resources")]
        );
    }

    #[test]
    fn this_code_knows_its_own_file() {
        assert!(library_path().is_some_and(|path| path.is_file()));
    }
}
