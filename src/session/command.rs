//! What a session can be asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arrange::Arranging;
use super::export_options::ExportOptions;
use super::parcel::Parcel;
use super::preferences::Preferences;
use super::sound::Sound;
use super::trim::SeedTrim;
use crate::take::id::TakeId;

/// What the editor, or a host through a parameter, asks for.
///
/// Commands are handled in order, also while the host does not process audio; what takes long goes on beside the next.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Use this model package from the next render on. One that cannot be opened is refused, and the model before stays.
    ChooseModel(PathBuf),
    /// Use this model package if it is the one that is lost; else ask whether it is to be used:
    /// [`Snapshot::other_model`](super::Snapshot::other_model).
    LocateModel(PathBuf),
    /// The other model that was found is not to be used.
    LeaveModel,
    /// Use this audio file as the seed clip from the next render on.
    ChooseSeed(PathBuf),
    /// Use this part of the chosen seed clip from the next render on; `None` for all of it, of a long one the last minute.
    TrimSeed(Option<SeedTrim>),
    /// Go back to the factory model.
    FactoryModel,
    /// Go back to the first factory seed clip.
    FactorySeed,
    /// Start a render with the parameters as they stand when this is sent.
    Render,
    /// Stop the render in progress, or take it out of the queue. The take before it comes back.
    Cancel,
    /// Choose a take: it is shown, plays and is exported.
    ChooseTake(TakeId),
    /// Show and play the take that is being rendered again.
    ShowLive,
    /// Go to the take that was chosen before; the next one goes back again.
    CompareTakes,
    /// Give a variation of a take a star, or take it away.
    Star {
        /// The take.
        take: TakeId,
        /// Which variation, from 0.
        variation: usize,
        /// Whether it is to have one.
        on: bool,
    },
    /// Give a take a name; an empty one gives it its number back.
    RenameTake(TakeId, String),
    /// Take a take away. Undo brings it back.
    DeleteTake(TakeId),
    /// Change where takes are placed in the song.
    Arrange(Arranging),
    /// Make a take of a part of the chosen one, and choose it; the old one stays.
    CropTake {
        /// Which variation, from 0.
        variation: usize,
        /// From where on, in seconds from its seed clip's first frame; `None`: from its beginning.
        begin_seconds: Option<f64>,
        /// Up to where, likewise; `None`: to its end.
        end_seconds: Option<f64>,
    },
    /// Undo the last change of takes, model or seed clip.
    Undo,
    /// Do again what was undone last.
    Redo,
    /// Make the chosen take the seed clip, up to a place in it, so that a render branches off or goes on there.
    SeedFromTake {
        /// Which variation, from 0.
        variation: usize,
        /// Up to where, in seconds from its seed clip's first frame; `None`: to its end.
        until_seconds: Option<f64>,
        /// Whether to render on from there at once.
        render: bool,
    },
    /// Play this to the user, from so many seconds on, through the instance's output; what is played to them now ends.
    Listen {
        /// What.
        sound: Sound,
        /// From where on.
        from_seconds: f64,
    },
    /// End what is played to the user.
    StopListening,
    /// Write the take's variation that plays to this file, as [`Command::SetExport`] says.
    /// A file that is there already stays: [`Snapshot::overwrite`](super::Snapshot::overwrite) asks.
    ExportTake(PathBuf),
    /// As [`Command::ExportTake`], in place of the file that is there.
    ExportOver(PathBuf),
    /// Write every variation with a star, of all takes, to files of their own in this folder; none that is there is replaced.
    ExportStarred(PathBuf),
    /// Write a variation of the chosen take to a file of its own in the data folder, as an export would be, to be carried out of the
    /// window: dragged, or copied.
    WriteOut {
        /// Which variation, from 0.
        variation: usize,
        /// Where to say what came of it.
        parcel: Parcel,
    },
    /// Show this file or folder in the system's file manager.
    Reveal(Arc<Path>),
    /// Export like this from now on.
    SetExport(ExportOptions),
    /// The file that an export would have replaced is to stay.
    KeepFile,
    /// Keep takes up to this many packed bytes inside the host's session; larger ones go to the take store.
    InlineLimit(u64),
    /// Load the patch in this file: its model, its seed clip and the values of its controls. No take changes.
    LoadPatch(PathBuf),
    /// Keep the model, the seed clip and the values of the controls as a patch of the user's own.
    SavePatch {
        /// Its name.
        name: String,
        /// Whether it may take the place of one of that name.
        over: bool,
    },
    /// Give a patch of the user's own another name.
    RenamePatch(PathBuf, String),
    /// Delete a patch of the user's own.
    DeletePatch(PathBuf),
    /// Render like this from now on, in every instance, and keep these settings for the user.
    Prefer(Preferences),
    /// The user has read the error.
    DismissError,
}
