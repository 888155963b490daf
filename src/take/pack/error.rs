//! Why a saved sound cannot be opened.

use crate::take::store::StoreError;

/// Why a saved sound cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The description does not make sense.
    #[error("the saved take's {what} is not possible ({detail}); the project file is damaged — render the take again")]
    Implausible {
        /// The field.
        what: &'static str,
        /// Its value.
        detail: String,
    },
    /// A newer Continuo has packed it in a way of its own.
    #[error(
        "the saved take's sound is packed in a form that this Continuo does not know ({0}); it stays in the project — install the newer Continuo to hear it"
    )]
    Form(String),
    /// The bytes do not have the hash they were saved with.
    #[error(
        "the saved take's sound does not match its checksum; the project file is damaged — open a backup of the project or render the take again"
    )]
    Checksum,
    /// The bytes do not unpack to what the description says.
    #[error("the saved take's sound cannot be unpacked ({0}); the project file is damaged — render the take again")]
    Unpack(String),
    /// The system has no memory for it.
    #[error(
        "the saved take needs {megabytes} MB of memory, which this machine does not have now; close other programs and open the project again"
    )]
    Memory {
        /// What it needs.
        megabytes: u64,
    },
    /// The sound lies in the take store and cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Room for so many values, if the system has it.
pub(super) fn room(values: usize) -> Result<Vec<f32>, PackError> {
    let mut room = Vec::new();
    room.try_reserve_exact(values).map_err(|_| PackError::Memory { megabytes: (values >> 18) as u64 })?;
    Ok(room)
}

impl PackError {
    /// A description that does not make sense.
    pub(super) fn implausible(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Implausible { what, detail: detail.to_string() }
    }
}
