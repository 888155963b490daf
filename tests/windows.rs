//! The editor in windows of a host's, on an X server of the test's own: what an opening takes is given back.
//!
//! Ignored where nobody asks for it, as it needs Xvfb: `cargo xtask test --only windows`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/display.rs"]
mod display;

use std::time::{Duration, Instant};

use common::host::{Plugin, Setup};
use common::{Bundle, finished_state};
use display::Display;

/// Threads of this process by name, and what its open files are.
fn held() -> (Vec<String>, Vec<String>) {
    let names = |folder: &str, read: &dyn Fn(std::path::PathBuf) -> Option<String>| {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().filter_map(|entry| read(entry.unwrap().path())).collect();
        names.sort();
        names
    };
    let threads = names("/proc/self/task", &|path| std::fs::read_to_string(path.join("comm")).ok());
    let files = names("/proc/self/fd", &|path| {
        let target = std::fs::read_link(path).ok()?.to_string_lossy().into_owned();
        // A socket's number says nothing; this very folder is open while it is read.
        Some(target.split(':').next().unwrap_or_default().to_owned()).filter(|name| !name.starts_with("/proc/"))
    });
    (threads, files)
}

/// Waits until as many threads and files are there as before. What closes a window does not wait for its thread.
fn back(before: &(Vec<String>, Vec<String>)) {
    let since = Instant::now();
    loop {
        let now = held();
        if (now.0.len(), now.1.len()) == (before.0.len(), before.1.len()) {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "before {before:?}, now {now:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until an editor is drawn in a window.
fn drawn(display: &Display, window: u32, plugin: &mut Plugin) {
    let since = Instant::now();
    while display.colours(window).unwrap() < 20 {
        assert!(since.elapsed() < Duration::from_mins(1), "nothing is drawn");
        plugin.idle();
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn open(display: &Display, plugin: &mut Plugin) -> u32 {
    let window = display.window().unwrap();
    plugin.show_editor(window).unwrap();
    window
}

/// One test, since they share the process's threads and files.
#[test]
#[ignore = "needs Xvfb: cargo xtask test --only windows"]
fn windows_come_and_go_and_leave_nothing_behind() {
    let (bundle, state) = finished_state();
    // What the display's driver and the loader keep for good is there after a first time.
    let display = Display::start().unwrap();
    let first = |bundle: &Bundle| {
        let mut plugin = bundle.load();
        let window = open(&display, &mut plugin);
        drawn(&display, window, &mut plugin);
        plugin.close_editor().unwrap();
        display.close(window).unwrap();
    };
    first(&bundle);
    std::thread::sleep(Duration::from_secs(1));
    let before = held();

    // Two editors at once; each is closed first once, and the other one is drawn on.
    for first_to_go in [0, 1] {
        let mut plugins = [bundle.load(), bundle.load()];
        let windows = plugins.each_mut().map(|plugin| open(&display, plugin));
        for (plugin, window) in plugins.iter_mut().zip(windows) {
            drawn(&display, window, plugin);
        }
        plugins[first_to_go].close_editor().unwrap();
        display.close(windows[first_to_go]).unwrap();
        let other = 1 - first_to_go;
        display.erase(windows[other]).unwrap();
        assert!(plugins[other].restore(&state).unwrap());
        drawn(&display, windows[other], &mut plugins[other]);
        plugins[other].close_editor().unwrap();
        display.close(windows[other]).unwrap();
        drop(plugins);
        back(&before);
    }

    // A host that takes its window away before the editor, and one that lets the instance go with its editor open.
    let mut plugin = bundle.load();
    let window = open(&display, &mut plugin);
    drawn(&display, window, &mut plugin);
    display.close(window).unwrap();
    plugin.close_editor().unwrap();
    let window = open(&display, &mut plugin);
    drawn(&display, window, &mut plugin);
    drop(plugin);
    display.close(window).unwrap();
    back(&before);

    // Openings without end while something is rendered.
    let mut plugin = bundle.load();
    let values = [("length", "120"), ("takes", "8"), ("render", "on")];
    let values = values.map(|(id, text)| plugin.value(id, text).unwrap());
    let setup = Setup { sample_rate_hz: 48_000, block: 512 };
    let mut deck = plugin.start(setup).unwrap();
    for value in values {
        deck.set(0, value);
    }
    deck.run(512).unwrap();
    let mut in_between = None;
    for opening in 0..200 {
        let window = open(&display, &mut plugin);
        if opening % 20 == 0 {
            drawn(&display, window, &mut plugin);
        }
        deck.run(512).unwrap();
        plugin.close_editor().unwrap();
        display.close(window).unwrap();
        if opening == 20 {
            std::thread::sleep(Duration::from_secs(1));
            in_between = Some(held());
        }
    }
    back(&in_between.unwrap());
    plugin.stop(deck);
    drop(plugin);
    back(&before);
}
