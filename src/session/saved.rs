//! What the host saves beside the parameters.

use std::path::PathBuf;
use std::sync::Arc;

use nice_plug::params::persist::PersistentField;
use serde::{Deserialize, Serialize};

use super::{FileChoice, Origin, Session, lock};
use crate::take::pack::PackedTake;

/// Takes up to this many packed bytes stay inside the host's session unless the user says otherwise.
pub const DEFAULT_INLINE_LIMIT: u64 = 16 << 20;

/// The saved form of a session. Every field may be absent, so that states of other versions open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSession {
    /// The chosen model package; `None` for the factory model.
    pub model: Option<PathBuf>,
    /// The chosen seed clip; `None` for the factory one.
    pub seed: Option<PathBuf>,
    /// Limit for takes inside the host's session, in packed bytes.
    pub inline_limit: u64,
    /// The finished take.
    pub take: Option<Arc<PackedTake>>,
}

impl Default for SavedSession {
    fn default() -> Self {
        Self { model: None, seed: None, inline_limit: DEFAULT_INLINE_LIMIT, take: None }
    }
}

/// The session as a persistent field of the parameters.
#[derive(Debug, Clone)]
pub struct PersistentSession(Arc<Session>);

impl Default for PersistentSession {
    fn default() -> Self {
        Self(Session::new())
    }
}

impl std::ops::Deref for PersistentSession {
    type Target = Arc<Session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl PersistentField<'_, SavedSession> for PersistentSession {
    /// Restores a session. Hosts call this on their main thread, so the take is unpacked and laid out here and now: when
    /// it returns, the next block plays it.
    fn set(&self, saved: SavedSession) {
        self.0.restore(saved);
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&SavedSession) -> R,
    {
        f(&self.0.saved())
    }
}

impl Session {
    /// The session as it is to be saved: at any moment, with the last finished take.
    pub(crate) fn saved(&self) -> SavedSession {
        let snapshot = self.snapshot();
        let chosen = |choice: &FileChoice| choice.path.clone().filter(|_| choice.origin == Origin::Chosen);
        SavedSession {
            model: chosen(&snapshot.model),
            seed: chosen(&snapshot.seed),
            inline_limit: snapshot.inline_limit,
            take: {
                let bench = lock(&self.bench);
                let finished = bench.finished.as_ref().map(|finished| Arc::clone(&finished.packed));
                finished.or_else(|| bench.unreadable.clone())
            },
        }
    }
}
