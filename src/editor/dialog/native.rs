//! The dialogs of Windows and macOS.

use std::path::{Path, PathBuf};

use super::request::{DialogError, Purpose, export_name};

/// Shows a dialog until the user has answered: a file, or none.
#[allow(clippy::unnecessary_wraps, reason = "other systems may have no dialog")]
pub(super) fn show(purpose: Purpose, folder: Option<&Path>) -> Result<Option<PathBuf>, DialogError> {
    let mut dialog = rfd::FileDialog::new().set_title(purpose.title());
    if let Some(folder) = folder {
        dialog = dialog.set_directory(folder);
    }
    for (name, extensions) in purpose.filters() {
        dialog = dialog.add_filter(name, if extensions.is_empty() { &["*"] } else { extensions });
    }
    Ok(match purpose {
        Purpose::Export(format) => dialog.set_file_name(export_name(format)).save_file(),
        _ => dialog.pick_file(),
    })
}
