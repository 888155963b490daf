//! What a VST3 host reads without loading the plugin: `moduleinfo.json`, and presets.

use std::path::Path;

use crate::BundleError;
use crate::vstpreset;

/// What the factory says of itself and its class, with `@VERSION@` for the version. `tests/vst3` compares it with the factory of
/// the built library.
const MODULE_INFO: &str = include_str!("moduleinfo.json");

/// The class of the instrument, as Steinberg writes it: sixteen bytes in hexadecimal.
const CLASS_ID: &str = "436F6E74696E756F496E737472756D31";

/// Most letters of a preset's file name.
const MOST_LETTERS: usize = 128;

/// The text of `moduleinfo.json`.
pub fn module_info(version: &str) -> String {
    MODULE_INFO.replace("@VERSION@", version)
}

/// A patch as a preset for VST3 hosts: file name and bytes. The state in it is the patch as it is, which the plugin reads like any
/// other state, so that a preset finds its model and its clip wherever the plugin lies.
///
/// # Errors
/// [`BundleError::Patch`] for what is no patch with a name.
pub fn preset(patch: &Path, bytes: &[u8]) -> Result<(String, Vec<u8>), BundleError> {
    let failed = |reason: String| BundleError::Patch { path: patch.to_owned(), reason };
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| failed(error.to_string()))?;
    if json.get("continuo_patch").is_none() {
        return Err(failed("it has no `continuo_patch`".to_owned()));
    }
    let name = json.get("name").and_then(serde_json::Value::as_str).map(str::trim).unwrap_or_default();
    if name.is_empty() || name.chars().count() > MOST_LETTERS {
        return Err(failed("it has no `name` that a file can have".to_owned()));
    }
    let forbidden = |sign: char| sign.is_control() || "\\*?/:<>|\"".contains(sign);
    let file: String = name.chars().map(|sign| if forbidden(sign) { '_' } else { sign }).collect();
    Ok((format!("{file}.vstpreset"), vstpreset::write(CLASS_ID, bytes)))
}
