//! A state's text and its bytes.

use std::io::Read;

use super::error::{MAX_BYTES, StateError};

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
pub(super) fn pack(text: &str) -> Result<Vec<u8>, StateError> {
    let bytes = zstd::encode_all(text.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL)
        .map_err(|error| StateError::Unwritable(error.to_string()))?;
    if text.len() as u64 > MAX_TEXT || bytes.len() as u64 > MAX_BYTES {
        return Err(StateError::TooLarge { megabytes: (bytes.len() >> 20) as u64 });
    }
    Ok(bytes)
}
