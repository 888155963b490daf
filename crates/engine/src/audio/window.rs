//! A range of a file's bytes, read as if it were the whole file, and how far reading has come.

use std::fs::File;
use std::io::{BufReader, Read, Result, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

/// Bytes `start..end` of a file. Positions inside it count from its start.
#[derive(Debug)]
pub(super) struct Window {
    file: File,
    start: u64,
    end: u64,
    /// Where the next read begins, in bytes of the file.
    at: u64,
    furthest: Arc<AtomicU64>,
}

impl Window {
    /// The whole file.
    pub(super) fn whole(mut file: File) -> Result<Self> {
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, start: 0, end, at: 0, furthest: Arc::default() })
    }

    /// The part of `self` that begins at `from` and has at most `length` bytes.
    pub(super) fn part(mut self, from: u64, length: u64) -> Result<Self> {
        self.start = self.start.saturating_add(from).min(self.end);
        self.end = self.start.saturating_add(length).min(self.end);
        self.rewind()?;
        Ok(self)
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The furthest byte of the file that was read so far, for progress.
    pub(super) fn furthest(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.furthest)
    }

    /// Up to `length` bytes from `at` on; fewer where the window ends.
    pub(super) fn peek(&mut self, at: u64, length: usize) -> Result<Vec<u8>> {
        self.seek(SeekFrom::Start(at.min(self.len())))?;
        let mut bytes = Vec::new();
        self.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The window from its start, buffered.
    pub(super) fn buffered(mut self) -> Result<BufReader<Self>> {
        self.rewind()?;
        Ok(BufReader::with_capacity(1 << 16, self))
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let room = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..room])?;
        self.at += read as u64;
        self.furthest.fetch_max(self.at, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => self.start.checked_add(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let Some(target) = target.filter(|&target| target >= self.start) else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        self.at = self.file.seek(SeekFrom::Start(target))?;
        Ok(self.at - self.start)
    }
}

impl MediaSource for Window {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}

/// Fills as much of `buffer` as there are bytes and says how much that was.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
