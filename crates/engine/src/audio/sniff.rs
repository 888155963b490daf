//! Which format a file has, by its content.

use super::source::{Opened, Refusal};
use super::tags::without_tags;
use super::window::Window;
use super::{aiff, container, flac, framed, ogg, wav};

/// Bytes that are looked at.
const HEAD_BYTES: usize = 4_096;

/// Opens the reader of the format that a file begins with.
pub(super) fn open(window: Window) -> Result<Opened, Refusal> {
    let mut window = without_tags(window)?;
    let head = window.peek(0, HEAD_BYTES)?;
    let not_audio = |reason: &str| Err(Refusal::NotAudio(reason.into()));
    match head.as_slice() {
        [] => not_audio("it is empty"),
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] if !form.is_empty() && !form.starts_with(b"WAVE") => {
            not_audio("a RIFF file, but not a WAV")
        }
        [b'R', b'I', b'F', b'F', ..]
        | [b'R', b'F', b'6', b'4', ..]
        | [b'B', b'W', b'6', b'4', ..]
        | [b'r', b'i', b'f', b'f', 0x2e, 0x91, ..] => wav::open(window),
        [b'F', b'O', b'R', b'M', ..] => aiff::open(window),
        [b'f', b'L', b'a', b'C', ..] => flac::open(window),
        [b'O', b'g', b'g', b'S', ..] => ogg::open(window),
        [b'M', b'T', b'h', b'd', ..] => not_audio("it is a MIDI file: notes without sound"),
        [b'P', b'K', 3, 4, ..] => not_audio("it is a zip archive"),
        [b'%', b'P', b'D', b'F', ..] => not_audio("it is a PDF"),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => not_audio("it is a picture"),
        [0x1a, 0x45, 0xdf, 0xa3, ..]
        | [b'c', b'a', b'f', b'f', ..]
        | [_, _, _, _, b'f', b't', b'y', b'p', ..]
        | [_, _, _, _, b'm', b'o', b'o', b'v', ..] => container::open(window),
        [b'w', b'v', b'p', b'k', ..] => Err(Refusal::Unsupported("WavPack".into())),
        [b'M', b'A', b'C', b' ', ..] => Err(Refusal::Unsupported("Monkey's Audio".into())),
        [b'T', b'T', b'A', b'1', ..] => Err(Refusal::Unsupported("True Audio".into())),
        [b'M', b'P', b'+', ..] | [b'M', b'P', b'C', b'K', ..] => Err(Refusal::Unsupported("Musepack".into())),
        [b'D', b'S', b'D', b' ', ..] | [b'F', b'R', b'M', b'8', ..] => Err(Refusal::Unsupported("DSD".into())),
        [0x30, 0x26, 0xb2, 0x75, ..] => Err(Refusal::Unsupported("Windows Media Audio (ASF)".into())),
        [b'.', b's', b'n', b'd', ..] => Err(Refusal::Unsupported("Sun/NeXT .au".into())),
        [0x0b, 0x77, ..] => Err(Refusal::Unsupported("Dolby AC-3".into())),
        // Text never is audio, and a search for MP3's markers through a megabyte of it could find one.
        _ if is_text(&head) => not_audio("it begins with text"),
        _ => framed::open(window),
    }
}

fn is_text(head: &[u8]) -> bool {
    let head = &head[..head.len().min(64)];
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to() + 4 > head.len(), |_| true);
    valid && head.iter().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace())
}
