//! What an error is about.

use std::path::PathBuf;

use crate::files::File;
use crate::settings::{Mode, SeedSource, Settings};

/// What an error is about. It goes when that has changed, or when [`Session::settle`](super::Session::settle) says that all is well with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The chosen model's file.
    Model,
    /// The chosen seed clip's file.
    Seed,
    /// What was captured from the sidechain.
    Capture,
    /// The parameters of a render, or the host's rate.
    Settings,
    /// A file that the take is written to.
    Export,
    /// What is played to the user.
    Listening,
    /// Where the take is kept.
    Storage,
    /// What is silent in the arrangement.
    Arrangement,
    /// A patch's file.
    Patch,
    /// The renderer's settings.
    Preferences,
    /// A file dialog, or what was dropped on the window.
    Dialog,
    /// Anything else: only the user, a new render or another session takes it away.
    Other,
}

/// An error's concern, and what it is about as it was then.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) concern: Concern,
    pub(super) then: Subject,
}

/// What an error is about.
#[derive(Debug, PartialEq)]
pub(super) enum Subject {
    /// A chosen file, none for the factory's, and the file itself; and whether a render would use it.
    File(Option<PathBuf>, Option<File>, Option<(Mode, SeedSource)>),
    Capture(u64, Option<(Mode, SeedSource)>),
    Settings(Option<Settings>, Option<u32>),
    /// Whether the host runs no audio.
    Rest(bool),
    /// Nothing that changes by itself.
    Fixed,
}
