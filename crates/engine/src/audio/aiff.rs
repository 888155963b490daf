//! AIFF and AIFC: one reader of the container in front of the decoders. As with WAV, lengths are hints.

use symphonia::core::codecs::audio::well_known::CODEC_ID_ADPCM_IMA_QT;

use super::blocks::{Adpcm, AdpcmSource, PcmSource};
use super::chunks::{Chunks, Layout, four};
use super::pcm::Encoding;
use super::source::{Info, Opened, Refusal};
use super::window::Window;

/// What `COMM` tells.
struct Common {
    channels: usize,
    frames: u64,
    bits: u16,
    rate_hz: u32,
    /// AIFC's encoding; `NONE` in an AIFF.
    compression: [u8; 4],
}

/// Opens an AIFF whose window begins with its head.
pub(super) fn open(mut window: Window) -> Result<Opened, Refusal> {
    let head = window.peek(0, 12)?;
    let aifc = match head.get(8..12) {
        Some(b"AIFF") => false,
        Some(b"AIFC") => true,
        Some(_) => return Err(Refusal::NotAudio("an IFF file, but not an AIFF".into())),
        None => return Err(Refusal::damaged("it breaks off too early to be read")),
    };
    let (mut common, mut data) = (None, None);
    let mut chunks = Chunks::new(&mut window, Layout::Iff, 12);
    while let Some(chunk) = chunks.next()? {
        match &chunk.id {
            b"COMM" if common.is_none() => common = Some(parse(&chunks.content(&chunk, 22)?, aifc)?),
            b"SSND" if data.is_none() => {
                let content = chunks.content(&chunk, 8)?;
                // Sound may begin some bytes later, where disk blocks were to be aligned.
                let offset = four(&content, 0).map_or(0, u32::from_be_bytes);
                let skipped = 8 + u64::from(offset);
                let at = chunk.at.saturating_add(skipped);
                // A recorder that crashed leaves no length, a program that writes into a pipe one of gigabytes.
                let empty = chunk.length <= skipped && !chunks.known_at(at)?;
                let unfinished = empty || chunk.length >= 0x7f00_0000;
                data = Some((at, if unfinished { u64::MAX } else { chunk.length.saturating_sub(skipped) }));
            }
            _ => {}
        }
        if common.is_some() && data.is_some() {
            break;
        }
    }
    let mut common = common.ok_or_else(|| Refusal::damaged("it has no `COMM` chunk"))?;
    let Some((at, length)) = data else {
        // The standard allows for it where there is no sound.
        return if common.frames == 0 {
            source(window.part(0, 0)?, &common)
        } else {
            Err(Refusal::damaged("it has no `SSND` chunk"))
        };
    };
    // A number of frames that no file of this length can hold is a placeholder too: 0 stands for all that there are.
    if length == u64::MAX && common.frames >= 0x1000_0000 {
        common.frames = 0;
    }
    source(window.part(at, length)?, &common)
}

fn parse(bytes: &[u8], aifc: bool) -> Result<Common, Refusal> {
    if bytes.len() < if aifc { 22 } else { 18 } {
        return Err(Refusal::damaged("its `COMM` chunk is too short"));
    }
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    // An 80-bit float: 15 bits of exponent, 64 of mantissa with its leading one.
    let exponent = i32::from(word(8) & 0x7fff) - 16_383 - 63;
    let mantissa = bytes[10..18].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let rate = mantissa as f64 * f64::from(exponent.clamp(-200, 200)).exp2();
    Ok(Common {
        channels: usize::from(word(0)),
        frames: u64::from(u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]])),
        bits: word(6),
        rate_hz: rate.round() as u32,
        compression: if aifc { [bytes[18], bytes[19], bytes[20], bytes[21]] } else { *b"NONE" },
    })
}

fn source(window: Window, common: &Common) -> Result<Opened, Refusal> {
    let Common { channels, frames, bits, rate_hz, compression } = *common;
    let bytes = usize::from(bits).div_ceil(8);
    let info = |frames, encoding: &str| Info {
        sample_rate_hz: rate_hz,
        channels,
        declared_frames: Some(frames),
        format: format!("aiff {encoding}"),
    };
    let int = |bytes, big_endian| Encoding::Int { bytes, unsigned: false, big_endian };
    let (encoding, name) = match &compression {
        b"NONE" | b"twos" | b"in16" | b"in24" | b"in32" | b"42ni" | b"sowt" | b"23ni" if (1..=4).contains(&bytes) => {
            let little = matches!(&compression, b"sowt" | b"42ni" | b"23ni");
            (int(bytes, !little), format!("{bits}-bit"))
        }
        b"raw " if (1..=4).contains(&bytes) => {
            (Encoding::Int { bytes, unsigned: true, big_endian: true }, format!("{bits}-bit unsigned"))
        }
        b"fl32" | b"FL32" => (Encoding::Float { bytes: 4, big_endian: true }, "32-bit float".into()),
        b"fl64" | b"FL64" => (Encoding::Float { bytes: 8, big_endian: true }, "64-bit float".into()),
        b"alaw" | b"ALAW" => (Encoding::ALaw, "A-law".into()),
        b"ulaw" | b"ULAW" => (Encoding::MuLaw, "µ-law".into()),
        b"ima4" => {
            // COMM counts packets here.
            let blocks = Adpcm {
                codec: CODEC_ID_ADPCM_IMA_QT,
                rate_hz,
                channels,
                block_bytes: 34 * channels.max(1),
                block_frames: 64,
                head: (34 * channels.max(1), 0),
                group: 64,
            };
            let declared = frames * 64;
            let source = AdpcmSource::new(window, blocks, declared).map_err(|e| Refusal::codec("IMA ADPCM", e))?;
            return Ok(Opened::new(source, info(declared, "IMA ADPCM")));
        }
        b"NONE" => return Err(Refusal::Unsupported(format!("AIFF of {bits} bits"))),
        other => {
            let name: String =
                other.iter().map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' }).collect();
            return Err(Refusal::Unsupported(format!("AIFC with the codec `{name}`")));
        }
    };
    let stride = (encoding.bytes() * channels).max(1);
    // What lies behind the frames that COMM counts is padding.
    let window = match frames {
        0 => window,
        frames => window.part(0, frames * stride as u64)?,
    };
    let there = window.len() / stride as u64;
    let declared = if frames == 0 { there } else { frames };
    Ok(Opened::new(PcmSource::new(window, encoding, channels.max(1), stride)?, info(declared, &name)))
}
