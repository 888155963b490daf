//! Files made of chunks: RIFF, RF64, BW64 and Sony's Wave64, which differ in how a chunk tells its name and length, and
//! IFF, the big-endian ancestor that AIFF is made of.

use std::io::Result;

use super::window::Window;

/// Most chunks that are looked at: recorders write some dozens.
const MOST_CHUNKS: usize = 10_000;

/// The family of chunk files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// RIFF, RF64 and BW64: 4 bytes of name, 4 of length, little-endian, padded to 2.
    Riff,
    /// Wave64: 16 bytes of name, 8 of length that count the chunk's head too, padded to 8.
    Wave64,
    /// IFF: 4 bytes of name, 4 of length, big-endian, padded to 2.
    Iff,
}

/// One chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its name; of Wave64's long names the part that is one of RIFF's.
    pub(super) id: [u8; 4],
    /// Where its content begins.
    pub(super) at: u64,
    /// Length of its content as the file tells it. It may reach beyond the file.
    pub(super) length: u64,
}

/// Names by which a chunk is known after one of odd length, so that a missing padding byte is noticed.
const KNOWN: &[&[u8; 4]] = &[
    b"data", b"fmt ", b"fact", b"LIST", b"list", b"bext", b"JUNK", b"junk", b"PAD ", b"FLLR", b"cue ", b"plst",
    b"smpl", b"inst", b"iXML", b"axml", b"chna", b"id3 ", b"ID3 ", b"PEAK", b"levl", b"DISP", b"acid", b"strc",
    b"ds64", b"_PMX", b"afsp", b"wavl", b"slnt", b"cart", b"minf", b"elm1", b"regn", b"umid", b"LGWV", b"ResU",
    b"SAUR", b"COMM", b"SSND", b"FVER", b"MARK", b"INST", b"MIDI", b"AESD", b"APPL", b"COMT", b"NAME", b"AUTH",
    b"(c) ", b"ANNO", b"CHAN",
];

/// Whether a chunk of this name is one that sound files have.
fn is_known(id: &[u8]) -> bool {
    KNOWN.iter().any(|known| known.as_slice() == id)
}

/// Walks the chunks behind a file's head.
#[derive(Debug)]
pub(super) struct Chunks<'w> {
    window: &'w mut Window,
    layout: Layout,
    next: u64,
    seen: usize,
}

impl<'w> Chunks<'w> {
    /// The chunks from `at` on.
    pub(super) fn new(window: &'w mut Window, layout: Layout, at: u64) -> Self {
        Self { window, layout, next: at, seen: 0 }
    }

    /// The next chunk, or `None` where the file ends or no chunk begins.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        let Some(chunk) = self.read(self.next)? else { return Ok(None) };
        self.seen += 1;
        if self.seen > MOST_CHUNKS {
            return Ok(None);
        }
        self.next = self.after(&chunk)?;
        Ok(Some(chunk))
    }

    /// The first bytes of a chunk, at most `length`.
    pub(super) fn content(&mut self, chunk: &Chunk, length: usize) -> Result<Vec<u8>> {
        self.window.peek(chunk.at, length.min(usize::try_from(chunk.length).unwrap_or(usize::MAX)))
    }

    /// Whether a chunk that sound files have, or nothing, begins at `at`.
    pub(super) fn known_at(&mut self, at: u64) -> Result<bool> {
        let id = self.window.peek(at, 4)?;
        Ok(id.is_empty() || is_known(&id))
    }

    /// Goes on at `at`, for a chunk whose length is told elsewhere.
    pub(super) fn go_on_behind(&mut self, at: u64) {
        self.next = at.saturating_add(at % 2);
    }

    fn read(&mut self, at: u64) -> Result<Option<Chunk>> {
        if self.layout == Layout::Wave64 {
            let head = self.window.peek(at, 24)?;
            let (Some(id), Some(length)) = (four(&head, 0), head.get(16..24)) else { return Ok(None) };
            let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            return Ok(Some(Chunk { id, at: at + 24, length: length.saturating_sub(24) }));
        }
        let head = self.window.peek(at, 8)?;
        let (Some(id), Some(length)) = (four(&head, 0), four(&head, 4)) else { return Ok(None) };
        let length = if self.layout == Layout::Riff { u32::from_le_bytes(length) } else { u32::from_be_bytes(length) };
        Ok(Some(Chunk { id, at: at + 8, length: u64::from(length) }))
    }

    fn after(&mut self, chunk: &Chunk) -> Result<u64> {
        let end = chunk.at.saturating_add(chunk.length);
        if self.layout == Layout::Wave64 {
            return Ok(end.checked_next_multiple_of(8).unwrap_or(u64::MAX));
        }
        if chunk.length.is_multiple_of(2) {
            return Ok(end);
        }
        // A padding byte belongs here, but not every program writes one.
        let next = self.window.peek(end, 5)?;
        let unpadded = next.get(..4).is_some_and(is_known) && !next.get(1..5).is_some_and(is_known);
        Ok(if unpadded { end } else { end + 1 })
    }
}

/// Four bytes of `bytes`.
pub(super) fn four(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.try_into().ok()
}
