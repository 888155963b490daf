//! WAV: one reader of the container in front of the decoders, for RIFF, RF64, BW64 and Wave64.
//!
//! The file's own lengths are hints. A recorder that crashed leaves zeros, a program that writes into a pipe leaves the
//! largest numbers there are, and many are a few bytes off.

use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};

use super::blocks::{Adpcm, AdpcmSource, PcmSource};
use super::chunks::{Chunks, Layout, four};
use super::framed;
use super::pcm::Encoding;
use super::source::{Info, Opened, Refusal};
use super::window::Window;

/// Whether a length of 32 bits is one that programs write that do not know the length yet: the largest number there is,
/// with or without a sign, or a little less.
fn is_placeholder(length: u64) -> bool {
    matches!(length, 0x7fff_0000..=0x8000_0000 | 0xffff_0000..=0xffff_ffff)
}

/// What `fmt ` tells.
#[derive(Debug, Clone, Copy)]
struct Format {
    tag: u16,
    channels: usize,
    rate_hz: u32,
    /// Bytes per frame or per block.
    align: usize,
    bits: u16,
    /// Frames per block, of formats with blocks.
    block_frames: u64,
}

/// Where the sound lies.
#[derive(Debug, Clone, Copy)]
struct Data {
    at: u64,
    /// Bytes that are there.
    length: u64,
    /// Bytes that are announced, if the file knew.
    announced: Option<u64>,
}

/// Opens a WAV whose window begins with its head.
pub(super) fn open(mut window: Window) -> Result<Opened, Refusal> {
    let head = window.peek(0, 40)?;
    let (layout, first) = match head.get(..4) {
        Some(b"riff") => (Layout::Wave64, 40),
        _ => (Layout::Riff, 12),
    };
    let (format, data, fact) = walk(&mut window, layout, first)?;
    let Some(format) = format else { return Err(Refusal::damaged("it has no `fmt ` chunk")) };
    let Some(data) = data else { return Err(Refusal::damaged("it has no `data` chunk")) };
    let window = window.part(data.at, data.length)?;
    source(window, format, data, fact)
}

/// What the chunks of a file say: the format, where the sound lies, and its frames by `fact`.
type Found = (Option<Format>, Option<Data>, Option<u64>);

fn walk(window: &mut Window, layout: Layout, first: u64) -> Result<Found, Refusal> {
    let file_bytes = window.len();
    let (mut format, mut data, mut fact, mut long_data) = (None, None, None, None);
    let mut chunks = Chunks::new(window, layout, first);
    while let Some(chunk) = chunks.next()? {
        match &chunk.id {
            b"ds64" => {
                let content = chunks.content(&chunk, 16)?;
                let length = content.get(8..16).map(|b| b.iter().rev().fold(0, |sum, &x| sum << 8 | u64::from(x)));
                long_data = length;
            }
            b"fmt " if format.is_none() => format = Some(parse_format(&chunks.content(&chunk, 64)?)?),
            b"fact" => {
                let content = chunks.content(&chunk, 8)?;
                fact = if layout == Layout::Wave64 && content.len() == 8 {
                    four(&content, 0).map(|low| u64::from(u32::from_le_bytes(low)))
                } else {
                    four(&content, 0).map(u32::from_le_bytes).map(u64::from)
                };
            }
            b"data" if data.is_none() => {
                let room = file_bytes.saturating_sub(chunk.at);
                let long = long_data.filter(|_| chunk.length == u64::from(u32::MAX));
                let length = long.unwrap_or(chunk.length);
                let unfinished = match length {
                    0 => !chunks.known_at(chunk.at)?,
                    length => length > room && (long.is_none() && is_placeholder(length) || length > i64::MAX as u64),
                };
                let announced = (!unfinished).then_some(length);
                data = Some(Data { at: chunk.at, length: announced.unwrap_or(room).min(room), announced });
                if unfinished || length >= room {
                    break;
                }
                if long.is_some() {
                    chunks.go_on_behind(chunk.at.saturating_add(length));
                }
            }
            _ => {}
        }
        if format.is_some() && data.is_some() && fact.is_some() {
            break;
        }
    }
    Ok((format, data, fact))
}

fn parse_format(bytes: &[u8]) -> Result<Format, Refusal> {
    let word = |at: usize| bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let Some(rate) = four(bytes, 4) else { return Err(Refusal::damaged("its `fmt ` chunk is too short")) };
    if bytes.len() < 14 {
        return Err(Refusal::damaged("its `fmt ` chunk is too short"));
    }
    // Extensible: the format proper is the head of a GUID.
    let tag = match word(0) {
        0xfffe if bytes.len() >= 26 => word(24),
        tag => tag,
    };
    let (align, extra) = (usize::from(word(12)), word(16));
    let block_frames = if extra >= 2 { u64::from(word(18)) } else { 0 };
    Ok(Format {
        tag,
        channels: usize::from(word(2)),
        rate_hz: u32::from_le_bytes(rate),
        align,
        bits: word(14),
        block_frames,
    })
}

fn source(window: Window, format: Format, data: Data, fact: Option<u64>) -> Result<Opened, Refusal> {
    let Format { tag, channels, rate_hz, align, bits, .. } = format;
    let info = |declared_frames, encoding: String| Info {
        sample_rate_hz: rate_hz,
        channels,
        declared_frames,
        format: format!("wav {encoding}"),
    };
    let pcm = |window: Window, encoding: Encoding, name: String| -> Result<Opened, Refusal> {
        let stride = align.max(encoding.bytes() * channels).max(1);
        let declared = data.announced.map(|bytes| bytes / stride as u64);
        let source = PcmSource::new(window, encoding, channels.max(1), stride)?;
        Ok(Opened::new(source, info(declared, name)))
    };
    // Bytes of one sample's container, where the frame's length allows for it; else as many as the bits need.
    let container = |bits: u16| {
        let needed = usize::from(bits).div_ceil(8);
        let given = align.checked_div(channels).unwrap_or(0);
        if align == given * channels && (needed..=8).contains(&given) { given } else { needed }
    };
    match (tag, bits) {
        (1, 1..=64) => {
            let bytes = container(bits);
            pcm(window, Encoding::Int { bytes, unsigned: bytes == 1, big_endian: false }, format!("{bits}-bit"))
        }
        (3, 32 | 64) => {
            let bytes = usize::from(bits / 8);
            pcm(window, Encoding::Float { bytes, big_endian: false }, format!("{bits}-bit float"))
        }
        (6, _) => pcm(window, Encoding::ALaw, "A-law".into()),
        (7, _) => pcm(window, Encoding::MuLaw, "µ-law".into()),
        (2 | 0x11, _) => {
            let blocks = adpcm(format)?;
            let by_blocks = blocks.frames(data.length);
            // `fact` tells how much of the last block is sound. Where it does not fit the blocks, the blocks are right.
            let whole = data.announced.map(|bytes| blocks.frames(bytes));
            let declared = match (fact, whole) {
                (Some(fact), Some(whole)) if fact <= whole && fact + blocks.block_frames > whole => Some(fact),
                _ => whole,
            };
            let name = if tag == 2 { "Microsoft ADPCM" } else { "IMA ADPCM" };
            let frames = declared.map_or(by_blocks, |declared| declared.min(by_blocks));
            let source = AdpcmSource::new(window, blocks, frames).map_err(|e| Refusal::codec(name, e))?;
            Ok(Opened::new(source, info(declared, name.into())))
        }
        (0x50 | 0x55, _) => framed::open_mpeg(window, "wav "),
        (tag, bits) => Err(Refusal::Unsupported(format!("WAV with {}", codec_name(tag, bits)))),
    }
}

fn adpcm(format: Format) -> Result<Adpcm, Refusal> {
    let Format { tag, channels, rate_hz, align, .. } = format;
    // Bytes before the first step, the frames that they hold, and the frames that lie together.
    let (head, held, group) = if tag == 2 { (7, 2, 1) } else { (4, 1, if channels == 1 { 2 } else { 8 }) };
    let head = head * channels;
    if channels == 0 || align <= head {
        return Err(Refusal::damaged("its ADPCM blocks are too short"));
    }
    let fitting = ((align - head) * 2 / channels) as u64 / group * group + held;
    let given = Some(format.block_frames).filter(|&frames| (held + 1..=fitting).contains(&frames));
    let block_frames = match given {
        // Symphonia wants whole groups.
        Some(frames) if (frames - held).is_multiple_of(if tag == 2 { 2 } else { group }) => frames,
        _ => fitting,
    };
    let codec = if tag == 2 { CODEC_ID_ADPCM_MS } else { CODEC_ID_ADPCM_IMA_WAV };
    Ok(Adpcm { codec, rate_hz, channels, block_bytes: align, block_frames, head: (head, held), group })
}

fn codec_name(tag: u16, bits: u16) -> String {
    let known = match tag {
        0 => "an unknown codec",
        1 | 3 => return format!("{bits}-bit samples of format {tag}"),
        0x10 => "OKI ADPCM",
        0x22 => "TrueSpeech",
        0x31 => "GSM 6.10",
        0x40 | 0x45 | 0x64 => "G.726 ADPCM",
        0x92 | 0x2000 => "Dolby AC-3",
        0xff | 0x1600 | 0x1610 | 0x706d => "AAC",
        0x160..=0x163 => "Windows Media Audio",
        0x674f..=0x6771 => "Ogg Vorbis",
        0xf1ac => "FLAC",
        _ => "the codec",
    };
    format!("{known} (format {tag:#06x})")
}
