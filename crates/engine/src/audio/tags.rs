//! The sound between the tags: `ID3v2` of any size in front, `ID3v1`, Lyrics3, APE and an appended `ID3v2` behind.

use std::io::Result;

use super::window::Window;

/// The window without the tags around it. Formats with chunks or boxes of their own keep what lies behind: their lengths
/// say where the sound ends.
pub(super) fn without_tags(mut window: Window) -> Result<Window> {
    let mut start = 0;
    // Some tools put one tag before another.
    while let Some(length) = id3v2_length(&window.peek(start, 10)?) {
        if start + length >= window.len() {
            break;
        }
        start += length;
    }
    let mut end = window.len();
    while let Some(length) = trailing(&mut window, start, end)? {
        end -= length;
    }
    window.part(start, end - start)
}

/// Bytes of an `ID3v2` tag that begins with `head`, if one does.
pub(super) fn id3v2_length(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', major, minor, flags, size @ ..] = head else { return None };
    let size: [u8; 4] = size.get(..4)?.try_into().ok()?;
    if *major == 0xff || *minor == 0xff || size.iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let body = size.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte));
    Some(10 + body + if flags & 0x10 == 0 { 0 } else { 10 })
}

/// Bytes of the tag that ends at `end`, if one does.
fn trailing(window: &mut Window, start: u64, end: u64) -> Result<Option<u64>> {
    let room = end - start;
    let mut behind = |length: u64| -> Result<Vec<u8>> {
        if room < length { Ok(Vec::new()) } else { window.peek(end - length, length as usize) }
    };
    if behind(128)?.starts_with(b"TAG") {
        return Ok(Some(128));
    }
    // An APE tag ends in a footer with the length of everything but its header.
    let footer = behind(32)?;
    if footer.starts_with(b"APETAGEX") {
        let body = u64::from(u32::from_le_bytes([footer[12], footer[13], footer[14], footer[15]]));
        let header = if footer[23] & 0x80 == 0 { 0 } else { 32 };
        return Ok(Some(body + header).filter(|&length| length <= room && body >= 32));
    }
    let footer = behind(10)?;
    if footer.starts_with(b"3DI") {
        let head = [b"ID3", &footer[3..]].concat();
        return Ok(id3v2_length(&head).filter(|&length| length <= room));
    }
    let footer = behind(15)?;
    if footer.ends_with(b"LYRICS200") {
        let length = footer[..6]
            .iter()
            .try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')));
        return Ok(length.map(|length| length + 15).filter(|&length| length <= room));
    }
    Ok(None)
}
