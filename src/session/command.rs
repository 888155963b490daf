//! What a session can be asked for.

use std::path::PathBuf;

use super::preferences::Preferences;
use super::sound::Sound;
use super::trim::SeedTrim;

/// What the editor, or a host through a parameter, asks for.
///
/// Commands are handled in order, also while the host does not process audio; what takes long goes on beside the next.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Use this model package from the next render on. One that cannot be opened is refused, and the model before stays.
    ChooseModel(PathBuf),
    /// Use this audio file as the seed clip from the next render on.
    ChooseSeed(PathBuf),
    /// Use this part of the chosen seed clip from the next render on; `None` for all of it, of a long one the last minute.
    TrimSeed(Option<SeedTrim>),
    /// Go back to the factory model.
    FactoryModel,
    /// Go back to the first factory seed clip.
    FactorySeed,
    /// Start a render with the parameters as they stand.
    Render,
    /// Stop the render in progress, or take it out of the queue. The take before it comes back.
    Cancel,
    /// Play this to the user, from so many seconds on, through the instance's output; what is played to them now ends.
    Listen {
        /// What.
        sound: Sound,
        /// From where on.
        from_seconds: f64,
    },
    /// End what is played to the user.
    StopListening,
    /// Write the take's variation that plays (seed clip, then continuation) to this file as 24-bit WAV at the host's rate.
    /// A file that is there already stays: [`Snapshot::overwrite`](super::Snapshot::overwrite) asks.
    ExportTake(PathBuf),
    /// As [`Command::ExportTake`], in place of the file that is there.
    ExportOver(PathBuf),
    /// The file that an export would have replaced is to stay.
    KeepFile,
    /// Keep takes up to this many packed bytes inside the host's session; larger ones go to the take store.
    InlineLimit(u64),
    /// Render like this from now on, in every instance, and keep these settings for the user.
    Prefer(Preferences),
    /// The user has read the error.
    DismissError,
}
