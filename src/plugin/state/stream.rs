//! States in and out of a host's stream, whatever pieces it moves.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use super::error::{MAX_BYTES, StateError};
use crate::session::KeptState;
use crate::take::pack::blocks::Blocks;

/// Bytes of the length that stands before a state in a CLAP stream, which cannot say where it ends.
const LENGTH_BYTES: usize = 8;

/// What came out of the host's stream.
pub(in crate::plugin) struct Received {
    /// The state, without what a format puts around it.
    pub(in crate::plugin) bytes: Vec<u8>,
    /// Whether it stood in a CLAP stream without a length that would fit.
    pub(in crate::plugin) bare: bool,
    /// What went wrong on the way.
    pub(in crate::plugin) failure: Option<StateError>,
}

/// What to give the host.
pub(in crate::plugin) enum Written {
    /// A state of this version, in pieces.
    Own(Vec<Piece>),
    /// One that was not understood and that nobody has changed.
    Kept(KeptState),
}

/// A part of a state's bytes.
pub(in crate::plugin) enum Piece {
    /// Made for this state.
    Made(Vec<u8>),
    /// A part of a frame, perhaps one that is kept for any state to come.
    Blocks(Arc<Blocks>),
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Made(bytes) => bytes,
            Self::Blocks(blocks) => blocks.bytes(),
        }
    }
}

/// Reads all there is, at most what a state may have.
pub(in crate::plugin) fn read_all(mut source: impl Read) -> Received {
    let mut bytes = Vec::new();
    let too_long = || StateError::Unreadable(format!("it is longer than {} MB", MAX_BYTES >> 20));
    let failure = read_up_to(&mut source, &mut bytes, MAX_BYTES + 1);
    let failure = failure.or_else(|| (bytes.len() as u64 > MAX_BYTES).then(too_long));
    Received { bytes, bare: false, failure }
}

/// Reads a length and as many bytes. Memory is taken as bytes come, not as they are announced.
pub(in crate::plugin) fn read_counted(mut source: impl Read) -> Received {
    let mut bytes = Vec::new();
    let mut failure = read_up_to(&mut source, &mut bytes, LENGTH_BYTES as u64);
    let length = bytes.first_chunk::<LENGTH_BYTES>().map(|bytes| u64::from_le_bytes(*bytes));
    // A length that no state has is none: what comes is not understood, and is kept as it comes.
    let announced = length.filter(|length| *length <= MAX_BYTES);
    if failure.is_none() && length.is_some() {
        failure = read_up_to(&mut source, &mut bytes, announced.unwrap_or(MAX_BYTES));
    }
    let counted = announced.is_some_and(|length| bytes.len() as u64 - LENGTH_BYTES as u64 == length);
    if counted {
        bytes.drain(..LENGTH_BYTES);
    } else if !bytes.is_empty() {
        failure = failure.or_else(|| {
            Some(StateError::Unreadable(match announced {
                Some(length) => format!("{} of {length} bytes are there", bytes.len().saturating_sub(LENGTH_BYTES)),
                None => "its length is none that a state can have".to_owned(),
            }))
        });
    }
    Received { bytes, bare: !counted, failure }
}

fn read_up_to(source: &mut impl Read, bytes: &mut Vec<u8>, most: u64) -> Option<StateError> {
    let before = bytes.len();
    let outcome = source.by_ref().take(most).read_to_end(bytes);
    outcome.err().map(|error| StateError::BrokenOff(format!("{error} after {} bytes", bytes.len() - before)))
}

/// Writes a state as it is.
pub(in crate::plugin) fn write_all(mut target: impl Write, written: &Written) -> std::io::Result<()> {
    written.pieces().try_for_each(|piece| target.write_all(piece))
}

/// Writes a state with its length before it.
pub(in crate::plugin) fn write_counted(mut target: impl Write, written: &Written) -> std::io::Result<()> {
    if !matches!(written, Written::Kept(kept) if kept.bare) {
        let length: usize = written.pieces().map(<[u8]>::len).sum();
        target.write_all(&(length as u64).to_le_bytes())?;
    }
    write_all(target, written)
}

impl Written {
    /// The state's bytes, one piece after the other.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let (own, kept) = match self {
            Self::Own(pieces) => (pieces.as_slice(), None),
            Self::Kept(kept) => ([].as_slice(), Some(&*kept.bytes)),
        };
        own.iter().map(Piece::bytes).chain(kept)
    }
}

/// What a host's stream says to a read or write of `asked` bytes, in Rust's words; `moved` is negative for a failure.
pub(in crate::plugin) fn moved(moved: i64, asked: usize) -> std::io::Result<usize> {
    match usize::try_from(moved) {
        Ok(count) if count <= asked => Ok(count),
        Ok(_) => {
            Err(std::io::Error::new(ErrorKind::InvalidData, "the host claims to have moved more than it was asked to"))
        }
        Err(_) => Err(std::io::Error::other("the host's stream failed")),
    }
}
