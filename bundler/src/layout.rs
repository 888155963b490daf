//! Where things lie in a bundle. The plugin looks for its resources folder `R` from its own library's path:
//!
//! | format | the library | `R` |
//! |---|---|---|
//! | VST3 | `Continuo.vst3/Contents/<arch>/Continuo.so` | `Continuo.vst3/Contents/Resources` |
//! | CLAP on Linux and Windows | `Continuo.clap` (a file) | `Continuo.resources` beside it |
//! | CLAP on macOS | `Continuo.clap/Contents/MacOS/Continuo` | `Continuo.clap/Contents/Resources` |
//!
//! In `R` lie `runtime/` (ONNX Runtime under a name of our own, with its licence and a note of its size and hash), `presets/` (models, seed clips,
//! their licences, and patches) and `licences/` (Continuo's own and those of the crates in it). The VST3's has `moduleinfo.json` besides.
//!
//! Beside the bundles lies `Continuo.vstpresets`, the patches as presets for VST3 hosts, which look for those in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};

use continuo_package::Package;
use continuo_package::runtime_file::RuntimeNote;

use crate::place::{copy_file, copy_tree, entries, remove, replace, write_text};
use crate::platform::System;
use crate::{BundleError, Platform, plist, runtime::RuntimeFiles, vst3 as vst3_files};

/// What goes into the bundles.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The system that `library` was built for.
    pub platform: Platform,
    /// The plugin: the `cdylib` that Cargo built. It holds both formats' entry points.
    pub library: PathBuf,
    /// ONNX Runtime, as [`crate::runtime::extract`] leaves it.
    pub runtime: RuntimeFiles,
    /// The repository's `presets` folder.
    pub presets: PathBuf,
    /// Files for `R/licences`: file name and text.
    pub licences: Vec<(String, String)>,
    /// Version for `Info.plist` and the archive's name.
    pub version: String,
}

/// What was laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundles {
    /// The folder that holds all of it.
    pub folder: PathBuf,
    /// `Continuo.clap`: a file, on macOS a folder.
    pub clap: PathBuf,
    /// `Continuo.resources`; none on macOS, where the CLAP bundle holds its resources itself.
    pub clap_resources: Option<PathBuf>,
    /// `Continuo.vst3`, a folder.
    pub vst3: PathBuf,
    /// `Continuo.vstpresets`, a folder: the patches as presets for VST3 hosts. It belongs into the user's own preset folder.
    pub vst3_presets: PathBuf,
    /// How many patches went in.
    pub patches: usize,
    /// How many factory models went in.
    pub models: usize,
    /// How many seed clips went in.
    pub seeds: usize,
}

impl Bundles {
    /// What belongs together in a plugin folder, in the order in which it must be put there: a host must never see a
    /// new library before the resources that it expects.
    pub fn members(&self) -> Vec<&Path> {
        self.clap_resources.iter().chain([&self.clap, &self.vst3, &self.vst3_presets]).map(PathBuf::as_path).collect()
    }
}

/// Lays the bundles out in `folder`, replacing older ones there.
///
/// Every factory model is opened and its hashes verified first: a damaged one stops the bundling, not a producer.
pub fn lay_out(parts: &Parts, folder: &Path) -> Result<Bundles, BundleError> {
    for (path, what, advice) in [
        (&parts.library, "the plugin's library", "Build it first: cargo build --release"),
        (&parts.runtime.library, "the ONNX Runtime library", "Fetch it first: cargo xtask fetch-runtime"),
        (&parts.runtime.licence, "ONNX Runtime's licence", "Fetch it again: cargo xtask fetch-runtime"),
        (&parts.runtime.notices, "ONNX Runtime's third-party notices", "Fetch it again: cargo xtask fetch-runtime"),
    ] {
        if !path.is_file() {
            return Err(BundleError::Missing { path: path.clone(), what, advice });
        }
    }
    let note = runtime_note(&parts.runtime.library)?;
    let models = files_named(&parts.presets.join("models"), "continuo")?;
    for model in &models {
        Package::open(model)?;
    }
    let seeds = files_named(&parts.presets.join("seeds"), "wav")?.len();
    let mut presets = Vec::new();
    for patch in files_named(&parts.presets.join("patches"), "continuo-patch")? {
        let bytes = fs::read(&patch).map_err(|source| BundleError::io(&patch, "reading", source))?;
        presets.push(vst3_files::preset(&patch, &bytes)?);
    }

    let vst3 = folder.join("Continuo.vst3");
    replace(&vst3, |staging| {
        let contents = staging.join("Contents");
        copy_file(
            &parts.library,
            &contents.join(parts.platform.vst3_binary_folder()).join(parts.platform.vst3_binary()),
        )?;
        if parts.platform.system() == System::Macos {
            write_bundle_info(&contents, "vst3", &parts.version)?;
        }
        write_text(&contents.join("Resources").join("moduleinfo.json"), vst3_files::module_info(&parts.version))?;
        write_resources(parts, &note, &contents.join("Resources"))
    })?;
    let vst3_presets = folder.join("Continuo.vstpresets");
    replace(&vst3_presets, |staging| {
        fs::create_dir_all(staging).map_err(|source| BundleError::io(staging, "creating the folder", source))?;
        presets.iter().try_for_each(|(name, bytes)| write_text(&staging.join(name), bytes))
    })?;

    let clap = folder.join("Continuo.clap");
    let beside = folder.join("Continuo.resources");
    let clap_resources = if parts.platform.system() == System::Macos {
        replace(&clap, |staging| {
            let contents = staging.join("Contents");
            copy_file(&parts.library, &contents.join("MacOS").join("Continuo"))?;
            write_bundle_info(&contents, "clap", &parts.version)?;
            write_resources(parts, &note, &contents.join("Resources"))
        })?;
        remove(&beside)?;
        None
    } else {
        replace(&beside, |staging| write_resources(parts, &note, staging))?;
        replace(&clap, |staging| copy_file(&parts.library, staging))?;
        Some(beside)
    };
    Ok(Bundles {
        folder: folder.to_owned(),
        clap,
        clap_resources,
        vst3,
        vst3_presets,
        patches: presets.len(),
        models: models.len(),
        seeds,
    })
}

/// What ONNX Runtime's library must be; the one that lies there is.
fn runtime_note(library: &Path) -> Result<RuntimeNote, BundleError> {
    let failed = |source| BundleError::Runtime { path: library.to_owned(), source };
    let note = RuntimeNote::beside(library).map_err(failed)?.ok_or_else(|| BundleError::Missing {
        path: RuntimeNote::place(library),
        what: "the note on the ONNX Runtime library",
        advice: "Fetch it again: cargo xtask fetch-runtime",
    })?;
    note.check(library).map_err(failed)?;
    Ok(note)
}

fn write_resources(parts: &Parts, note: &RuntimeNote, resources: &Path) -> Result<(), BundleError> {
    let runtime = resources.join("runtime");
    let library = runtime.join(parts.platform.runtime_library());
    copy_file(&parts.runtime.library, &library)?;
    let note = RuntimeNote { file: parts.platform.runtime_library().to_owned(), ..note.clone() };
    note.write(&library).map_err(|source| BundleError::Runtime { path: library, source })?;
    copy_file(&parts.runtime.licence, &runtime.join("LICENSE"))?;
    copy_file(&parts.runtime.notices, &runtime.join("ThirdPartyNotices.txt"))?;
    copy_tree(&parts.presets, &resources.join("presets"))?;
    for (name, text) in &parts.licences {
        write_text(&resources.join("licences").join(name), text)?;
    }
    Ok(())
}

fn write_bundle_info(contents: &Path, extension: &str, version: &str) -> Result<(), BundleError> {
    write_text(&contents.join("Info.plist"), plist::info(extension, version))?;
    write_text(&contents.join("PkgInfo"), plist::PKG_INFO)
}

/// The files in `folder` with this extension; none if there is no such folder.
fn files_named(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, BundleError> {
    if !fs::exists(folder).map_err(|source| BundleError::io(folder, "reading", source))? {
        return Ok(Vec::new());
    }
    let mut paths = entries(folder)?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    Ok(paths)
}
