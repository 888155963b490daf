//! One instance's session: the meeting point of the host's thread, the editor and the renderer.
//!
//! The editor reads a [`Snapshot`] per frame and sends [`Command`]s; `process()` sends through a lock-free queue of its
//! own; the renderer answers both. Nobody else touches the renderer, and the editor never touches the engine.

mod bell;
mod card;
mod choice;
mod collapse;
mod command;
mod complaint;
mod concern;
mod crop;
mod deed;
mod export_options;
mod file_choice;
mod herald;
mod history;
mod inspect;
mod instance;
mod link;
mod listening;
mod lock;
mod look;
mod look_kept;
mod lost;
mod lost_model;
pub(crate) mod overview;
mod parcel;
mod persist;
mod preferences;
mod preview;
mod restore;
mod saved;
mod saved_path;
mod saved_shelf;
mod snapshot;
mod sound;
mod spectrogram;
mod take_entry;
mod takes;
mod ticket;
mod trim;
mod trimming;
mod undo;
mod written;

pub(crate) use bell::BELL;
pub use card::{Abilities, ModelCard, Setting, Suggestion};
pub(crate) use choice::Chosen;
pub use collapse::{Collapse, CollapseKind};
pub use command::Command;
pub(crate) use concern::Concern;
pub(crate) use crop::CropError;
pub use deed::Deed;
pub use export_options::{ExportFormat, ExportOptions};
pub use file_choice::{FileChoice, Origin};
pub use instance::Session;
pub use link::{AudioCommand, AudioLink, Audition, CaptureRing};
pub(crate) use lock::lock;
pub use look_kept::Look;
pub use lost_model::{LostModel, OtherModel, short};
pub use overview::{Peak, TakeOverview};
pub use parcel::{Content, Parcel};
pub use persist::PersistentSession;
pub use preferences::{Preferences, Priority};
pub use preview::SeedPreview;
pub use saved::{Kept, KeptState, SavedSession, SavedShelf, Unread, UnreadError};
pub use snapshot::{Snapshot, Status, Storage};
pub(crate) use sound::Prepared;
pub use sound::Sound;
pub use spectrogram::Spectrogram;
pub use take_entry::TakeEntry;
pub(crate) use takes::TakeError;
pub(crate) use ticket::Ticket;
pub use trim::{MAX_TRIM_SECONDS, MIN_TRIM_SECONDS, SeedTrim};
pub(crate) use trim::{read_seed, seed_words};

pub use crate::take::shelf::{MAX_TAKES, TakeId};
