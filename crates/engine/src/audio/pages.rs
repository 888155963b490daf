//! The pages of an OGG file.

use std::io::{BufReader, Read, Result, Seek as _, SeekFrom};

use super::window::{Window, fill};

/// Bytes of a page's head before its table of segments.
const HEAD_BYTES: usize = 27;

/// One page with a right checksum.
#[expect(clippy::struct_excessive_bools, reason = "the format's own flags")]
#[derive(Debug)]
pub(super) struct Page {
    pub(super) serial: u32,
    pub(super) sequence: u32,
    /// Position of the stream behind the last packet that ends on the page; `None` if the page does not tell.
    pub(super) granule: Option<u64>,
    pub(super) first: bool,
    pub(super) last: bool,
    /// The first part goes on with a packet of the page before.
    pub(super) continued: bool,
    /// The packets' parts in order. All but the last end here; the last does if `complete`.
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) complete: bool,
}

impl Page {
    /// The page without its parts.
    pub(super) fn clone_head(&self) -> Self {
        Self { parts: Vec::new(), ..*self }
    }
}

/// Reads page after page, passing over what is none.
#[derive(Debug)]
pub(super) struct Pages {
    input: BufReader<Window>,
    /// The file ended inside a page.
    pub(super) cut: bool,
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = ((i as u32) << 24, 0);
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 == 0 { 0 } else { 0x04c1_1db7 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

pub(super) fn crc(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| crc << 8 ^ CRC[usize::from((crc >> 24) as u8 ^ byte)])
}

impl Pages {
    pub(super) fn new(window: Window) -> Result<Self> {
        Ok(Self { input: window.buffered()?, cut: false })
    }

    /// The next page, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Page>> {
        loop {
            if !self.find_mark()? {
                return Ok(None);
            }
            let at = self.input.stream_position()?;
            if let Some(page) = self.read_page()? {
                return Ok(Some(page));
            }
            // Not one: what begins inside it may be.
            self.input.seek(SeekFrom::Start(at))?;
        }
    }

    /// The last position that the file tells, for its length. Leaves the reader at the beginning.
    pub(super) fn last_granule(&mut self, serial: u32) -> Result<Option<u64>> {
        let end = self.input.seek(SeekFrom::End(0))?;
        let mut granule = None;
        // A page has at most 65 307 bytes.
        self.input.seek(SeekFrom::Start(end.saturating_sub(2 * 65_307)))?;
        while let Some(page) = self.next()? {
            if page.serial == serial && page.granule.is_some() {
                granule = page.granule;
            } else if page.serial != serial {
                granule = None;
            }
        }
        self.input.rewind()?;
        self.cut = false;
        Ok(granule)
    }

    /// Goes to behind the next `OggS`.
    fn find_mark(&mut self) -> Result<bool> {
        let mut last = [0; 4];
        if fill(&mut self.input, &mut last)? < 4 {
            return Ok(false);
        }
        while &last != b"OggS" {
            last.rotate_left(1);
            if fill(&mut self.input, &mut last[3..])? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_page(&mut self) -> Result<Option<Page>> {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(b"OggS");
        let mut lacing = [0; 255];
        if fill(&mut self.input, &mut head[4..])? < HEAD_BYTES - 4 {
            self.cut = true;
            return Ok(None);
        }
        let lacing = &mut lacing[..usize::from(head[26])];
        if head[4] != 0 {
            return Ok(None);
        }
        let length: usize = if fill(&mut self.input, lacing)? == lacing.len() {
            lacing.iter().map(|&length| usize::from(length)).sum()
        } else {
            usize::MAX
        };
        let mut body = Vec::new();
        if length < usize::MAX {
            (&mut self.input).take(length as u64).read_to_end(&mut body)?;
        }
        if body.len() < length {
            self.cut = true;
            return Ok(None);
        }
        let told = u32::from_le_bytes([head[22], head[23], head[24], head[25]]);
        head[22..26].fill(0);
        if crc(crc(crc(0, &head), lacing), &body) != told {
            return Ok(None);
        }
        self.cut = false;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let granule = u64::from(word(10)) << 32 | u64::from(word(6));
        let (mut parts, mut part, mut at) = (Vec::new(), Vec::new(), 0);
        let mut complete = true;
        for &mut length in lacing {
            let length = usize::from(length);
            part.extend_from_slice(&body[at..at + length]);
            at += length;
            complete = length < 255;
            if complete {
                parts.push(std::mem::take(&mut part));
            }
        }
        if !complete {
            parts.push(part);
        }
        Ok(Some(Page {
            serial: word(14),
            sequence: word(18),
            granule: Some(granule).filter(|&granule| i64::try_from(granule).is_ok()),
            first: head[5] & 2 != 0,
            last: head[5] & 4 != 0,
            continued: head[5] & 1 != 0,
            parts,
            complete,
        }))
    }
}
