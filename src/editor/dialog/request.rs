//! What a dialog is opened for, and why there may be none.

use std::path::{Path, PathBuf};

use super::path::with_ending;
use crate::session::{Command, ExportFormat};

/// Audio files that can be a seed clip.
const AUDIO: [&str; 10] = ["wav", "aif", "aiff", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac"];

/// What an exported take is called unless the user says otherwise.
pub fn export_name(format: ExportFormat) -> String {
    format!("continuo-take.{}", format.ending())
}

/// What a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A model package to open.
    Model,
    /// A model that is not where it was.
    Locate,
    /// A seed clip to open.
    Seed,
    /// A file of this form to write the take to.
    Export(ExportFormat),
}

impl Purpose {
    /// What to do with a file that somebody has named.
    pub fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Model => Command::ChooseModel(path),
            Self::Locate => Command::LocateModel(path),
            Self::Seed => Command::ChooseSeed(path),
            Self::Export(format) => Command::ExportTake(with_ending(path, format)),
        }
    }

    /// What to do with a file that a dialog gave. It has asked before it gave one that is there, but not about another name.
    pub(super) fn command_after_dialog(self, path: &Path) -> Command {
        match self.command(path.to_path_buf()) {
            Command::ExportTake(named) if named == path => Command::ExportOver(named),
            command => command,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Model => "Choose a model",
            Self::Locate => "Locate the model",
            Self::Seed => "Choose a seed clip",
            Self::Export(_) => "Export the take",
        }
    }

    /// The kinds of file to offer, with their extensions; none for all files.
    pub(super) fn filters(self) -> Vec<(&'static str, &'static [&'static str])> {
        const ALL: (&str, &[&str]) = ("All files", &[]);
        match self {
            Self::Model | Self::Locate => vec![("Continuo models", &["continuo"]), ALL],
            Self::Seed => vec![("Audio", &AUDIO), ALL],
            Self::Export(ExportFormat::Wav24) => vec![("WAV", &["wav"])],
            Self::Export(ExportFormat::Flac24 | ExportFormat::Flac16) => vec![("FLAC", &["flac"])],
        }
    }
}

/// Why there is no dialog.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialogError {
    /// Neither way of opening one works.
    #[error(
        "no file dialog could be opened: the desktop portal says \"{portal}\", zenity \"{zenity}\"; type or paste the file's path below the list instead"
    )]
    #[cfg_attr(
        any(windows, target_os = "macos"),
        allow(dead_code, reason = "these systems have a dialog of their own")
    )]
    NoDialog {
        /// What the portal said.
        portal: String,
        /// What the program said.
        zenity: String,
    },
    /// No thread.
    #[error("no file dialog could be opened ({0}); type or paste the file's path below the list instead")]
    NoThread(#[from] std::io::Error),
}
