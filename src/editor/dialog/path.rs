//! Paths as people type, paste and drop them.

use std::path::{Path, PathBuf};

use url::Url;

use crate::session::ExportFormat;

/// The path that somebody typed or pasted: quotes, `file:` addresses and `~` are understood. `None` for nothing.
pub fn typed_path(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let text = text.trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let text = unquoted.unwrap_or(text);
    let address =
        text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:")).and_then(|_| Url::parse(text).ok());
    // An address of another machine is left as it is: the words on the file that is not there will name it.
    if let Some(path) = address.and_then(|address| address.to_file_path().ok()) {
        return Some(path);
    }
    match (text.strip_prefix("~/"), home) {
        _ if text.is_empty() => None,
        (Some(rest), Some(home)) => Some(home.join(rest)),
        _ => Some(PathBuf::from(text)),
    }
}

/// An export is a file of its form whatever it is called, so that it is called that; the ending of another form goes.
pub fn with_ending(path: PathBuf, format: ExportFormat) -> PathBuf {
    let ends_in = |ending: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending));
    let ending = format.ending();
    if ends_in(ending) || path.file_name().is_none() {
        return path;
    }
    if ExportFormat::ALL.iter().any(|other| ends_in(other.ending())) {
        return path.with_extension(ending);
    }
    let mut name = path.into_os_string();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_paths_are_understood() {
        let home = Some(Path::new("/home/u"));
        assert_eq!(typed_path("  /a/b c.wav \n", home), Some(PathBuf::from("/a/b c.wav")));
        assert_eq!(typed_path("\"/a/b.wav\"", home), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(typed_path("'/a/b.wav'", home), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(typed_path("~/b.wav", home), Some(PathBuf::from("/home/u/b.wav")));
        assert_eq!(typed_path("~/b.wav", None), Some(PathBuf::from("~/b.wav")));
        assert_eq!(typed_path("   ", home), None);
        assert_eq!(typed_path("\"", home), Some(PathBuf::from("\"")));
        assert_eq!(typed_path("files/b.wav", home), Some(PathBuf::from("files/b.wav")));
    }

    #[cfg(unix)]
    #[test]
    fn addresses_of_files_are_understood() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = |text: &str| typed_path(text, None);
        assert_eq!(path("file:///a/b%20c%C3%A9.wav"), Some(PathBuf::from("/a/b cé.wav")));
        assert_eq!(path("FILE://localhost/a/b.wav"), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(path("file:///a/100%.wav"), Some(PathBuf::from("/a/100%.wav")));
        assert_eq!(path("file:///a/%23%3F.wav"), Some(PathBuf::from("/a/#?.wav")));
        // Not every name is UTF-8.
        assert_eq!(path("file:///a/%FF.wav"), Some(PathBuf::from(OsStr::from_bytes(b"/a/\xff.wav"))));
        assert_eq!(path("file://elsewhere/a.wav"), Some(PathBuf::from("file://elsewhere/a.wav")));
    }

    #[cfg(windows)]
    #[test]
    fn addresses_of_files_are_understood() {
        let path = |text: &str| typed_path(text, None);
        assert_eq!(path("file:///C:/a/b%20c.wav"), Some(PathBuf::from(r"C:\a\b c.wav")));
        assert_eq!(path("file://server/share/a.wav"), Some(PathBuf::from(r"\\server\share\a.wav")));
    }

    #[test]
    fn an_export_is_called_what_it_is() {
        let named = |path: &str| with_ending(PathBuf::from(path), ExportFormat::Wav24);
        assert_eq!(named("/a/take"), PathBuf::from("/a/take.wav"));
        assert_eq!(named("/a/take.WAV"), PathBuf::from("/a/take.WAV"));
        assert_eq!(named("/a/take.1"), PathBuf::from("/a/take.1.wav"));
        assert_eq!(named("/a/take.FLAC"), PathBuf::from("/a/take.wav"));
        assert_eq!(named("/"), PathBuf::from("/"));
        let flac = with_ending(PathBuf::from("/a/take.1.wav"), ExportFormat::Flac16);
        assert_eq!(flac, PathBuf::from("/a/take.1.flac"));
    }
}
