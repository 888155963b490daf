//! What is trained on and what is measured on.

use serde::{Deserialize, Serialize};

/// Which part of a dataset a recording belongs to. A recording is never divided between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Seen by the optimiser.
    Train,
    /// Kept for measuring: never trained on.
    Heldout,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Heldout => "heldout",
        })
    }
}
