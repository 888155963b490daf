//! What an instance takes before it is used: its own memory, beside what all of them share.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bundle;
use common::host::{Plugin, Setup};

const INSTANCES: usize = 16;
const MOST: usize = 4 << 20;

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// An instance that its host has activated and asked for a block, as hosts do with a project that is open.
fn running(bundle: &Bundle) -> (Plugin, common::host::Deck) {
    let mut plugin = bundle.load();
    let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 512 }).unwrap();
    deck.feed(|_| 0.1);
    deck.run(512).unwrap();
    (plugin, deck)
}

#[test]
fn an_instance_takes_little_before_it_is_used() {
    let bundle = Bundle::new();
    // What the library takes once is there with the first one.
    let first = running(&bundle);
    let before = resident();
    let others: Vec<_> = (0..INSTANCES).map(|_| running(&bundle)).collect();
    let each = resident().saturating_sub(before) / INSTANCES;
    eprintln!("{} kB for each instance", each >> 10);
    assert!(each <= MOST, "{} kB for each instance", each >> 10);
    for (mut plugin, deck) in others.into_iter().chain([first]) {
        plugin.stop(deck);
    }
}
