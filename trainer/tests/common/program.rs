//! The program itself, run on small runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{TINY, tones};

/// What every test computes on.
pub const CPU: &str = "--device=cpu";

/// The configuration of the tests with changed lines.
pub fn config(dir: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let file = dir.join("tiny.toml");
    let text = changes.iter().fold(TINY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(&file, text).unwrap();
    file
}

pub fn trainer(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuo-trainer"));
    command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null());
    command
}

pub fn ran(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    trainer(arguments).output().unwrap()
}

/// What a command that succeeds says.
pub fn done(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
    let output = ran(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// What a command that fails says.
pub fn refused(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
    let output = ran(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !said.contains("panicked"), "{said}");
    said
}

/// A dataset and the arguments that train a run on it.
pub fn train(dir: &Path, changes: &[(&str, &str)]) -> (PathBuf, PathBuf, PathBuf) {
    let data = dir.join("data");
    tones(&data, &[2500, 390, 1900, 1200]);
    (config(dir, changes), data, dir.join("run"))
}
