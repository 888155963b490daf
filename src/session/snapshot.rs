//! Everything an editor shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::Block;
use super::card::ModelCard;
use super::deed::Deed;
use super::export_options::ExportOptions;
use super::file_choice::FileChoice;
use super::lost_model::{LostModel, OtherModel};
use super::overview::TakeOverview;
use super::preferences::Preferences;
use super::preview::SeedPreview;
use super::spectrogram::Spectrogram;
use super::take_entry::TakeEntry;
use super::trim::SeedTrim;

/// What the renderer is doing for this instance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Status {
    /// Nothing was asked for yet.
    #[default]
    Idle,
    /// The request waits for others of this process.
    Waiting {
        /// Requests that come first.
        ahead: usize,
    },
    /// The model is being opened or the seed clip is being read.
    Loading,
    /// Frames are being generated.
    Rendering {
        /// Part that is done, 0..=1.
        progress: f32,
        /// Time left in seconds; `None` until it can be told.
        seconds_left: Option<f32>,
        /// Generated seconds of audio per second of work.
        speed: f32,
    },
    /// The last request finished.
    Finished {
        /// How long it took, in seconds.
        seconds: f32,
    },
    /// The last request was cancelled.
    Cancelled,
    /// The last request failed; [`Snapshot::error`] says why.
    Failed,
}

impl Status {
    /// Whether a request is waiting or being worked on.
    pub fn busy(self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Loading | Self::Rendering { .. })
    }
}

/// Where a finished take's sound is kept when the host saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In the host's session.
    Inline {
        /// Packed size in bytes.
        bytes: u64,
    },
    /// In the take store, because it is larger than the limit.
    Store {
        /// Packed size in bytes.
        bytes: u64,
        /// The store's folder.
        folder: PathBuf,
    },
}

/// Everything an editor shows, as of one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The model for the next render.
    pub model: FileChoice,
    /// The seed clip for the next render.
    pub seed: FileChoice,
    /// The part of the seed clip that is used; `None` for all of it.
    pub seed_trim: Option<SeedTrim>,
    /// What the renderer is doing.
    pub status: Status,
    /// What went wrong and what to do about it, in a sentence.
    pub error: Option<Arc<str>>,
    /// The model that is lost, and the error that says so.
    pub lost: Option<(Arc<str>, Arc<LostModel>)>,
    /// A model that was found in place of a lost one and is another: the user is to say whether it is used all the same, with
    /// [`Command::ChooseModel`](super::Command::ChooseModel) or [`Command::LeaveModel`](super::Command::LeaveModel).
    pub other_model: Option<Arc<OtherModel>>,
    /// What went well and is worth a line (a file was written, …).
    pub notice: Option<Arc<str>>,
    /// The file that was written last, and the notice that is about it.
    pub written: Option<(Arc<str>, Arc<Path>)>,
    /// What the chosen model can do; `None` until its package was read, for an editor that looks or because it was chosen.
    pub card: Option<Arc<ModelCard>>,
    /// How the model steps: its kernel, or why it falls back to ONNX Runtime. `None` before it was opened, for a render or
    /// for an editor that looks.
    pub stepper: Option<Arc<str>>,
    /// How long a render with the present parameters would take, in seconds; `None` until that was measured, for which an
    /// editor must be open or something like it have been rendered.
    pub forecast_seconds: Option<f32>,
    /// How fast models are here with the present settings, in seconds of audio per second of work, by their files; those that were
    /// measured.
    pub speeds: Arc<[(PathBuf, f32)]>,
    /// The renderer's settings; `None` until somebody has asked for them.
    pub preferences: Option<Preferences>,
    /// The chosen seed clip's file drawn small, once an editor has asked for it with [`Session::preview_seed`](super::Session::preview_seed).
    pub seed_preview: Option<Arc<SeedPreview>>,
    /// The take that plays and is shown.
    pub take: Option<Arc<TakeOverview>>,
    /// The spectrum that was asked for last, with [`Session::draw_spectrogram`](super::Session::draw_spectrogram), once it is drawn.
    pub spectrogram: Option<Arc<Spectrogram>>,
    /// All finished takes, the oldest first.
    pub takes: Arc<[TakeEntry]>,
    /// The takes that are placed in the song, the first of the song first.
    pub arrangement: Arc<[Block]>,
    /// Bytes of memory that they take for being played.
    pub arrangement_bytes: u64,
    /// Whether a take is being rendered, and if so, whether it is the one that is shown.
    pub live: Option<bool>,
    /// What would be undone next.
    pub undo: Option<Deed>,
    /// What would be done again next.
    pub redo: Option<Deed>,
    /// Where the finished take is kept.
    pub storage: Option<Storage>,
    /// Limit for keeping a take inside the host's session, in packed bytes.
    pub inline_limit: u64,
    /// Seconds of sidechain audio captured.
    pub captured_seconds: f32,
    /// How takes are exported.
    pub export: ExportOptions,
    /// The patch that was loaded or saved last.
    pub patch: Option<Arc<str>>,
    /// Grows whenever a patch was saved, renamed or deleted through this session.
    pub patches: u64,
    /// A file that an export would replace: the user is to say whether it may, with [`Command::ExportOver`](super::Command::ExportOver) or
    /// [`Command::KeepFile`](super::Command::KeepFile).
    pub overwrite: Option<Arc<Path>>,
}

impl Snapshot {
    /// Of a session in which nothing was chosen, asked for or made; takes of up to `inline_limit` packed bytes stay in it.
    pub(super) fn blank(inline_limit: u64) -> Self {
        Self {
            model: FileChoice::factory_model(),
            seed: FileChoice::factory_seed(),
            seed_trim: None,
            status: Status::Idle,
            error: None,
            lost: None,
            other_model: None,
            notice: None,
            written: None,
            card: None,
            stepper: None,
            forecast_seconds: None,
            speeds: Arc::default(),
            preferences: None,
            seed_preview: None,
            take: None,
            spectrogram: None,
            takes: Arc::default(),
            arrangement: Arc::default(),
            arrangement_bytes: 0,
            live: None,
            undo: None,
            redo: None,
            storage: None,
            inline_limit,
            captured_seconds: 0.0,
            export: ExportOptions::default(),
            patch: None,
            patches: 0,
            overwrite: None,
        }
    }
}
