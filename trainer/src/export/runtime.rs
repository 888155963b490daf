//! Where the ONNX Runtime library is.

use std::path::{Path, PathBuf};

use continuo_engine::{Runtime, RuntimeError};
use continuo_package::runtime_file::NAME;

/// The places where the library may be, in order: what the caller named, the resources folder beside the program, and
/// what `cargo xtask` fetched into the source folder.
pub fn candidates(named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named.to_path_buf()];
    }
    let mut places = Vec::new();
    if let Some(resources) = std::env::var_os("CONTINUO_RESOURCES") {
        places.push(Path::new(&resources).join("runtime").join(NAME));
    }
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.push(folder.join("resources/runtime").join(NAME));
        places.push(folder.join("runtime").join(NAME));
    }
    if let Ok(folder) = std::env::current_dir() {
        places.push(folder.join(".cache/runtime").join(NAME));
    }
    places
}

/// Opens the library, if it is anywhere.
///
/// # Errors
/// If the caller named a library that does not load, or one that was found does not.
pub fn find(named: Option<&Path>) -> Result<Option<Runtime>, RuntimeError> {
    // A process that holds the library already would open it in place of one that is not there.
    if let Some(named) = named.filter(|named| !named.is_file()) {
        return Err(RuntimeError {
            path: named.to_path_buf(),
            reason: "there is no such file".into(),
            advice: "Name another, or fetch it with `cargo xtask fetch-runtime`",
        });
    }
    let places = candidates(named);
    let found = if named.is_some() { places.first() } else { places.iter().find(|place| place.is_file()) };
    found.map(|place| Runtime::open(place)).transpose()
}
