//! What training tells on a terminal and elsewhere: the program itself, on a terminal of the test's own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use common::{TINY, tones};

/// A terminal of 80 by 24: the side of the one who watches, and the program's.
fn terminal() -> (File, File) {
    let (mut ours, mut its) = (-1, -1);
    let mut size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointers are to live values or null, which openpty allows.
    assert_eq!(unsafe { libc::openpty(&raw mut ours, &raw mut its, null_mut(), null_mut(), &raw mut size) }, 0);
    // SAFETY: openpty gave both to nobody else.
    unsafe { (File::from_raw_fd(ours), File::from_raw_fd(its)) }
}

/// Training on a small dataset in `dir`, told to `stderr`.
fn train(dir: &Path, arguments: &[&str], stderr: Stdio) -> Child {
    if !dir.join("data").exists() {
        tones(&dir.join("data"), &[2500, 390, 1900, 1200]);
        std::fs::write(dir.join("tiny.toml"), TINY).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_continuo-trainer"))
        .args(["train", "tiny.toml", "--data", "data", "--device", "cpu"])
        .args(arguments)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

/// All that a program tells a terminal until it ends. The other side of a terminal ends with an error.
fn told(ours: &mut File) -> String {
    let mut told = Vec::new();
    let _ = ours.read_to_end(&mut told);
    String::from_utf8(told).unwrap()
}

#[test]
fn elsewhere_there_are_plain_lines() {
    let dir = tempfile::tempdir().unwrap();
    let piped = train(dir.path(), &["--out", "piped"], Stdio::piped()).wait_with_output().unwrap();
    assert!(piped.status.success());
    let piped = String::from_utf8(piped.stderr).unwrap();
    let (mut ours, its) = terminal();
    let mut child = train(dir.path(), &["--out", "plain", "--plain"], its.into());
    let plain = told(&mut ours).replace("\r\n", "\n");
    assert!(child.wait().unwrap().success());
    for told in [&piped, &plain] {
        assert!(!told.contains(['\r', '\x1b']), "{told:?}");
        let lines: Vec<&str> = told.lines().collect();
        assert!(
            lines.iter().any(|line| line.starts_with("step 12/12  loss_bits ") && line.ends_with(" left")),
            "{told}"
        );
        assert_eq!(lines.last(), Some(&"step 12: all steps are made"));
    }
}

#[test]
fn a_terminal_shows_the_run_and_is_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ours, its) = terminal();
    let mut child = train(dir.path(), &["--out", "ピアノ"], its.into());
    let told = told(&mut ours);
    assert!(child.wait().unwrap().success());
    for wanted in ["──\x1b[0;1m ピアノ ", "\x1b[K\r\r\n", "12\x1b[0m of 12", "held-out", "nll_nats"] {
        assert!(told.contains(wanted), "{wanted:?} is missing in {told:?}");
    }
    assert!(told.ends_with("step 12: all steps are made\r\n"), "{told:?}");
    // Nothing is switched on: no mode, no other screen, no hidden cursor.
    assert!(!told.contains("\x1b[?") && !told.contains("\x1b7") && !told.contains("\x1bc"), "{told:?}");
}

#[test]
fn training_goes_on_when_its_terminal_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ours, its) = terminal();
    let arguments = ["--out", "run", "--steps", "100000000", "--minutes", "0.08"];
    let mut child = train(dir.path(), &arguments, its.into());
    let mut some = [0; 4096];
    while !String::from_utf8_lossy(&some).contains("Ctrl-C") {
        assert!(ours.read(&mut some).unwrap() > 0);
    }
    drop(ours);
    for _ in 0..2 {
        assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    }
    assert!(child.wait().unwrap().success(), "it went on to its limit");
    let log = std::fs::read_to_string(dir.path().join("run/log.jsonl")).unwrap();
    assert!(log.lines().last().is_some_and(|line| line.contains("limit")), "{log}");
}

#[test]
fn a_terminal_that_takes_nothing_keeps_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, its) = terminal();
    // Nobody reads, and it is full.
    // SAFETY: the descriptor is open.
    let waits = |flags: libc::c_int| assert_eq!(unsafe { libc::fcntl(its.as_raw_fd(), libc::F_SETFL, flags) }, 0);
    waits(libc::O_NONBLOCK);
    while (&its).write(&[b'x'; 1024]).is_ok() {}
    waits(0);
    let arguments = ["--out", "run", "--steps", "100000000", "--minutes", "0.05"];
    let mut child = train(dir.path(), &arguments, its.into());
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed().as_secs() < 60, "training waits for its terminal");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(dir.path().join("run/log.jsonl")).unwrap();
    assert!(log.lines().last().is_some_and(|line| line.contains("limit")), "{log}");
    drop(ours);
}
