//! Frames: what goes over a connection between workers, each whole or an error.
//!
//! ```text
//! "CTWF"  kind  0 0 0  meeting u64  step u64  turn u32  length u32  CRC-32C u32  payload
//! ```
//!
//! All numbers are little-endian. The checksum covers everything else. `meeting` is a number that worker 0 drew for this
//! meeting, `step` the run's step, `turn` which exchange of that step.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

const MAGIC: [u8; 4] = *b"CTWF";
/// Bytes in front of the payload.
const HEADER: usize = 36;
/// Where the checksum stands.
const CRC: usize = 32;
/// Payload is read in pieces of so many bytes: memory grows with what has come, not with what was announced.
const PIECE: usize = 1 << 20;

/// A connection on which nothing comes for so long is dead. Workers that have nothing to say send [`Kind::Alive`] far more
/// often.
pub const SILENCE: Duration = Duration::from_secs(15);

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: the sender is there.
    Alive = 1,
    /// Worker 0's first frame: `meeting` is the number of this meeting.
    Challenge,
    /// The answer: proof of the key, then the sender's standing as JSON.
    Hello,
    /// All are here.
    Welcome,
    /// The sender of the hello is not taken; the payload says why.
    Refused,
    /// The sender ends; the payload says why.
    Leave,
    /// Numbers of f32 to be averaged.
    Mean,
    /// Numbers of f64 to be averaged.
    Figures,
    /// Bits that count for all if one worker has set them.
    Flags,
    /// The rows of a tensor, of which each worker has its own.
    Rows,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        let all = [
            Self::Alive,
            Self::Challenge,
            Self::Hello,
            Self::Welcome,
            Self::Refused,
            Self::Leave,
            Self::Mean,
            Self::Figures,
            Self::Flags,
            Self::Rows,
        ];
        all.into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// What a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it is for.
    pub kind: Kind,
    /// The meeting's number.
    pub meeting: u64,
    /// The run's step, counted from 0.
    pub step: u64,
    /// Which exchange of the step, counted from 0.
    pub turn: u32,
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it belongs to.
    pub head: Head,
    /// What it brings.
    pub payload: Vec<u8>,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side has gone.
    #[error("its connection was closed")]
    Closed,
    /// Nothing came.
    #[error("nothing came from it in time")]
    Silent,
    /// What came is no frame of a worker.
    #[error("what it sent is no frame of a worker")]
    Foreign,
    /// More than was agreed on.
    #[error("it announced {length} bytes where {most} are the most")]
    TooLong {
        /// Bytes announced.
        length: usize,
        /// The bound.
        most: usize,
    },
    /// The checksum is another.
    #[error("a frame of it came damaged")]
    Damaged,
    /// The system.
    #[error("its connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Writes a frame.
///
/// # Errors
/// What the system says, also if the other side takes nothing for longer than the stream's timeout.
pub fn write(to: &mut impl Write, head: Head, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = head.kind as u8;
    header[8..16].copy_from_slice(&head.meeting.to_le_bytes());
    header[16..24].copy_from_slice(&head.step.to_le_bytes());
    header[24..28].copy_from_slice(&head.turn.to_le_bytes());
    header[28..CRC].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..CRC]), payload);
    header[CRC..].copy_from_slice(&crc.to_le_bytes());
    to.write_all(&header)?;
    to.write_all(payload)?;
    to.flush()
}

/// Reads a frame of at most `most` bytes of payload. The stream's read timeout decides how often time is looked at.
///
/// # Errors
/// [`FrameError`]; [`FrameError::Silent`] if nothing comes for [`SILENCE`], or the frame is not whole at `until`.
pub fn read(from: &mut impl Read, most: usize, until: Option<Instant>) -> Result<Frame, FrameError> {
    let mut header = [0; HEADER];
    fill(from, &mut header, until)?;
    let four = |at: usize| <[u8; 4]>::try_from(&header[at..at + 4]).map_or(0, u32::from_le_bytes);
    let eight = |at: usize| <[u8; 8]>::try_from(&header[at..at + 8]).map_or(0, u64::from_le_bytes);
    let kind = Kind::of(header[4]).filter(|_| header[..4] == MAGIC && header[5..8] == [0; 3]);
    let head = Head { kind: kind.ok_or(FrameError::Foreign)?, meeting: eight(8), step: eight(16), turn: four(24) };
    let length = four(28) as usize;
    if length > most {
        return Err(FrameError::TooLong { length, most });
    }
    let mut payload = Vec::new();
    while payload.len() < length {
        let begin = payload.len();
        payload.resize(length.min(begin + PIECE), 0);
        fill(from, &mut payload[begin..], until)?;
    }
    if crc32c::crc32c_append(crc32c::crc32c(&header[..CRC]), &payload) != four(CRC) {
        return Err(FrameError::Damaged);
    }
    Ok(Frame { head, payload })
}

fn fill(from: &mut impl Read, into: &mut [u8], until: Option<Instant>) -> Result<(), FrameError> {
    let (mut filled, mut heard) = (0, Instant::now());
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) => return Err(FrameError::Closed),
            Ok(count) => {
                filled += count;
                heard = Instant::now();
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                    return Err(FrameError::Closed);
                }
                _ => return Err(error.into()),
            },
        }
        if heard.elapsed() >= SILENCE || until.is_some_and(|until| Instant::now() >= until) {
            return Err(FrameError::Silent);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEAD: Head = Head { kind: Kind::Mean, meeting: 7, step: 1 << 40, turn: 3 };

    fn written(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, HEAD, payload).unwrap();
        bytes
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let payload: Vec<u8> = (0..3 * PIECE + 5).map(|i| i as u8).collect();
        let bytes = written(&payload);
        assert_eq!(read(&mut &bytes[..], payload.len(), None).unwrap(), Frame { head: HEAD, payload });
    }

    #[test]
    fn whatever_else_comes_is_an_error() {
        let bytes = written(b"payload");
        for length in 0..bytes.len() {
            assert!(matches!(read(&mut &bytes[..length], 100, None), Err(FrameError::Closed)));
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1 << bit;
                assert!(read(&mut &damaged[..], 100, None).is_err(), "byte {place}, bit {bit}");
            }
        }
        assert!(matches!(
            read(&mut &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n....."[..], 100, None),
            Err(FrameError::Foreign)
        ));
        assert!(matches!(read(&mut &bytes[..], 6, None), Err(FrameError::TooLong { length: 7, most: 6 })));
        // An announced length takes no memory before it has come.
        let mut huge = bytes;
        huge[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(read(&mut &huge[..], usize::MAX, None), Err(FrameError::Closed)));
        let late = Some(Instant::now());
        assert!(matches!(read(&mut &huge[..], usize::MAX, late), Err(FrameError::Silent)));
    }
}
