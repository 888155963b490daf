//! What can go wrong with a render, in sentences that say what to do.

use std::path::PathBuf;

use continuo_engine::EngineError;
use continuo_engine::audio::AudioError;

use crate::patch::PatchError;
use crate::resources::ResourceError;
use crate::session::{Concern, CropError, MAX_TAKES, TakeError};
use crate::take::bench::BenchError;
use crate::take::crop::SHORTEST_SECONDS;
use crate::take::pack::PackError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A chosen file is not there.
    #[error("{} is not there (any more); choose another file", .0.display())]
    NoFile(PathBuf),
    /// The chosen model was moved or deleted. A take that was rendered with it still plays.
    #[error("the model {} is not there any more; put it back or choose another model (takes already rendered still play)", .0.display())]
    NoModel(PathBuf),
    /// The chosen seed clip was moved or deleted.
    #[error("the seed clip {} is not there any more; put it back or choose another one (takes already rendered still play)", .0.display())]
    NoSeed(PathBuf),
    /// A shipped file is missing.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The seed clip cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// An export cannot be written.
    #[error(transparent)]
    Export(AudioError),
    /// The model cannot be opened or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file cannot be read.
    #[error("{}: cannot be read ({reason}); choose another file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The seed clip is too short to prime anything.
    #[error("the seed clip {0} holds less than a hundredth of a second; choose a longer one")]
    ShortSeed(String),
    /// Nothing was captured.
    #[error(
        "nothing was captured from the sidechain yet; route audio to the sidechain input and turn Capture on while it plays, or set the seed source to Clip"
    )]
    NothingCaptured,
    /// What was captured is not audio.
    #[error(
        "what was captured from the sidechain is not audio: {at_seconds:.2} s in, it {what}; look for the effect on that track that makes it, then capture again"
    )]
    CapturedNoise {
        /// Where, from the first captured frame.
        at_seconds: f64,
        /// What there is instead.
        what: String,
    },
    /// Too long a render.
    #[error("{seconds:.0} s are too long, at most {limit:.0} s can be rendered at once; choose a shorter length")]
    TooLong {
        /// What was asked for.
        seconds: f64,
        /// What is possible.
        limit: f64,
    },
    /// The take does not fit.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The renderer's settings cannot be kept.
    #[error("{}: the renderer's settings could not be written ({reason}); they hold until the host closes. Check that the folder is there and may be written to", path.display())]
    PreferencesNotKept {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Every take that is kept has a star.
    #[error(
        "{MAX_TAKES} takes are kept and each of them has a star, so there is no room for another; delete one, or take a star away"
    )]
    ShelfFull,
    /// There is nothing to crop.
    #[error("there is no finished take to crop; render one first")]
    NothingToCrop,
    /// Hardly anything would be left of a take.
    #[error("less than {SHORTEST_SECONDS} s of the continuation would be left; crop somewhere else")]
    CroppedAway,
    /// There is no finished take.
    #[error("there is no finished take to export; render one first")]
    NothingToExport,
    /// Nothing is starred.
    #[error("no variation has a star, so there is nothing to export; give some a star, or export the one that plays")]
    NoStars,
    /// A take's sound cannot be had.
    #[error(transparent)]
    Unpacked(PackError),
    /// This system names no folder for user data.
    #[error(
        "this account has no folder for user data, where a part of a take could be kept as a seed clip; export the take and choose the file"
    )]
    NoDataFolder,
    /// This system names no folder for user data.
    #[error(
        "this account has no folder for user data, where a take could be written that is dragged out; export it to a file instead"
    )]
    NoDragFolder,
    /// The folder for what is dragged out cannot be made.
    #[error("{}: a take that is dragged out could not be written there ({reason}); make the folder writable, or export the take to a file instead", path.display())]
    NotDragged {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No file manager.
    #[error("no file manager could be opened ({reason}); the file lies at {}", path.display())]
    NotShown {
        /// The file or the folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A part of a take cannot be kept as a seed clip.
    #[error("{}: a part of the take could not be kept there as a seed clip ({reason}); free some space or make the folder writable", path.display())]
    SeedNotWritten {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No block of audio comes.
    #[error("the host runs no audio now, so nothing can be heard; switch its audio on, or this track, then play again")]
    NoAudio,
    /// There is no take.
    #[error("there is no take to hear yet; render one first")]
    NothingToHear,
    /// A package without a sound.
    #[error("the model {} brings no sound along that shows what it does; render something with it", .0.display())]
    NoPreview(PathBuf),
    /// A patch cannot be loaded or kept.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A fault in Continuo itself.
    #[error(
        "rendering failed because of a fault in Continuo; the take before it is kept — try another model or another seed clip, and please report this"
    )]
    Fault,
    /// The user's settings of the renderer cannot be understood.
    #[error("{}: {reason}; the renderer works with its defaults — mend or remove the file, then load the plugin again", path.display())]
    Preferences {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system starts no more threads.
    #[error("the renderer could not be started ({0}); close other programs or instances, then render again")]
    NoThread(String),
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
}

impl From<CropError> for RenderError {
    fn from(error: CropError) -> Self {
        match error {
            CropError::Take(TakeError::Pack(error)) => Self::Unpacked(error),
            CropError::Take(TakeError::Bench(error)) => Self::Bench(error),
            CropError::Nothing => Self::NothingToCrop,
            CropError::TooShort => Self::CroppedAway,
            CropError::Full => Self::ShelfFull,
        }
    }
}

impl RenderError {
    /// What it is about: when that has changed, the error goes.
    pub(crate) fn concern(&self) -> Concern {
        match self {
            Self::Engine(EngineError::Audio(_))
            | Self::NoSeed(_)
            | Self::NoFile(_)
            | Self::Audio(_)
            | Self::ShortSeed(_)
            | Self::Resource(ResourceError::NoSeed(_)) => Concern::Seed,
            Self::Engine(EngineError::Request { .. }) | Self::TooLong { .. } | Self::Bench(_) => Concern::Settings,
            Self::Engine(EngineError::Threads { .. }) | Self::PreferencesNotKept { .. } | Self::Preferences { .. } => {
                Concern::Preferences
            }
            Self::NoModel(_)
            | Self::Engine(_)
            | Self::Unreadable { .. }
            | Self::Resource(ResourceError::NoModel(_)) => Concern::Model,
            Self::NothingCaptured | Self::CapturedNoise { .. } => Concern::Capture,
            Self::Export(_)
            | Self::NothingToExport
            | Self::NoStars
            | Self::Unpacked(_)
            | Self::NoDataFolder
            | Self::NoDragFolder
            | Self::NotDragged { .. }
            | Self::NotShown { .. }
            | Self::SeedNotWritten { .. } => Concern::Export,
            Self::Patch(_) => Concern::Patch,
            Self::NoAudio | Self::NothingToHear | Self::NoPreview(_) => Concern::Listening,
            Self::Resource(ResourceError::NoFolder { .. })
            | Self::NoThread(_)
            | Self::ShelfFull
            | Self::NothingToCrop
            | Self::CroppedAway
            | Self::Fault
            | Self::Cancelled => Concern::Other,
        }
    }
}
