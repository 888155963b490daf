//! The headers of MPEG audio and of AAC in ADTS, and what encoders write into the first frame of an MP3.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};

use super::codec::Layout;

/// Delay of every MP3 decoder: half a transform and one sample.
const MP3_DECODER_DELAY: u64 = 529;

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) codec: AudioCodecId,
    pub(super) layout: Layout,
    /// Frames of sound in it.
    pub(super) frames: u64,
    /// Bytes of it, with the header.
    pub(super) bytes: usize,
    /// Where an MP3's side information ends, behind which a Xing tag lies.
    tag_at: usize,
    /// Blocks of AAC in the frame.
    pub(super) blocks: u8,
    /// Bytes of the header itself, which an AAC decoder must not see.
    pub(super) head: usize,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0xff, second, third, fourth, ..] = bytes else { return None };
        if second & 0xf6 == 0xf0 { Self::adts(bytes) } else { Self::mpeg(second, third, fourth) }
    }

    fn mpeg(second: u8, third: u8, fourth: u8) -> Option<Self> {
        let (version, layer) = (second >> 3 & 3, 4 - (second >> 1 & 3));
        let (rate, slot) = (usize::from(third >> 2 & 3), usize::from(third >> 4));
        if second & 0xe0 != 0xe0
            || version == 1
            || layer == 4
            || rate == 3
            || slot == 0
            || slot == 15
            || fourth & 3 == 2
        {
            return None;
        }
        let full = version == 3;
        // MPEG-1, MPEG-2 and MPEG-2.5 at the full, half and quarter rate.
        let halvings = match version {
            3 => 0,
            2 => 1,
            _ => 2,
        };
        let rate_hz = [44_100, 48_000, 32_000][rate] >> halvings;
        let kilobits: usize = match (full, layer) {
            (true, 1) => 32 * slot,
            (true, 2) => [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384][slot - 1],
            (true, _) => [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320][slot - 1],
            (false, 1) => [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256][slot - 1],
            (false, _) => [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160][slot - 1],
        };
        let frames: u64 = match layer {
            1 => 384,
            3 if !full => 576,
            _ => 1_152,
        };
        let padding = usize::from(third >> 1 & 1);
        let bits = kilobits * 1_000;
        let bytes = match layer {
            1 => (12 * bits / rate_hz as usize + padding) * 4,
            _ => frames as usize / 8 * bits / rate_hz as usize + padding,
        };
        let mono = fourth >> 6 == 3;
        let tag_at = 4 + match (full, mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        let codec = [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3][usize::from(layer) - 1];
        let layout = Layout { rate_hz, channels: if mono { 1 } else { 2 } };
        Some(Self { codec, layout, frames, bytes, tag_at, blocks: 1, head: 0 })
    }

    fn adts(bytes: &[u8]) -> Option<Self> {
        const RATES: [u32; 13] =
            [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
        let head = bytes.get(..7)?;
        let rate_hz = *RATES.get(usize::from(head[2] >> 2 & 15))?;
        let channels = usize::from(head[2] & 1) << 2 | usize::from(head[3] >> 6);
        let length = usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        let head_bytes = if head[1] & 1 == 1 { 7 } else { 9 };
        // Main, SSR and LTP profiles are not what symphonia reads.
        let fits = head[2] >> 6 == 1 && length > head_bytes;
        fits.then_some(Self {
            codec: CODEC_ID_AAC,
            layout: Layout { rate_hz, channels },
            frames: 1_024,
            bytes: length,
            tag_at: 0,
            blocks: (head[6] & 3) + 1,
            head: head_bytes,
        })
    }

    pub(super) fn continues(&self, other: &Self) -> bool {
        self.codec == other.codec && self.layout == other.layout
    }
}

/// What an encoder wrote into the first frame of an MP3 instead of sound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    /// Frames of sound to be dropped in front.
    pub(super) delay: u64,
    /// Frames of sound between delay and padding, if told.
    pub(super) frames: Option<u64>,
}

impl Summary {
    /// Reads a Xing, Info or VBRI tag.
    pub(super) fn parse(frame: &[u8], header: &Header) -> Option<Self> {
        let number = |at: usize| frame.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        if header.codec != CODEC_ID_MP3 {
            return None;
        }
        if frame.get(36..40) == Some(b"VBRI") {
            let frames = number(50).map(|count| u64::from(count) * header.frames);
            return Some(Self { delay: 0, frames });
        }
        let at = header.tag_at;
        if !matches!(frame.get(at..at + 4), Some(b"Xing" | b"Info")) {
            return None;
        }
        let flags = number(at + 4)?;
        let count = if flags & 1 == 0 { None } else { number(at + 8).filter(|&count| count > 0) };
        let lame = at
            + 8
            + [4, 4, 100, 4].iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, n)| n).sum::<usize>();
        let gaps = frame.get(lame + 21..lame + 24).filter(|_| frame.get(lame).is_some_and(u8::is_ascii_alphanumeric));
        let (delay, padding) = gaps.map_or((0, 0), |b| {
            (u64::from(b[0]) << 4 | u64::from(b[1] >> 4), u64::from(b[1] & 15) << 8 | u64::from(b[2]))
        });
        // The numbers are the encoder's; the decoder's own delay moves both.
        let (delay, padding) = match (delay, padding) {
            (0, 0) => (0, 0),
            (delay, padding) => (delay + MP3_DECODER_DELAY, padding.saturating_sub(MP3_DECODER_DELAY)),
        };
        let frames = count.map(|count| (u64::from(count) * header.frames).saturating_sub(delay + padding));
        Some(Self { delay, frames })
    }
}
