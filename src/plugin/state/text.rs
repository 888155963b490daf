//! A state's text and its bytes.

use std::io::Read;

use super::error::{MAX_BYTES, StateError};
use super::stream::Piece;
use crate::take::pack::blocks::{Blocks, FRAME};
use crate::take::pack::outline::Section;

/// Most bytes of a state's text: what a state of [`MAX_BYTES`] may come to.
pub(super) const MAX_TEXT: u64 = 2 * MAX_BYTES;

/// The text of a state. Never takes more memory than twice [`MAX_TEXT`], whatever the bytes promise.
pub(super) fn unpack(bytes: &[u8]) -> Result<String, StateError> {
    let unreadable = |reason: &str| StateError::Unreadable(reason.to_owned());
    if bytes.is_empty() {
        return Err(unreadable("it is empty"));
    }
    // States are texts when they come from a framework that was built without compression.
    let text = if bytes.starts_with(b"{") {
        bytes.to_vec()
    } else {
        let decoder = zstd::stream::read::Decoder::with_buffer(bytes)
            .map_err(|error| unreadable(&error.to_string()))?
            // A host may give more than it was given.
            .single_frame();
        read_bounded(decoder)?
    };
    String::from_utf8(text).map_err(|_| unreadable("it is no text"))
}

fn read_bounded(mut source: impl Read) -> Result<Vec<u8>, StateError> {
    let mut text = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = source.read(&mut piece).map_err(|error| StateError::Unreadable(error.to_string()))?;
        if count == 0 {
            return Ok(text);
        }
        if (text.len() + count) as u64 > MAX_TEXT {
            return Err(StateError::Unreadable(format!("it unpacks to more than {} MB", MAX_TEXT >> 20)));
        }
        text.try_reserve(count).map_err(|_| StateError::Unreadable("there is no memory for it".to_owned()))?;
        text.extend_from_slice(&piece[..count]);
    }
}

/// The bytes of a state, if they can be read again.
///
/// Without sounds in it, a text is compressed. Around sounds, which are compressed already and long, it stays as it is: all
/// is one frame of zstd, as it always was, of which the sounds' blocks are made once.
pub(super) fn pack(sections: Vec<Section>) -> Result<Vec<Piece>, StateError> {
    let unwritable = |error: std::io::Error| StateError::Unwritable(error.to_string());
    let (pieces, text_bytes) = if let [Section::Text(text)] = sections.as_slice() {
        let bytes = zstd::encode_all(text.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL).map_err(unwritable)?;
        (vec![Piece::Made(bytes)], text.len())
    } else {
        let mut pieces = vec![Piece::Made(FRAME.to_vec())];
        let mut text_bytes = 0;
        for section in sections {
            let blocks = match section {
                Section::Text(text) => Blocks::raw(text.as_bytes(), false).into(),
                Section::Sound(blocks) => blocks,
            };
            text_bytes += blocks.text_bytes();
            pieces.push(Piece::Blocks(blocks));
        }
        pieces.push(Piece::Blocks(Blocks::raw(&[], true).into()));
        (pieces, text_bytes)
    };
    let bytes: usize = pieces.iter().map(|piece| piece.bytes().len()).sum();
    if text_bytes as u64 > MAX_TEXT || bytes as u64 > MAX_BYTES {
        return Err(StateError::TooLarge { megabytes: (bytes >> 20) as u64 });
    }
    Ok(pieces)
}
