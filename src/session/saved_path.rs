//! Paths in a saved session, also those that are no text.

use std::ffi::OsString;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as JSON: a string, or the system's own form in base64 where that is no Unicode.
///
/// A form of another system is not understood here, and so stays in the session as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedPath(pub(super) PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Native(Native),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Native {
    /// Bytes.
    #[cfg_attr(not(unix), allow(dead_code))]
    Unix(String),
    /// UTF-16, low byte first, with lone surrogates.
    #[cfg_attr(not(windows), allow(dead_code))]
    Windows(String),
}

impl Serialize for SavedPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => native(&self.0).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SavedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(PathBuf::from(text))),
            Form::Native(native) => foreign(&native)
                .map(|path| Self(PathBuf::from(path)))
                .ok_or_else(|| serde::de::Error::custom("a path of another system")),
        }
    }
}

#[cfg(unix)]
fn native(path: &std::path::Path) -> Native {
    use std::os::unix::ffi::OsStrExt as _;
    Native::Unix(STANDARD.encode(path.as_os_str().as_bytes()))
}

#[cfg(unix)]
fn foreign(native: &Native) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt as _;
    match native {
        Native::Unix(bytes) => STANDARD.decode(bytes).ok().map(OsString::from_vec),
        Native::Windows(_) => None,
    }
}

#[cfg(windows)]
fn native(path: &std::path::Path) -> Native {
    use std::os::windows::ffi::OsStrExt as _;
    let bytes: Vec<u8> = path.as_os_str().encode_wide().flat_map(u16::to_le_bytes).collect();
    Native::Windows(STANDARD.encode(bytes))
}

#[cfg(windows)]
fn foreign(native: &Native) -> Option<OsString> {
    use std::os::windows::ffi::OsStringExt as _;
    match native {
        Native::Unix(_) => None,
        Native::Windows(text) => {
            let bytes = STANDARD.decode(text).ok()?;
            let (units, rest) = bytes.as_chunks::<2>();
            rest.is_empty()
                .then(|| OsString::from_wide(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<u16>>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let path = SavedPath(PathBuf::from("/clips/Großes Intro.wav"));
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(json, r#""/clips/Großes Intro.wav""#);
        assert_eq!(serde_json::from_str::<SavedPath>(&json).unwrap(), path);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_comes_back_and_what_is_foreign_is_not_guessed() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = SavedPath(PathBuf::from(OsString::from_vec(b"/clips/caf\xe9.wav".to_vec())));
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<SavedPath>(&json).unwrap(), path);
        assert!(serde_json::from_str::<SavedPath>(r#"{"windows":"AAA="}"#).is_err());
        assert!(serde_json::from_str::<SavedPath>(r#"{"unix":"?"}"#).is_err());
    }
}
