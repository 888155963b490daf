//! One instance's session itself: who holds what, and the small moves on it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use crossbeam::queue::SegQueue;
use nice_plug_egui::RepaintNotifier;

use super::bell::BELL;
use super::card::Suggestion;
use super::choice::{Chosen, PendingChoices};
use super::command::Command;
use super::concern::Cause;
use super::felt::Felt;
use super::file_choice::FileChoice;
use super::herald::Herald;
use super::history::{History, Wishes};
use super::link::AudioLink;
use super::lock::lock;
use super::look_kept::Look;
use super::overview::TakeOverview;
use super::saved::{DEFAULT_INLINE_LIMIT, Unread};
use super::snapshot::Snapshot;
use super::sound::{Listening, Prepared};
use super::ticket::Ticket;
use super::trim::Trimmed;
use crate::settings::{Controls, Meter, Settings};
use crate::take::bench::Bench;
use crate::take::id::TakeId;

/// What [`Snapshot`] is cloned from.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) snapshot: Snapshot,
    /// Where the error in it comes from.
    pub(super) cause: Option<Cause>,
    pub(super) pending: PendingChoices,
    /// The part of the seed clip that is used.
    pub(super) trimmed: Trimmed,
    /// The model whose card is there or is being read.
    pub(super) described: Option<FileChoice>,
    /// The model whose content is known, and its SHA-256.
    pub(super) model_hash: Option<(PathBuf, String)>,
    /// How the editor's window looks.
    pub(super) look: Look,
    /// What suits a model that was chosen just now, until an editor has set it.
    pub(super) suggestion: Option<Suggestion>,
    /// Models whose speed an editor shows or would.
    pub(super) curious: Vec<PathBuf>,
    /// Parameters that a patch turns, until somebody has asked the host for them.
    pub(super) wishes: Wishes,
    /// What is played to the user.
    pub(super) listening: Option<Listening>,
    /// The file that was played to the user last.
    pub(super) prepared: Option<Prepared>,
    /// The variations that are placed in the song, drawn small.
    pub(super) drawn: Vec<(TakeId, usize, Arc<TakeOverview>)>,
    /// The take and the variation whose spectrum was asked for last.
    pub(super) spectrogram: Option<(TakeId, usize)>,
}

/// One instance's session. See [`super`].
#[derive(Debug)]
pub struct Session {
    /// The lock-free side, for `process()`.
    pub link: AudioLink,
    /// With the settings of the moment in which it was asked for, where it is a render.
    commands: SegQueue<(Command, Option<Settings>)>,
    pub(super) board: Mutex<Board>,
    /// Makes an open editor look again; rung whenever the snapshot changes.
    pub repaint: RepaintNotifier,
    pub(crate) bench: Mutex<Bench>,
    pub(crate) tickets: Mutex<Vec<Arc<Ticket>>>,
    pub(super) history: Mutex<History>,
    /// What the state that was opened holds and is not understood; saved again with everything else.
    pub(super) unread: Mutex<Unread>,
    revision: AtomicU64,
    pub(crate) herald: Herald,
    pub(super) pulse: Mutex<Felt>,
    controls: OnceLock<Weak<dyn Controls>>,
}

impl Session {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            link: AudioLink::new(),
            commands: SegQueue::new(),
            board: Mutex::new(Board {
                snapshot: Snapshot::blank(DEFAULT_INLINE_LIMIT),
                cause: None,
                pending: PendingChoices::default(),
                trimmed: Trimmed::default(),
                described: None,
                model_hash: None,
                look: Look::default(),
                suggestion: None,
                curious: Vec::new(),
                wishes: Wishes::new(),
                listening: None,
                prepared: None,
                drawn: Vec::new(),
                spectrogram: None,
            }),
            repaint: RepaintNotifier::new(),
            bench: Mutex::new(Bench::default()),
            tickets: Mutex::new(Vec::new()),
            revision: AtomicU64::new(0),
            herald: Herald::default(),
            pulse: Mutex::default(),
            history: Mutex::default(),
            unread: Mutex::default(),
            controls: OnceLock::new(),
        })
    }

    /// Asks for something. Never call this from `process()`: it allocates.
    pub fn send(&self, command: Command) {
        let mut settings = None;
        if command == Command::Render {
            self.link.begin_request();
            settings = self.settings();
        }
        if matches!(command, Command::Arrange(_)) {
            self.link.begin_arranging();
        }
        self.commands.push((command, settings));
        BELL.ring();
    }

    /// Everything there is to show, as of now.
    pub fn snapshot(&self) -> Snapshot {
        let board = lock(&self.board);
        let mut snapshot = board.snapshot.clone();
        snapshot.seed_trim = board.trimmed.of(snapshot.seed.path.as_deref());
        drop(board);
        snapshot.captured_seconds = self.link.captured_seconds();
        snapshot
    }

    /// Says that an editor is looking, until [`Session::look_away`]. It is drawn when [`Session::repaint`] is rung.
    pub fn watch(&self) {
        self.link.set_looked_at(true);
    }

    /// Says that no editor is looking any more. What was played to its user ends.
    pub fn look_away(&self) {
        self.link.set_looked_at(false);
        self.link.end_audition();
        let mut board = lock(&self.board);
        // It was kept for the next click.
        board.prepared = None;
        board.curious.clear();
    }

    /// Whether somebody sees what is posted: only then is it worth opening a model or measuring it ahead of a render.
    pub(crate) fn is_watched(&self) -> bool {
        self.link.is_looked_at()
    }

    /// Frames that `process()` had to replace with silence because they were not ready, since the instance was made or
    /// [`Session::forget_missing`].
    pub fn missing_frames(&self) -> u64 {
        self.link.missing_frames()
    }

    /// Counts missing frames from 0 again.
    pub fn forget_missing(&self) {
        self.link.forget_missing();
    }

    /// Where the song stands in quarter notes, while an arrangement plays.
    pub fn song_beats(&self) -> Option<f64> {
        self.link.song_beats()
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
        self.herald.call();
    }

    /// Changes what editors see.
    pub(crate) fn post(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut lock(&self.board).snapshot);
        self.repaint.request_repaint();
    }

    /// Takes the file at `path` until [`Session::accept`] or [`Session::refuse`] comes for it.
    pub(crate) fn choose(&self, what: Chosen, path: PathBuf) -> FileChoice {
        let choice = FileChoice::chosen(path);
        let Board { snapshot, pending, .. } = &mut *lock(&self.board);
        pending.choose(what, choice.clone(), snapshot);
        self.repaint.request_repaint();
        choice
    }

    /// The file of this choice will do.
    pub(crate) fn accept(&self, what: Chosen, choice: &FileChoice) {
        lock(&self.board).pending.accept(what, choice);
        if what == Chosen::Seed {
            self.forget_trim_of_another();
        }
    }

    /// The file of this choice will not do: the choice before it comes back, unless there is another one by now.
    pub(crate) fn refuse(&self, what: Chosen, choice: &FileChoice) {
        let Board { snapshot, pending, .. } = &mut *lock(&self.board);
        pending.refuse(what, choice, snapshot);
        self.repaint.request_repaint();
    }

    /// The next command, and what a render among them was asked for with.
    pub(crate) fn take_command(&self) -> Option<(Command, Option<Settings>)> {
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
