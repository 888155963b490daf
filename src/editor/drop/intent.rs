//! What dropped files are good for, by their names: nothing is opened while somebody drags.

use std::path::{Path, PathBuf};

use crate::editor::words::capitalised;

/// What audio files are called.
const AUDIO: [&str; 21] = [
    "aac", "aif", "aifc", "aiff", "bwf", "caf", "flac", "m4a", "mka", "mkv", "mp1", "mp2", "mp3", "mp4", "oga", "ogg",
    "rf64", "w64", "wav", "wave", "webm",
];

/// What models are called.
const MODEL: &str = "continuo";
/// What patches are called.
const PATCH: &str = "continuo-patch";

/// What comes of files that are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// The file becomes the seed clip.
    Seed(PathBuf),
    /// The file becomes the model.
    Model(PathBuf),
    /// The file is a patch, to be loaded.
    Patch(PathBuf),
    /// Nothing, for this reason: a sentence for the user.
    Refusal(String),
}

/// What comes of these files.
pub fn intent(files: &[PathBuf]) -> Intent {
    let [file] = files else {
        let count = files.len();
        return Intent::Refusal(format!("{count} files at once: drop one audio file, or one .continuo model"));
    };
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        MODEL => Intent::Model(file.clone()),
        PATCH => Intent::Patch(file.clone()),
        ending if AUDIO.contains(&ending) => Intent::Seed(file.clone()),
        _ => Intent::Refusal(format!(
            "nothing comes of {}: it is neither an audio file nor a .continuo model",
            name(file)
        )),
    }
}

impl Intent {
    /// Whether something comes of it.
    #[cfg_attr(any(windows, target_os = "macos"), allow(dead_code, reason = "the window refuses drops there"))]
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Refusal(_))
    }

    /// What will happen when the files are let go, in a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::Seed(file) => format!("Drop {} to carry on from it", name(file)),
            Self::Model(file) => format!("Drop {} to play with this model", name(file)),
            Self::Patch(file) => format!("Drop {} to load this patch", name(file)),
            Self::Refusal(words) => capitalised(words),
        }
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_for_what_its_name_says() {
        let one = |file: &str| intent(&[PathBuf::from(file)]);
        assert_eq!(one("/a/Großes Intro.WAV"), Intent::Seed("/a/Großes Intro.WAV".into()));
        assert_eq!(one("/a/b.flac"), Intent::Seed("/a/b.flac".into()));
        assert_eq!(one("/a/Pad.continuo-patch"), Intent::Patch("/a/Pad.continuo-patch".into()));
        assert_eq!(one("/a/piano.continuo"), Intent::Model("/a/piano.continuo".into()));
        for file in ["/a/notes.txt", "/a/folder", "/", "/a/.wav"] {
            assert!(!one(file).is_good(), "{file}");
        }
        assert!(one("/a/notes.txt").words().starts_with("Nothing comes of notes.txt"));
        assert!(one("/a/b.ogg").words().contains("b.ogg"));
    }

    #[test]
    fn several_files_are_refused_in_words() {
        let many = intent(&["/a.wav".into(), "/b.wav".into()]);
        assert!(!many.is_good() && many.words().starts_with("2 files at once"), "{many:?}");
        assert!(!intent(&[]).is_good());
    }
}
