//! Streams of frames that tell their own length: MPEG audio (MP3 above all) and AAC in ADTS. Tags, other streams behind
//! the first, and damage lie between the frames.

use std::io::{BufReader, Result};

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use super::aac::Extension;
use super::codec::{Codec, Decoded};
use super::loss::{Cause, Log};
use super::mpeg::{Header, Summary};
use super::source::{End, Info, Opened, Refusal, Source, Step};
use super::tags::id3v2_length;
use super::window::{Window, fill};

/// Bytes read at a time.
const READ_BYTES: usize = 1 << 16;
/// Bytes that are searched for the first frame.
const SEARCHED_BYTES: usize = 1 << 20;
/// Frames that must follow on each other before bytes are believed to be sound.
const BELIEVED: usize = 3;

/// Opens MPEG audio that lies in a container; `container` goes in front of its name.
pub(super) fn open_mpeg(window: Window, container: &str) -> std::result::Result<Opened, Refusal> {
    let mut opened = open(window)?;
    opened.info.format.insert_str(0, container);
    Ok(opened)
}

/// Opens a file that has no other mark than its frames.
pub(super) fn open(window: Window) -> std::result::Result<Opened, Refusal> {
    let mut bytes = Buffered { input: window.buffered()?, ended: false, bytes: Vec::new(), at: 0 };
    let found = loop {
        if bytes.at > SEARCHED_BYTES || !bytes.has(4)? {
            return Err(Refusal::NotAudio("no known audio format was found in it".into()));
        }
        if let Some(header) = bytes.believed()? {
            break header;
        }
        bytes.at += 1;
    };
    let mut params = AudioCodecParameters::new();
    params.for_codec(found.codec).with_sample_rate(found.layout.rate_hz).with_channels(match found.layout.channels {
        1 => Channels::Positioned(Position::FRONT_LEFT),
        2 => Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT),
        0 => return Err(Refusal::Unsupported("AAC with its channels told in the stream".into())),
        count => return Err(Refusal::Unsupported(format!("AAC with {count} channels"))),
    });
    if found.codec == CODEC_ID_AAC {
        refuse_extension(&mut bytes)?;
    }
    let codec = Codec::new(&params, false).map_err(|e| Refusal::codec("MPEG audio", e))?;
    let summary = bytes.frame(&found).and_then(|frame| Summary::parse(frame, &found));
    let info = Info {
        sample_rate_hz: found.layout.rate_hz,
        channels: found.layout.channels,
        declared_frames: summary.and_then(|summary| summary.frames),
        format: codec.name().into(),
    };
    let source = FramedSource {
        bytes,
        codec,
        first: found,
        to_drop: 0,
        left: None,
        passed_over: 0,
        sound_bytes: 0,
        sound_frames: 0,
        fresh: true,
    };
    Ok(Opened::new(source, info))
}

/// Refuses HE-AAC by its packets, and leaves the reader where it was.
fn refuse_extension(bytes: &mut Buffered) -> std::result::Result<(), Refusal> {
    let (start, mut extension) = (bytes.at, Extension::default());
    while let Some(header) = bytes.header()? {
        let known = bytes.frame(&header).and_then(|frame| frame.get(header.head..)).and_then(|raw| extension.look(raw));
        bytes.at += header.bytes;
        // What was read is kept only as far back as this.
        if known.is_some() || bytes.at - start > READ_BYTES / 2 {
            break;
        }
    }
    bytes.at = start;
    if extension.is_there() { Err(Refusal::Unsupported("HE-AAC".into())) } else { Ok(()) }
}

/// The file's bytes from the next frame on.
struct Buffered {
    input: BufReader<Window>,
    ended: bool,
    bytes: Vec<u8>,
    at: usize,
}

impl Buffered {
    /// Whether there are `wanted` bytes from here on.
    fn has(&mut self, wanted: usize) -> Result<bool> {
        while !self.ended && self.bytes.len() < self.at + wanted {
            let there = self.bytes.len();
            self.bytes.resize(there + READ_BYTES, 0);
            let read = fill(&mut self.input, &mut self.bytes[there..])?;
            self.bytes.truncate(there + read);
            self.ended = read < READ_BYTES;
        }
        Ok(self.bytes.len() >= self.at + wanted)
    }

    /// Forgets what lies behind.
    fn forget(&mut self) {
        if self.at > READ_BYTES {
            self.bytes.drain(..self.at.min(self.bytes.len()));
            self.at = 0;
        }
    }

    /// The header of the whole frame that begins here.
    fn header(&mut self) -> Result<Option<Header>> {
        if !self.has(10)? && !self.has(4)? {
            return Ok(None);
        }
        let header = Header::parse(&self.bytes[self.at..]);
        Ok(match header {
            Some(header) if self.has(header.bytes)? => Some(header),
            _ => None,
        })
    }

    /// As [`Self::header`], if further frames of the same kind follow, or the end.
    fn believed(&mut self) -> Result<Option<Header>> {
        let Some(first) = self.header()? else { return Ok(None) };
        let start = self.at;
        let mut last = first;
        let mut believed = true;
        for _ in 1..BELIEVED {
            self.at += last.bytes;
            if !self.has(1)? {
                break;
            }
            match self.header()? {
                Some(next) if first.continues(&next) => last = next,
                _ => {
                    // A frame that breaks off at the end of the file is no reason for doubt.
                    let rest = &self.bytes[self.at..];
                    believed =
                        self.ended && Header::parse(rest).is_some_and(|h| first.continues(&h) && rest.len() < h.bytes);
                    break;
                }
            }
        }
        self.at = start;
        Ok(believed.then_some(first))
    }

    fn frame(&self, header: &Header) -> Option<&[u8]> {
        self.bytes.get(self.at..self.at + header.bytes)
    }
}

/// A stream of frames.
struct FramedSource {
    bytes: Buffered,
    codec: Codec,
    first: Header,
    /// Decoded frames to be dropped: the encoder's delay.
    to_drop: u64,
    /// Frames up to the encoder's padding, if known.
    left: Option<u64>,
    /// Bytes since the last frame that belong to none.
    passed_over: u64,
    /// Bytes and frames of the sound so far, for how much sound so many bytes are.
    sound_bytes: u64,
    sound_frames: u64,
    /// A stream begins here.
    fresh: bool,
}

impl FramedSource {
    /// Notes what bytes that belong to no frame have cost, in whole frames.
    fn count_damage(&mut self, pending: u64, log: &mut Log) {
        let packets = self.sound_frames / self.first.frames.max(1);
        let bytes = std::mem::take(&mut self.passed_over);
        let mean = self.sound_bytes.checked_div(packets).filter(|&mean| mean > 0).unwrap_or(self.first.bytes as u64);
        let frames = (bytes + mean / 2) / mean * self.first.frames;
        if frames > 0 {
            log.lose(pending, Some(frames), Cause::Damaged { what: "bytes that are no frame" });
            self.codec.reset();
            self.left = self.left.map(|left| left.saturating_sub(frames));
        }
    }

    /// Frames from `header` on to the end.
    fn count_rest(&mut self, header: Header) -> Result<Option<u64>> {
        let mut frames = 0;
        while let Some(next) = self.bytes.header()?.filter(|next| next.codec == header.codec) {
            frames += next.frames;
            self.bytes.at += next.bytes;
            self.bytes.forget();
        }
        Ok(Some(frames))
    }

    /// Passes over a tag that begins here.
    fn tag(&mut self) -> Result<bool> {
        self.bytes.has(128)?;
        let here = &self.bytes.bytes[self.bytes.at..];
        let length = match here {
            _ if here.starts_with(b"TAG") => Some(128),
            _ if here.starts_with(b"APETAGEX") && here.len() >= 32 => {
                let body = u32::from_le_bytes([here[12], here[13], here[14], here[15]]);
                // In front of a tag stands a header that is not counted.
                Some(u64::from(body) + if here[23] & 0x20 == 0 { 0 } else { 32 })
            }
            _ => id3v2_length(here),
        };
        let Some(length) = length else { return Ok(false) };
        let there = (self.bytes.bytes.len() - self.bytes.at) as u64;
        if length <= there {
            self.bytes.at += length as usize;
        } else {
            self.bytes.bytes.clear();
            self.bytes.at = 0;
            let more =
                std::io::copy(&mut std::io::Read::take(&mut self.bytes.input, length - there), &mut std::io::sink())?;
            self.bytes.ended |= more < length - there;
        }
        // Another stream may begin behind a tag.
        self.fresh = true;
        Ok(true)
    }
}

impl Source for FramedSource {
    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        loop {
            self.bytes.forget();
            if !self.bytes.has(4)? {
                self.passed_over += (self.bytes.bytes.len() - self.bytes.at.min(self.bytes.bytes.len())) as u64;
                return Ok(Step::End(End::Complete));
            }
            // Behind damage, one header alone may be chance.
            let header = if self.passed_over == 0 { self.bytes.header()? } else { self.bytes.believed()? };
            let Some(header) = header.filter(|header| header.codec == self.first.codec) else {
                if !self.tag()? {
                    if Header::parse(&self.bytes.bytes[self.bytes.at..])
                        .is_some_and(|header| self.first.continues(&header))
                        && self.bytes.ended
                        && self.passed_over == 0
                    {
                        return Ok(Step::End(End::OutOfBytes));
                    }
                    self.bytes.at += 1;
                    self.passed_over += 1;
                }
                continue;
            };
            if self.sound_frames > 0 || log.frames > 0 {
                self.count_damage(0, log);
            }
            self.passed_over = 0;
            if !self.first.continues(&header) {
                let (from, to) = (self.first.layout.to_string(), header.layout.to_string());
                let frames = self.count_rest(header)?;
                log.lose(0, frames, Cause::OtherLayout { from, to });
                return Ok(Step::End(End::Complete));
            }
            let frame = self.bytes.frame(&header).unwrap_or_default().to_vec();
            self.bytes.at += header.bytes;
            if let Some(summary) = Summary::parse(&frame, &header) {
                // Nothing of what was before sounds into another stream.
                self.codec.reset();
                (self.to_drop, self.left, self.fresh) = (summary.delay, summary.frames, false);
                continue;
            }
            if std::mem::take(&mut self.fresh) {
                (self.to_drop, self.left) = (0, None);
            }
            self.sound_bytes += header.bytes as u64;
            self.sound_frames += header.frames;
            let data = &frame[header.head..];
            let decoded =
                if header.blocks > 1 { Decoded::Damaged } else { self.codec.decode(data, header.frames, block) };
            match decoded {
                Decoded::Frames(..) => {
                    let channels = self.first.layout.channels;
                    let dropped = (self.to_drop as usize).min(block.len() / channels);
                    block.drain(..dropped * channels);
                    self.to_drop -= dropped as u64;
                    if let Some(left) = &mut self.left {
                        block.truncate((*left).min(usize::MAX as u64 / 64) as usize * channels);
                        *left -= (block.len() / channels) as u64;
                    }
                    if !block.is_empty() {
                        return Ok(Step::Frames);
                    }
                }
                Decoded::Damaged => {
                    let frames = header.frames.min(self.left.unwrap_or(u64::MAX));
                    log.lose(0, Some(frames), Cause::Damaged { what: "a damaged frame" });
                    self.left = self.left.map(|left| left - frames);
                }
                Decoded::Broken(reason) => return Ok(Step::End(End::Broken(reason))),
            }
        }
    }

    fn slack_frames(&self) -> u64 {
        self.first.frames
    }
}
