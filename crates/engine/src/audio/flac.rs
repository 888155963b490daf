//! FLAC: a reader of its own for the stream of frames, in front of symphonia's decoder.
//!
//! A frame does not tell its length. It ends where its checksum comes out and the next frame's header or the end of the
//! file follows, so that neither bytes behind the end nor a header that says less than it could lose a frame.

use std::io::{BufReader, Read as _, Result};

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;

use super::checksum::Checksum;
use super::codec::{Codec, Decoded, Layout};
use super::loss::{Cause, Log};
use super::source::{End, Info, Opened, Refusal, Source, Step};
use super::window::{Window, fill};

/// Bytes read at a time.
const READ_BYTES: usize = 1 << 16;
/// Most bytes of a frame's header.
const HEADER_BYTES: usize = 16;

/// What the file says about its frames: `STREAMINFO`, made fit for symphonia.
#[derive(Debug, Clone)]
pub(super) struct StreamInfo {
    bytes: [u8; 34],
    pub(super) layout: Layout,
    bits: u32,
    largest_block: u64,
    /// Frames in every block but the last, where the file says so.
    fixed_block: Option<u64>,
    /// Frames, if known.
    pub(super) frames: Option<u64>,
}

impl StreamInfo {
    /// Reads the content of a `STREAMINFO` block.
    pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Self, Refusal> {
        let short = || Refusal::damaged("its FLAC stream information is too short");
        let mut bytes: [u8; 34] = bytes.get(..34).and_then(|b| b.try_into().ok()).ok_or_else(short)?;
        let packed = u64::from_be_bytes([
            bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15], bytes[16], bytes[17],
        ]);
        let smallest = u16::from_be_bytes([bytes[0], bytes[1]]);
        let mut largest = u16::from_be_bytes([bytes[2], bytes[3]]);
        let fixed_block = (smallest == largest && largest >= 16).then_some(u64::from(largest));
        if largest < 16 {
            largest = u16::MAX;
        }
        // Some encoders leave the smallest block, or both, at 0; symphonia wants numbers that can be. Its bounds on a
        // frame's bytes only matter to its own reader.
        bytes[0..2].copy_from_slice(&largest.to_be_bytes());
        bytes[2..4].copy_from_slice(&largest.to_be_bytes());
        bytes[4..10].fill(0);
        Ok(Self {
            bytes,
            layout: Layout { rate_hz: (packed >> 44) as u32, channels: (packed >> 41 & 7) as usize + 1 },
            bits: (packed >> 36 & 31) as u32 + 1,
            largest_block: u64::from(largest),
            fixed_block,
            frames: Some(packed & 0xf_ffff_ffff).filter(|&frames| frames > 0),
        })
    }

    /// What compares the sound with the checksum that the stream names, beside the decoder.
    fn checksum(&self) -> Option<Checksum> {
        let named = self.bytes[18..].try_into().ok()?;
        Checksum::new(named, self.bits)
    }

    /// A decoder for the stream, which compares the sound with the stream's checksum itself if it is to `verify`.
    pub(super) fn codec(&self, verify: bool) -> std::result::Result<Codec, Refusal> {
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_FLAC).with_extra_data(self.bytes.as_slice().into());
        Codec::new(&params, verify).map_err(|e| Refusal::codec("FLAC", e))
    }

    /// More bytes than any frame of the stream can have: its samples as they are, twice for a careless encoder.
    fn most_frame_bytes(&self) -> usize {
        let samples = self.largest_block as usize * self.layout.channels;
        samples * (self.bits as usize).div_ceil(8) * 2 + 1_024
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Number of the frame, or of its first sample where blocks vary in length.
    number: u64,
    varies: bool,
    /// Frames of sound in it.
    pub(super) frames: u64,
}

impl FrameHeader {
    /// Reads the header that `bytes` begin with, if one does that fits the stream.
    pub(super) fn parse(bytes: &[u8], info: &StreamInfo) -> Option<Self> {
        let &[0xff, sync, sizes, form, ..] = bytes else { return None };
        if sync & 0xfe != 0xf8 || form & 1 != 0 {
            return None;
        }
        let channels = match form >> 4 {
            count @ 0..=7 => usize::from(count) + 1,
            8..=10 => 2,
            _ => return None,
        };
        let bits = match form >> 1 & 7 {
            0 => info.bits,
            code @ 1..=7 => [8, 12, 0, 16, 20, 24, 32][usize::from(code) - 1],
            _ => return None,
        };
        if channels != info.layout.channels || bits != info.bits {
            return None;
        }
        let mut at = 4;
        let number = coded_number(bytes, &mut at)?;
        let mut next = |count: usize| -> Option<u64> {
            let value = bytes.get(at..at + count)?.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            at += count;
            Some(value)
        };
        let frames = match sizes >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => next(1)? + 1,
            7 => next(2)? + 1,
            code => 256 << (code - 8),
        };
        let rate = match sizes & 15 {
            0 => u64::from(info.layout.rate_hz),
            code @ 1..=11 => [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
                [usize::from(code) - 1],
            12 => next(1)? * 1_000,
            13 => next(2)?,
            14 => next(2)? * 10,
            _ => return None,
        };
        let fits = rate == u64::from(info.layout.rate_hz) && frames <= info.largest_block;
        (fits && bytes.get(at) == Some(&crc8(&bytes[..at]))).then_some(Self { number, varies: sync & 1 == 1, frames })
    }
}

/// A number of up to 36 bits, coded as UTF-8 codes characters.
fn coded_number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    let more = match first.leading_ones() {
        0 => 0,
        ones @ 2..=7 => ones as usize - 1,
        _ => return None,
    };
    let mut value = u64::from(first) & if more == 0 { 0x7f } else { (1 << (6 - more.min(6))) - 1 };
    for byte in bytes.get(*at + 1..=*at + more)? {
        if byte & 0xc0 != 0x80 {
            return None;
        }
        value = value << 6 | u64::from(byte & 0x3f);
    }
    *at += 1 + more;
    Some(value)
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 7 }))
}

/// Bytes of a frame's checksum that are taken in one step.
const AT_ONCE: usize = 8;

/// Entry `[n][byte]`: the checksum of a byte with `n` zeros behind it.
const CRC16: [[u16; 256]; AT_ONCE] = {
    let mut tables = [[0; 256]; AT_ONCE];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < AT_ONCE {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = crc << 8 ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
};

/// The checksum of a frame, gone on with over more bytes; 0 behind a frame's last byte. Eight bytes at a time, since one by one
/// each would wait for the one before.
fn crc16(crc: u16, bytes: &[u8]) -> u16 {
    let (eights, rest) = bytes.as_chunks::<AT_ONCE>();
    let crc = eights.iter().fold(crc, |crc, bytes| {
        let [high, low] = crc.to_be_bytes();
        let last = |index: usize| CRC16[AT_ONCE - 1 - index][usize::from(bytes[index])];
        CRC16[7][usize::from(bytes[0] ^ high)]
            ^ CRC16[6][usize::from(bytes[1] ^ low)]
            ^ (last(2) ^ last(3) ^ last(4))
            ^ (last(5) ^ last(6) ^ last(7))
    });
    rest.iter().fold(crc, |crc, &byte| crc << 8 ^ CRC16[0][usize::from((crc >> 8) as u8 ^ byte)])
}

/// The longest beginning of `bytes` whose checksum comes out.
fn longest_whole(bytes: &[u8]) -> Option<usize> {
    let (mut crc, mut longest) = (0, None);
    for (at, byte) in bytes.iter().enumerate() {
        crc = crc16(crc, std::slice::from_ref(byte));
        if crc == 0 {
            longest = Some(at + 1);
        }
    }
    longest
}

/// Opens a FLAC whose window begins with its marker.
pub(super) fn open(window: Window) -> std::result::Result<Opened, Refusal> {
    let mut input = window.buffered()?;
    let mut head = [0; 4];
    input.read_exact(&mut head)?;
    let mut info = None;
    loop {
        input.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]);
        if head[0].trailing_zeros() >= 7 && info.is_none() {
            let mut bytes = [0; 34];
            let there = fill(&mut (&mut input).take(u64::from(length)), &mut bytes)?;
            info = Some(StreamInfo::parse(&bytes[..there])?);
            input.seek_relative(i64::from(length) - there as i64)?;
        } else {
            input.seek_relative(i64::from(length))?;
        }
        if head[0] & 0x80 != 0 {
            break;
        }
    }
    let info = info.ok_or_else(|| Refusal::damaged("it has no FLAC stream information"))?;
    let checksum = info.checksum();
    let codec = info.codec(checksum.is_none())?;
    let about = Info {
        sample_rate_hz: info.layout.rate_hz,
        channels: info.layout.channels,
        declared_frames: info.frames,
        format: "flac".into(),
    };
    let nominal = info.fixed_block;
    let source = FlacSource {
        input,
        ended: false,
        bytes: Vec::new(),
        at: 0,
        info,
        codec,
        checksum,
        nominal,
        position: 0,
        intact: true,
        cut: false,
    };
    Ok(Opened::new(source, about))
}

/// A FLAC stream.
struct FlacSource {
    input: BufReader<Window>,
    /// No more bytes come.
    ended: bool,
    /// What is read and not decoded yet begins at `at`.
    bytes: Vec<u8>,
    at: usize,
    info: StreamInfo,
    codec: Codec,
    /// Until something was lost.
    checksum: Option<Checksum>,
    /// Frames in every block but the last, where blocks do not vary.
    nominal: Option<u64>,
    /// Where the next frame belongs.
    position: u64,
    /// Nothing was lost so far, so that the checksum of the whole means something.
    intact: bool,
    /// The last frame that was looked at is not whole.
    cut: bool,
}

/// Where a frame ends.
enum Extent {
    /// Whole, with so many bytes.
    Whole(usize),
    /// Damaged; another frame's header, or the end, follows after so many bytes.
    Damaged(usize),
}

impl FlacSource {
    /// Where a frame begins in the recording.
    fn start_of(&self, header: &FrameHeader) -> u64 {
        if header.varies { header.number } else { header.number.saturating_mul(self.nominal.unwrap_or(header.frames)) }
    }

    /// Reads until `wanted` bytes are there from `at` on, or the end.
    fn want(&mut self, wanted: usize) -> Result<()> {
        while !self.ended && self.bytes.len() - self.at < wanted {
            if self.at > READ_BYTES {
                self.bytes.drain(..self.at);
                self.at = 0;
            }
            let there = self.bytes.len();
            self.bytes.resize(there + READ_BYTES, 0);
            let read = fill(&mut self.input, &mut self.bytes[there..])?;
            self.bytes.truncate(there + read);
            self.ended = read < READ_BYTES;
        }
        Ok(())
    }

    /// The header of the next frame; bytes in front of it are passed over.
    fn find(&mut self) -> Result<Option<FrameHeader>> {
        loop {
            self.want(HEADER_BYTES)?;
            let rest = &self.bytes[self.at..];
            if rest.is_empty() {
                return Ok(None);
            }
            if let Some(header) = FrameHeader::parse(rest, &self.info) {
                return Ok(Some(header));
            }
            self.at += 1;
        }
    }

    /// How far the frame reaches that begins at `at`.
    fn extent(&mut self, header: &FrameHeader) -> Result<Extent> {
        let most = self.info.most_frame_bytes();
        // The checksum of the first `length` bytes, in none of which the next frame's header begins.
        let (mut crc, mut length, mut later) = (0, 0, None);
        loop {
            self.want(length + READ_BYTES.min(most) + HEADER_BYTES)?;
            let frame = &self.bytes[self.at..];
            let reach = frame.len().min(most + 1);
            // A header may begin wherever its whole length can be looked at.
            let seen = if self.ended { reach } else { reach.min(frame.len().saturating_sub(HEADER_BYTES)) };
            while length < seen {
                let found = FrameHeader::parse(&frame[length..], &self.info).filter(|_| length > 0);
                if let Some(next) = found.filter(|n| n.varies == header.varies && n.number > header.number) {
                    // Once in some hours of sound, bytes inside a frame look like a header. Hardly ever like the very next one.
                    let following = header.number + if header.varies { header.frames } else { 1 };
                    if crc == 0 {
                        return Ok(Extent::Whole(length));
                    }
                    if next.number == following {
                        return Ok(Extent::Damaged(length));
                    }
                    later.get_or_insert(length);
                }
                let next = memchr::memchr(0xff, &frame[length + 1..seen]).map_or(seen, |more| length + 1 + more);
                crc = crc16(crc, &frame[length..next]);
                length = next;
            }
            if length == reach && (self.ended || reach > most) {
                // The end, or bytes that belong to nothing: the frame may have ended before them.
                let whole = longest_whole(&frame[..length]);
                return Ok(whole.map_or_else(|| Extent::Damaged(later.unwrap_or(length)), Extent::Whole));
            }
        }
    }

    fn finish(&mut self, log: &mut Log) -> End {
        let whole = self.info.frames.is_none_or(|frames| frames == self.position);
        let beside = self.checksum.take();
        if self.intact && whole {
            let comes_out = match beside {
                Some(checksum) => Some(checksum.comes_out()),
                None => self.codec.is_verified(),
            };
            if comes_out == Some(false) {
                log.lose(0, Some(0), Cause::Checksum);
            }
        }
        if self.cut { End::OutOfBytes } else { End::Complete }
    }
}

impl Source for FlacSource {
    fn skip(&mut self, frames: u64) -> Result<u64> {
        let mut skipped = 0;
        // Every frame stands for itself. What is not as it should be is left to whoever decodes.
        while let Some(header) = self.find()? {
            self.nominal.get_or_insert(header.frames);
            if skipped + header.frames > frames || self.start_of(&header) != self.position {
                break;
            }
            let Extent::Whole(length) = self.extent(&header)? else { break };
            self.at += length;
            self.position += header.frames;
            skipped += header.frames;
            // The checksum is of all that is decoded.
            (self.checksum, self.intact) = (None, false);
        }
        Ok(skipped)
    }

    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        loop {
            let Some(header) = self.find()? else { return Ok(Step::End(self.finish(log))) };
            self.cut = false;
            self.nominal.get_or_insert(header.frames);
            let extent = self.extent(&header)?;
            let start = self.start_of(&header);
            if start > self.position {
                self.intact = false;
                // A first frame with a later number is a cut out of a longer stream, and nothing is missing.
                if self.position > 0 || self.info.frames.is_some_and(|frames| start < frames) {
                    log.lose(0, Some(start - self.position), Cause::Damaged { what: "damaged FLAC frames" });
                }
                self.position = start;
            }
            let length = match extent {
                Extent::Whole(length) => length,
                Extent::Damaged(length) => {
                    (self.intact, self.cut) = (false, true);
                    self.at += length;
                    // How much is lost shows in the next frame's number, or at the end.
                    continue;
                }
            };
            let data = self.bytes[self.at..self.at + length].to_vec();
            self.at += length;
            let before = block.len();
            match self.codec.decode(data, header.frames, block) {
                Decoded::Frames(0, _) => {}
                Decoded::Frames(frames, _) => {
                    self.position += frames;
                    if let Some(checksum) = self.checksum.as_mut().filter(|_| self.intact) {
                        checksum.push(&block[before..]);
                    }
                    return Ok(Step::Frames);
                }
                Decoded::Damaged => self.intact = false,
                Decoded::Broken(reason) => return Ok(Step::End(End::Broken(reason))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_format_however_it_is_cut() {
        // CRC-16 with polynomial 0x8005, not reflected, from 0 (RFC 9639, section 9.3).
        assert_eq!(crc16(0, b"123456789"), 0xfee8);
        let bytes: Vec<u8> = (3..999_u32).map(|at| ((at * at) >> 3) as u8).collect();
        let whole = crc16(0, &bytes);
        for cut in 0..40 {
            assert_eq!(crc16(crc16(0, &bytes[..cut]), &bytes[cut..]), whole);
        }
        let sealed = [bytes.as_slice(), &whole.to_be_bytes()].concat();
        assert_eq!(crc16(0, &sealed), 0);
        assert_eq!(longest_whole(&[sealed.as_slice(), b"tail"].concat()), Some(sealed.len()));
        assert_eq!(longest_whole(&bytes), None);
    }
}
