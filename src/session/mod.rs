//! One instance's session: the meeting point of the host's thread, the editor and the renderer.
//!
//! The editor reads a [`Snapshot`] per frame and sends [`Command`]s; `process()` sends through a lock-free queue of its
//! own; the renderer answers both. Nobody else touches the renderer, and the editor never touches the engine.

mod card;
mod choice;
mod complaint;
mod link;
pub(crate) mod overview;
mod preferences;
mod preview;
mod restore;
mod saved;
mod saved_path;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crossbeam::queue::SegQueue;
use nice_plug_egui::RepaintNotifier;

pub use card::{ModelCard, Setting, Suggestion};
pub(crate) use choice::Chosen;
use choice::PendingChoices;
use complaint::Cause;
pub(crate) use complaint::Concern;
pub use link::{AudioCommand, AudioLink, CaptureRing};
pub use preferences::{Preferences, Priority};
pub use preview::SeedPreview;
pub(crate) use restore::Ticket;
pub use saved::{Kept, KeptState, PersistentSession, SavedSession, Unread, UnreadError};

use crate::settings::{Controls, Meter, Settings};
use crate::take::bench::Bench;

/// What the editor, or a host through a parameter, asks for.
///
/// Commands are handled in order, also while the host does not process audio; what takes long goes on beside the next.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Use this model package from the next render on. One that cannot be opened is refused, and the model before stays.
    ChooseModel(PathBuf),
    /// Use this audio file as the seed clip from the next render on.
    ChooseSeed(PathBuf),
    /// Go back to the factory model.
    FactoryModel,
    /// Go back to the first factory seed clip.
    FactorySeed,
    /// Start a render with the parameters as they stand.
    Render,
    /// Stop the render in progress, or take it out of the queue. The take before it comes back.
    Cancel,
    /// Write the take's alternative that plays (seed clip, then continuation) to this file as 24-bit WAV at the host's rate.
    /// A file that is there already stays: [`Snapshot::overwrite`] asks.
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

/// Where a file in use comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Shipped with Continuo.
    Factory,
    /// Chosen by the user.
    Chosen,
    /// Recorded from the sidechain input.
    Captured,
}

/// A model or seed file in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChoice {
    /// What to show: the file's name, or `captured`.
    pub name: String,
    /// Where it lies; `None` for the factory default before its first use and for a capture.
    pub path: Option<PathBuf>,
    /// Where it comes from.
    pub origin: Origin,
}

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

/// Lowest and highest value of one column of the overview.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Peak {
    /// Lowest value.
    pub min: f32,
    /// Highest value.
    pub max: f32,
}

/// A take drawn small: seed clip, seam, continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeOverview {
    /// Length of the seed clip in seconds; 0 for an unconditional take.
    pub seed_seconds: f64,
    /// Length of the whole continuation in seconds.
    pub continuation_seconds: f64,
    /// Length of the continuation that is ready, in seconds.
    pub ready_seconds: f64,
    /// Where the seam lies, as a part (0..=1) of seed clip and continuation together.
    pub seam: f32,
    /// Columns over seed clip and continuation together.
    pub columns: usize,
    /// Per alternative the columns that are ready, from the seed clip's first on; at most `columns`.
    pub peaks: Vec<Vec<Peak>>,
    /// What made it, for people: model, seed clip, sampling.
    pub recipe: String,
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
    /// What the renderer is doing.
    pub status: Status,
    /// What went wrong and what to do about it, in a sentence.
    pub error: Option<Arc<str>>,
    /// What went well and is worth a line (a file was written, …).
    pub notice: Option<Arc<str>>,
    /// What the chosen model can do; `None` until its package was read, for an editor that looks or because it was chosen.
    pub card: Option<Arc<ModelCard>>,
    /// How the model steps: its kernel, or why it falls back to ONNX Runtime. `None` before it was opened, for a render or
    /// for an editor that looks.
    pub stepper: Option<Arc<str>>,
    /// How long a render with the present parameters would take, in seconds; `None` until that was measured, for which an
    /// editor must be open or something like it have been rendered.
    pub forecast_seconds: Option<f32>,
    /// The renderer's settings; `None` until somebody has asked for them.
    pub preferences: Option<Preferences>,
    /// The chosen seed clip drawn small, once an editor has asked for it with [`Session::preview_seed`].
    pub seed_preview: Option<Arc<SeedPreview>>,
    /// The take that plays.
    pub take: Option<Arc<TakeOverview>>,
    /// Where the finished take is kept.
    pub storage: Option<Storage>,
    /// Limit for keeping a take inside the host's session, in packed bytes.
    pub inline_limit: u64,
    /// Seconds of sidechain audio captured.
    pub captured_seconds: f32,
    /// A file that an export would replace: the user is to say whether it may, with [`Command::ExportOver`] or
    /// [`Command::KeepFile`].
    pub overwrite: Option<Arc<Path>>,
}

/// An editor that has not looked for so long is closed: at rest, it looks four times a second.
const WATCHED: Duration = Duration::from_secs(1);

/// What [`Snapshot`] is cloned from.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) snapshot: Snapshot,
    /// Where the error in it comes from.
    cause: Option<Cause>,
    pending: PendingChoices,
    /// The model whose card is there or is being read.
    described: Option<FileChoice>,
    /// What suits a model that was chosen just now, until an editor has set it.
    suggestion: Option<Suggestion>,
}

/// One instance's session. See the module's documentation.
#[derive(Debug)]
pub struct Session {
    /// The lock-free side, for `process()`.
    pub link: AudioLink,
    commands: SegQueue<Command>,
    board: Mutex<Board>,
    /// Makes an open editor look again; rung whenever the snapshot changes.
    pub repaint: RepaintNotifier,
    pub(crate) bench: Mutex<Bench>,
    pub(crate) tickets: Mutex<Vec<Arc<Ticket>>>,
    /// What the state that was opened holds and is not understood; saved again with everything else.
    unread: Mutex<Unread>,
    revision: AtomicU64,
    /// When an editor last looked.
    watched: Mutex<Option<Instant>>,
    controls: OnceLock<Weak<dyn Controls>>,
}

/// Wakes the renderer's service thread. Never rung from `process()`, which the service thread polls instead.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    signal: Condvar,
}

/// The process's one bell, as there is one renderer per process.
pub(crate) static BELL: Bell = Bell { rung: Mutex::new(false), signal: Condvar::new() };

impl Bell {
    pub(crate) fn ring(&self) {
        *lock(&self.rung) = true;
        self.signal.notify_all();
    }

    /// Waits until the bell rings, at most for `patience`.
    pub(crate) fn wait(&self, patience: Duration) {
        let rung = lock(&self.rung);
        let (mut rung, _) =
            self.signal.wait_timeout_while(rung, patience, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Locks, also after a panic elsewhere: what these locks guard is replaced whole, so it is never half written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            link: AudioLink::new(),
            commands: SegQueue::new(),
            board: Mutex::new(Board {
                snapshot: Snapshot {
                    model: FileChoice::factory_model(),
                    seed: FileChoice::factory_seed(),
                    status: Status::Idle,
                    error: None,
                    notice: None,
                    card: None,
                    stepper: None,
                    forecast_seconds: None,
                    preferences: None,
                    seed_preview: None,
                    take: None,
                    storage: None,
                    inline_limit: saved::DEFAULT_INLINE_LIMIT,
                    captured_seconds: 0.0,
                    overwrite: None,
                },
                cause: None,
                pending: [None, None],
                described: None,
                suggestion: None,
            }),
            repaint: RepaintNotifier::new(),
            bench: Mutex::new(Bench::default()),
            tickets: Mutex::new(Vec::new()),
            revision: AtomicU64::new(0),
            watched: Mutex::new(None),
            unread: Mutex::default(),
            controls: OnceLock::new(),
        })
    }

    /// Asks for something. Never call this from `process()`: it allocates.
    pub fn send(&self, command: Command) {
        if command == Command::Render {
            self.link.begin_request();
        }
        self.commands.push(command);
        BELL.ring();
    }

    /// Everything there is to show, as of now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = lock(&self.board).snapshot.clone();
        snapshot.captured_seconds = self.link.captured_seconds();
        snapshot
    }

    /// Says that an editor is looking; to be said again with every frame it draws.
    pub fn watch(&self) {
        *lock(&self.watched) = Some(Instant::now());
    }

    /// Whether somebody sees what is posted: only then is it worth opening a model or measuring it ahead of a render.
    pub(crate) fn is_watched(&self) -> bool {
        lock(&self.watched).is_some_and(|last| last.elapsed() < WATCHED)
    }

    /// Frames that `process()` had to replace with silence since the instance was made, because they were not ready.
    pub fn missing_frames(&self) -> u64 {
        self.link.missing_frames()
    }

    /// Where in the take playback stands, in seconds from the seed clip's first frame; `None` while nothing plays.
    pub fn playhead_seconds(&self) -> Option<f64> {
        self.link.playhead_seconds()
    }

    /// Grows whenever something that is saved beside the parameters has changed; see the parameter `revision`.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(crate) fn touch(&self) {
        self.revision.fetch_add(1, Ordering::AcqRel);
    }

    /// Changes what editors see.
    pub(crate) fn post(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut lock(&self.board).snapshot);
        self.repaint.request_repaint();
    }

    pub(crate) fn take_command(&self) -> Option<Command> {
        self.commands.pop()
    }

    /// Gives the session its parameters; they are made after it.
    pub(crate) fn attach<C: Controls + 'static>(&self, params: &Arc<C>) {
        let params: Weak<C> = Arc::downgrade(params);
        // A second call could only come from the same instance and would carry the same parameters.
        let _ = self.controls.set(params);
    }

    pub(crate) fn params(&self) -> Option<Arc<dyn Controls>> {
        self.controls.get().and_then(Weak::upgrade)
    }

    /// The parameters as they stand, with bars turned into seconds at the meter the host last reported.
    pub(crate) fn settings(&self) -> Option<Settings> {
        let meter: Meter = self.link.meter();
        self.params().map(|params| params.settings(meter))
    }
}
