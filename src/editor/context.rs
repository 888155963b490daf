//! What every part of the window draws from.

use std::sync::{Arc, Mutex};

use super::blocks::Strip;
use super::browser::Browser;
use super::cropping::Cropping;
use super::dialog::Dialogs;
use super::drag::Drags;
use super::drop::Drops;
use super::gesture::{Setter, Turns};
use super::library::Library;
use super::looks::Looks;
use super::notices::Notices;
use super::opening::Openings;
use super::order::TakeOrder;
use super::pace::Pace;
use super::spectra::Spectra;
use super::trimming::Trimming;
use crate::params::ContinuoParams;
use crate::session::{FileChoice, Session, Snapshot, TakeId};

/// What the editor remembers between frames, and while it is closed.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) library: Library,
    pub(super) dialogs: Dialogs,
    pub(super) notices: Notices,
    pub(super) drops: Drops,
    pub(super) openings: Openings,
    pub(super) pace: Pace,
    pub(super) drags: Drags,
    pub(super) browser: Browser,
    pub(super) model_path: String,
    pub(super) seed_path: String,
    pub(super) export_path: String,
    /// Where in the take the user clicked last, in seconds from the seed clip's first frame.
    pub(super) cursor_seconds: f64,
    /// Where in the take a menu was opened, in seconds from the seed clip's first frame.
    pub(super) menu_seconds: Option<f64>,
    /// What the user has turned since it was last noted.
    pub(super) turns: Arc<Mutex<Turns>>,
    /// How far the lanes are scrolled.
    pub(super) lanes: Lanes,
    /// The window as the project keeps it.
    pub(super) looks: Looks,
    /// Whether the likeliest variation is at the top, in place of the first one.
    pub(super) likeliest_first: bool,
    /// The spectrum in place of a waveform.
    pub(super) spectra: Spectra,
    /// In which order the takes are listed.
    pub(super) take_order: TakeOrder,
    /// The arrangement strip.
    pub(super) strip: Strip,
    /// The take whose name is being typed, and what is typed.
    pub(super) renaming: Option<(TakeId, String)>,
    /// The seed clip for which a preview was asked for last.
    pub(super) previewed: Option<FileChoice>,
    /// What part of the seed clip is used, as it is moved.
    pub(super) trim: Trimming,
    /// The end of a take that is being cropped.
    pub(super) cropping: Cropping,
    /// The session's revision that the host was last told about.
    pub(super) revision: u64,
}

/// How far the lanes of the waveform are scrolled.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Pixels above the first one that is seen.
    pub(super) offset: f32,
    /// Top and bottom of the lane that was brought into view last.
    pub(super) shown: Option<(f32, f32)>,
}

/// What every part of the window draws from.
pub(super) struct Cx<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) params: &'a ContinuoParams,
    pub(super) setter: Setter<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) state: &'a mut State,
}
