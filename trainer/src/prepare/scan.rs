//! Which files there are.

use std::path::{Path, PathBuf};

use super::{PrepareError, SkipKind, Skipped};

/// A file that may be a recording.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Path below the imported folder, with `/`, as [`crate::names::text`] writes it.
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// Endings of files that lie beside recordings and never are one. Everything else is opened: the content decides.
const NEVER_AUDIO: &[&str] = &[
    "asd", "bmp", "cfg", "cue", "csv", "db", "doc", "docx", "gif", "htm", "html", "ini", "jpeg", "jpg", "json", "log",
    "m3u", "m3u8", "md", "mid", "midi", "musicxml", "mxl", "nfo", "odt", "pdf", "pls", "png", "reapeaks", "rtf", "sfv",
    "tif", "tiff", "toml", "txt", "url", "webp", "xml", "yaml", "yml", "zip",
];

/// Every file in `folder` and below, in the order of their names; `not_in` are folders to leave out (the dataset itself).
/// Links to files are followed, links to folders are not: they can go in circles.
pub(crate) fn scan(folder: &Path, not_in: &[PathBuf]) -> Result<(Vec<Found>, Vec<Skipped>), PrepareError> {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_path_buf()];
    while let Some(dir) = folders.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(reason) if dir == folder => return Err(PrepareError::Folder { path: dir, reason }),
            Err(e) => {
                skipped.push(Skipped::new(name_below(folder, &dir), SkipKind::Unreadable, e.to_string()));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    skipped.push(Skipped::new(name_below(folder, &dir), SkipKind::Unreadable, e.to_string()));
                    continue;
                }
            };
            let path = entry.path();
            let name = name_below(folder, &path);
            let is_link = entry.file_type().is_ok_and(|t| t.is_symlink());
            let meta = match std::fs::metadata(&path) {
                Ok(meta) => meta,
                Err(e) => {
                    let reason = if is_link { broken_link(&e) } else { e.to_string() };
                    skipped.push(Skipped::new(name, SkipKind::Unreadable, reason));
                    continue;
                }
            };
            if meta.is_dir() {
                if is_link {
                    skipped.push(Skipped::new(name, SkipKind::NotAudio, "a link to a folder is not followed".into()));
                } else if !path.canonicalize().is_ok_and(|p| not_in.contains(&p)) {
                    folders.push(path);
                }
            } else if !meta.is_file() {
                skipped.push(Skipped::new(name, SkipKind::NotAudio, "not an ordinary file".into()));
            } else if entry.file_name().to_string_lossy().starts_with('.') {
                skipped.push(Skipped::new(name, SkipKind::NotAudio, "a hidden file".into()));
            } else if let Some(ending) = never_audio(&path) {
                skipped.push(Skipped::new(name, SkipKind::NotAudio, format!("a .{ending} file")));
            } else {
                found.push(Found { path, name, bytes: meta.len() });
            }
        }
    }
    // By name, so that the dataset does not depend on the order in which the system lists folders.
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((found, skipped))
}

/// What is wrong with a link that cannot be followed, and what to do.
fn broken_link(error: &std::io::Error) -> String {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "a link to a file that is not there".to_owned(),
        _ => format!("a link that cannot be followed ({error})"),
    };
    format!("{what}; put the recording itself there")
}

fn never_audio(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    NEVER_AUDIO.contains(&ending.as_str()).then_some(ending)
}

fn name_below(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_os_string()).collect();
    crate::names::text(Path::new(&parts.join("/".as_ref()))).into_owned()
}
