//! What a state may be, and what is wrong with one.

/// The newest version of a state that is understood here, and the one that is written.
pub(super) const VERSION: u64 = 2;

/// Most bytes of a state, as hosts keep it.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Why a state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(in crate::plugin) enum StateError {
    /// A newer Continuo has written it.
    #[error(
        "this project was saved by a newer Continuo (its state has version {0}, this one reads up to {VERSION}); install the newer Continuo to open it"
    )]
    Newer(String),
    /// It is no state of Continuo's, or a damaged one.
    #[error("Continuo's state in this project cannot be read ({0}); open a backup of the project, or start anew here")]
    Unreadable(String),
    /// The host has not given all of it.
    #[error(
        "the host broke off while it read Continuo's state ({0}); open the project again, and do not save it over the one that is there"
    )]
    BrokenOff(String),
    /// It is larger than what could be read again.
    #[error(
        "Continuo's state has grown too large for a project ({megabytes} MB); lower the limit for takes inside the project, so that the take goes to the take store"
    )]
    TooLarge {
        /// Its size.
        megabytes: u64,
    },
    /// It could not be put together.
    #[error("Continuo's state could not be put together ({0}); please report this")]
    Unwritable(String),
}
