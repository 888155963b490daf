//! The user's own plugin folders, and putting the bundles there.

use std::path::{Path, PathBuf};

use directories::BaseDirs;

use crate::place::{copy_file, copy_tree, entries, replace};
use crate::platform::System;
use crate::{BundleError, Bundles};

/// A plugin's folder among presets: its vendor's name and its own.
const OWN_PRESETS: &str = "Continuo/Continuo";

/// Where hosts look for the plugins of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFolders {
    /// CLAP plugins.
    pub clap: PathBuf,
    /// VST3 plugins.
    pub vst3: PathBuf,
    /// Presets of this plugin for VST3 hosts. A user's own may lie there too.
    pub vst3_presets: PathBuf,
}

impl PluginFolders {
    /// The standard folders of the user who runs this, on `system`.
    pub fn of_user(system: System) -> Result<Self, BundleError> {
        let dirs = BaseDirs::new().ok_or(BundleError::NoHome)?;
        Ok(Self::below(system, dirs.home_dir(), dirs.data_local_dir()))
    }

    /// The standard folders below a home folder; `local_data` is what Windows calls `%LOCALAPPDATA%`.
    ///
    /// Sources: the CLAP header `entry.h` and Steinberg's "VST 3 Locations / Format", the per-user locations of both, and of presets
    /// (on Windows the one of factory presets, which roams with the user).
    pub fn below(system: System, home: &Path, local_data: &Path) -> Self {
        match system {
            System::Linux => Self {
                clap: home.join(".clap"),
                vst3: home.join(".vst3"),
                vst3_presets: home.join(".vst3/presets").join(OWN_PRESETS),
            },
            System::Macos => {
                let plugins = home.join("Library/Audio/Plug-Ins");
                let presets = home.join("Library/Audio/Presets");
                Self { clap: plugins.join("CLAP"), vst3: plugins.join("VST3"), vst3_presets: presets.join(OWN_PRESETS) }
            }
            System::Windows => {
                let common = local_data.join("Programs").join("Common");
                let roaming = home.join("AppData").join("Roaming");
                Self {
                    clap: common.join("CLAP"),
                    vst3: common.join("VST3"),
                    vst3_presets: roaming.join("VST3 Presets").join(OWN_PRESETS),
                }
            }
        }
    }
}

/// Copies the bundles into `folders`, each member in one step; returns what was put where.
///
/// Resources go before the library that reads them. If a step fails, what was there before that step stays.
pub fn install(bundles: &Bundles, folders: &PluginFolders) -> Result<Vec<PathBuf>, BundleError> {
    let mut installed = Vec::new();
    for member in bundles.members() {
        if member == bundles.vst3_presets {
            // File by file: hosts keep what the user saves in that folder too.
            for preset in entries(member)? {
                let target = folders.vst3_presets.join(preset.file_name().unwrap_or_default());
                replace(&target, |staging| copy_file(&preset, staging))?;
            }
            installed.push(folders.vst3_presets.clone());
            continue;
        }
        let folder = if member == bundles.vst3 { &folders.vst3 } else { &folders.clap };
        let target = folder.join(member.file_name().unwrap_or_default());
        replace(&target, |staging| {
            if member.is_dir() { copy_tree(member, staging).map(drop) } else { copy_file(member, staging) }
        })?;
        installed.push(target);
    }
    Ok(installed)
}
