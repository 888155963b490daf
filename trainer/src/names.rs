//! Names of files as text: for JSON, where every path must come back as it was, and for a terminal, which must not be
//! given orders by a name.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize as _, Deserializer, Serializer};

/// Begins the text of a path that is not UTF-8. What follows has `%` and two hexadecimal digits for every byte that is not
/// plain ASCII, so that two paths never become one text.
const BYTES: &str = "bytes:";

/// A path as text that [`path`] turns back.
pub fn text(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) if !text.starts_with(BYTES) => Cow::Borrowed(text),
        _ => {
            let mut text = BYTES.to_owned();
            for &byte in path.as_os_str().as_encoded_bytes() {
                if byte == b'%' || !(b' '..=b'~').contains(&byte) {
                    let _ = write!(text, "%{byte:02x}");
                } else {
                    text.push(char::from(byte));
                }
            }
            Cow::Owned(text)
        }
    }
}

/// The path that a text of [`text`] stands for.
pub fn path(text: &str) -> PathBuf {
    let Some(coded) = text.strip_prefix(BYTES) else { return text.into() };
    let (mut bytes, mut rest) = (Vec::new(), coded.as_bytes());
    while let Some((&first, more)) = rest.split_first() {
        let coded = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match coded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    from_bytes(bytes)
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
}

/// Names that are not Unicode cannot be put together from bytes here; what can be kept of them is.
#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// For `#[serde(with = "crate::names")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(path))
}

/// For `#[serde(with = "crate::names")]`.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    String::deserialize(deserializer).map(|text| path(&text))
}

/// A line for a terminal: what would move the cursor, change colours or turn the direction of writing is spelt out.
pub fn printable(line: &str) -> Cow<'_, str> {
    escaped(line, |_| false)
}

/// As [`printable`], for several lines.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, kept: fn(char) -> bool) -> Cow<'_, str> {
    let is_order = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')) && !kept(c)
    };
    if !text.contains(is_order) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_order(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_path_comes_back_and_no_two_become_one() {
        use std::os::unix::ffi::OsStrExt as _;
        let names: [&[u8]; 8] = [
            b"plain.wav",
            b"caf\xe9.wav",
            b"caf\xe8.wav",
            b"caf%e9.wav",
            b"bytes:x",
            b"bytes:caf%e9.wav",
            b"\xff%\xff",
            "ü".as_bytes(),
        ];
        let paths: Vec<&Path> = names.iter().map(|name| Path::new(std::ffi::OsStr::from_bytes(name))).collect();
        let mut texts: Vec<_> = paths.iter().map(|path| text(path)).collect();
        for (path, text) in paths.iter().zip(&texts) {
            assert_eq!(super::path(text), *path, "{text}");
        }
        assert_eq!(texts[0], "plain.wav");
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), names.len());
    }

    #[test]
    fn a_name_gives_no_orders() {
        assert_eq!(printable("Klavier — 1. Satz"), "Klavier — 1. Satz");
        assert_eq!(printable("a\x1b[2Jb\rc\nd\u{202e}e"), "a\\u{1b}[2Jb\\rc\\nd\\u{202e}e");
        assert_eq!(printable_lines("a\n\tb\x07"), "a\n\tb\\u{7}");
    }
}
