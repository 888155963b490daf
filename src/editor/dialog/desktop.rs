//! The dialogs of Linux and BSD desktops: the desktop portal's, else the program `zenity`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ashpd::desktop::ResponseError;
use ashpd::desktop::file_chooser::{FileFilter, SelectedFiles};
use url::Url;

use super::request::{DialogError, Purpose, export_name};

/// Nobody can close a dialog faster than this: it was never open.
const NEVER_OPEN: Duration = Duration::from_millis(300);

/// Shows a dialog until the user has answered: a file, or none.
pub(super) fn show(purpose: Purpose, folder: Option<&Path>) -> Result<Option<PathBuf>, DialogError> {
    first_of(|| pollster::block_on(portal(purpose, folder)), || zenity(OsStr::new("zenity"), purpose, folder))
}

/// The answer of the first dialog that opens.
fn first_of(
    portal: impl FnOnce() -> Result<Option<PathBuf>, String>,
    zenity: impl FnOnce() -> Result<Option<PathBuf>, String>,
) -> Result<Option<PathBuf>, DialogError> {
    portal().or_else(|portal| zenity().map_err(|zenity| DialogError::NoDialog { portal, zenity }))
}

async fn portal(purpose: Purpose, folder: Option<&Path>) -> Result<Option<PathBuf>, String> {
    let filters = purpose.filters().into_iter().map(|(name, extensions)| {
        let all = FileFilter::new(name);
        if extensions.is_empty() {
            return all.glob("*");
        }
        extensions.iter().fold(all, |filter, extension| filter.glob(&any_case(extension)))
    });
    let answer = async {
        let request = if let Purpose::Export(format) = purpose {
            let name = export_name(format);
            let request =
                SelectedFiles::save_file().title(purpose.title()).filters(filters).current_name(name.as_str());
            request.current_folder::<&Path>(folder)?.send().await?
        } else {
            let request = SelectedFiles::open_file().title(purpose.title()).filters(filters);
            request.current_folder::<&Path>(folder)?.send().await?
        };
        request.response()
    };
    let files = match answer.await {
        Ok(files) => files,
        Err(ashpd::Error::Response(ResponseError::Cancelled)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let Some(address) = files.uris().first() else { return Ok(None) };
    let address = address.to_string();
    let path = Url::parse(&address).ok().and_then(|address| address.to_file_path().ok());
    path.map(Some).ok_or_else(|| format!("{address} is no file of this machine"))
}

/// `*.[wW][aA][vV]`: the portal tells capitals from small letters.
fn any_case(extension: &str) -> String {
    let letters = extension.chars().map(|letter| match letter.to_ascii_uppercase() {
        upper if upper == letter => letter.to_string(),
        upper => format!("[{letter}{upper}]"),
    });
    std::iter::once("*.".to_owned()).chain(letters).collect()
}

fn zenity(program: &OsStr, purpose: Purpose, folder: Option<&Path>) -> Result<Option<PathBuf>, String> {
    let mut command = Command::new(program);
    command.args(["--file-selection", "--title", purpose.title()]);
    let mut start = folder.map_or_else(PathBuf::new, |folder| folder.join(""));
    if let Purpose::Export(format) = purpose {
        command.args(["--save", "--confirm-overwrite"]);
        start.push(export_name(format));
    }
    if !start.as_os_str().is_empty() {
        command.arg("--filename").arg(start);
    }
    for (name, extensions) in purpose.filters() {
        let patterns: Vec<String> = extensions.iter().map(|extension| any_case(extension)).collect();
        let patterns = if patterns.is_empty() { "*".to_owned() } else { patterns.join(" ") };
        command.arg("--file-filter").arg(format!("{name} | {patterns}"));
    }
    let began = Instant::now();
    let output = command.output().map_err(|error| error.to_string())?;
    answer_of(&output, began.elapsed())
}

/// What `zenity` said: 0 and a path, or 1 for a cancel. It also ends with 1 where it finds no display, but at once and with
/// a complaint.
fn answer_of(output: &Output, took: Duration) -> Result<Option<PathBuf>, String> {
    match output.status.code() {
        Some(0) => {
            let line = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
            Ok((!line.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(line))))
        }
        Some(1) if took >= NEVER_OPEN || output.stderr.is_empty() => Ok(None),
        _ => {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
            Err(last.map_or_else(|| output.status.to_string(), ToOwned::to_owned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program in place of zenity.
    fn answer(script: &str) -> Result<Option<PathBuf>, String> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("zenity");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let purpose = Purpose::Export(crate::session::ExportFormat::Wav24);
        zenity(program.as_os_str(), purpose, Some(Path::new("/music")))
    }

    #[test]
    fn a_file_a_cancel_and_an_error_of_the_program_are_told_apart() {
        assert_eq!(answer("echo '/a/b c.wav '"), Ok(Some(PathBuf::from("/a/b c.wav "))));
        assert_eq!(answer("exit 1"), Ok(None));
        assert_eq!(answer("echo 'Gtk-WARNING: a theme' >&2; sleep 0.4; exit 1"), Ok(None));
        assert_eq!(answer("echo 'cannot open display: ' >&2; exit 1"), Err("cannot open display:".to_owned()));
        assert!(answer("exit 255").is_err_and(|words| words.contains("255")));
        assert!(zenity(OsStr::new("/nowhere/zenity"), Purpose::Model, None).is_err());
        // What it is asked for.
        let asked = answer("printf '%s' \"$*\"").unwrap().unwrap().display().to_string();
        for part in ["--save --confirm-overwrite", "--filename /music/continuo-take.wav", "WAV | *.[wW][aA][vV]"] {
            assert!(asked.contains(part), "{part} is not in {asked}");
        }
    }

    #[test]
    fn only_where_both_fail_there_is_no_dialog() {
        let fails = |words: &str| Err(words.to_owned());
        let none = first_of(|| fails("no bus"), || fails("not installed")).unwrap_err().to_string();
        assert!(none.contains("no bus") && none.contains("not installed"), "{none}");
        let file = || Some(PathBuf::from("/a.wav"));
        assert_eq!(first_of(|| fails("no bus"), || Ok(file())).unwrap(), file());
        assert_eq!(first_of(|| Ok(None), || panic!("the user has said no")).unwrap(), None);
    }
}
