//! Sound in blocks of one size: a frame of PCM or a packet of ADPCM after the other.

use std::io::{BufReader, Result};

use symphonia::core::audio::Channels;
use symphonia::core::audio::Position;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::errors::Error;

use super::codec::{Codec, Decoded};
use super::loss::{Cause, Log};
use super::pcm::Encoding;
use super::source::{End, Source, Step};
use super::window::{Window, fill};

/// Frames per delivered block.
const FRAMES: usize = 4_096;

/// PCM, A-law and µ-law.
pub(super) struct PcmSource {
    data: BufReader<Window>,
    encoding: Encoding,
    channels: usize,
    /// Bytes from one frame to the next; at least what its samples take.
    stride: usize,
    bytes: Vec<u8>,
    /// Whole frames that are not read yet.
    left: u64,
}

impl PcmSource {
    /// `data` holds frames of `channels` samples, `stride` bytes each.
    pub(super) fn new(data: Window, encoding: Encoding, channels: usize, stride: usize) -> Result<Self> {
        let stride = stride.max(encoding.bytes() * channels);
        let left = data.len() / stride as u64;
        Ok(Self { data: data.buffered()?, encoding, channels, stride, bytes: Vec::new(), left })
    }
}

impl Source for PcmSource {
    fn frames_ahead(&self) -> Option<u64> {
        Some(self.left)
    }

    fn skip(&mut self, frames: u64) -> Result<u64> {
        // The window ends with the file, so the frames that it counts are there.
        let frames = frames.min(self.left);
        let bytes = i64::try_from(frames * self.stride as u64).map_err(std::io::Error::other)?;
        self.data.seek_relative(bytes)?;
        self.left -= frames;
        Ok(frames)
    }

    fn next(&mut self, block: &mut Vec<f32>, _: &mut Log) -> Result<Step> {
        self.bytes.resize(FRAMES * self.stride, 0);
        let filled = fill(&mut self.data, &mut self.bytes)?;
        let packed = self.encoding.bytes() * self.channels;
        // What is left of a frame that breaks off is not a frame.
        let whole = &self.bytes[..filled / self.stride * self.stride];
        self.left = self.left.saturating_sub((filled / self.stride) as u64);
        if packed == self.stride {
            self.encoding.decode(whole, block);
        } else {
            whole.chunks_exact(self.stride).for_each(|frame| self.encoding.decode(&frame[..packed], block));
        }
        Ok(if !whole.is_empty() {
            Step::Frames
        } else if filled > 0 {
            Step::End(End::OutOfBytes)
        } else {
            Step::End(End::Complete)
        })
    }
}

/// How ADPCM is cut into blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adpcm {
    /// Which ADPCM.
    pub(super) codec: AudioCodecId,
    pub(super) rate_hz: u32,
    pub(super) channels: usize,
    /// Bytes per block, all channels together.
    pub(super) block_bytes: usize,
    /// Frames per block.
    pub(super) block_frames: u64,
    /// Bytes of a block before its first step, all channels together, and the frames that they hold.
    pub(super) head: (usize, u64),
    /// Steps of one channel that lie together, in frames.
    pub(super) group: u64,
}

impl Adpcm {
    /// Frames in a block of which only `bytes` are there.
    fn frames_in(&self, bytes: usize) -> u64 {
        if bytes >= self.block_bytes {
            return self.block_frames;
        }
        let Some(steps) = bytes.checked_sub(self.head.0) else { return 0 };
        let frames = steps as u64 * 2 / self.channels as u64;
        (self.head.1 + frames / self.group * self.group).min(self.block_frames)
    }

    /// Frames in `bytes` bytes of blocks.
    pub(super) fn frames(&self, bytes: u64) -> u64 {
        let block = self.block_bytes as u64;
        (bytes / block).saturating_mul(self.block_frames) + self.frames_in((bytes % block) as usize)
    }
}

/// ADPCM, block by block through symphonia.
pub(super) struct AdpcmSource {
    data: BufReader<Window>,
    blocks: Adpcm,
    codec: Codec,
    left: u64,
}

impl AdpcmSource {
    /// `data` holds blocks; frames beyond `frames` are padding.
    pub(super) fn new(data: Window, blocks: Adpcm, frames: u64) -> std::result::Result<Self, Error> {
        let channels = match blocks.channels {
            1 => Channels::Positioned(Position::FRONT_LEFT),
            2 => Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT),
            _ => return Err(Error::Unsupported("ADPCM of more than two channels")),
        };
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(blocks.codec)
            .with_sample_rate(blocks.rate_hz)
            .with_channels(channels)
            .with_max_frames_per_packet(blocks.block_frames)
            .with_frames_per_block(blocks.block_frames);
        let codec = Codec::new(&params, false)?;
        Ok(Self { data: data.buffered().map_err(Error::IoError)?, blocks, codec, left: frames })
    }
}

impl Source for AdpcmSource {
    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        let mut pending = 0;
        while self.left > 0 && pending < FRAMES as u64 {
            let mut bytes = vec![0; self.blocks.block_bytes];
            let filled = fill(&mut self.data, &mut bytes)?;
            let frames = self.blocks.frames_in(filled).min(self.left);
            if frames == 0 {
                break;
            }
            self.left -= frames;
            match self.codec.decode(bytes, self.blocks.block_frames, block) {
                Decoded::Frames(..) => {
                    pending += frames;
                    block.truncate(pending as usize * self.blocks.channels);
                }
                Decoded::Damaged => log.lose(pending, Some(frames), Cause::Damaged { what: "a damaged block" }),
                Decoded::Broken(reason) => return Ok(Step::End(End::Broken(reason))),
            }
        }
        Ok(if pending == 0 { Step::End(End::Complete) } else { Step::Frames })
    }
}
