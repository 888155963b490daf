//! What an editor shows and nobody rings for.
//!
//! `process()` wakes nobody, and some hosts set parameters without a word to the editor. So the renderer's service thread feels the pulse of
//! every session whose editor is open, and the editor is drawn when it has changed: not while nothing moves.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::felt::{Felt, Pulse};
use super::instance::Session;
use super::lock::lock;

impl Session {
    /// Leaves an open editor alone for so long after it was drawn for something that moves.
    pub(crate) fn pause_pulse(&self, pause: Duration) {
        lock(&self.pulse).pause = pause;
    }

    /// Has an open editor drawn if what it shows has moved.
    pub(crate) fn feel_pulse(&self) {
        if !self.is_watched() {
            return;
        }
        let now = Pulse {
            heads: self.link.heads(),
            song: self.link.song_beats().map(f64::to_bits),
            missing: self.link.missing_frames(),
            capture: self.link.capture_state(),
            captured: self.link.captured().map_or(0, |ring| ring.written.load(Ordering::Acquire)),
            meter: self.link.meter_bits(),
            values: self.params().map_or(0, |params| params.values()),
        };
        let mut felt = lock(&self.pulse);
        let rests = felt.at.is_some_and(|at| at.elapsed() < felt.pause);
        if !rests && felt.last.as_ref() != Some(&now) {
            *felt = Felt { last: Some(now), at: Some(Instant::now()), pause: felt.pause, beats: felt.beats + 1 };
            drop(felt);
            self.repaint.request_repaint();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::patch::Value;
    use crate::settings::{Controls, Meter, Mode, SeedSource, Settings, Turned};

    struct Knob(std::sync::atomic::AtomicU64);

    impl Controls for Knob {
        fn settings(&self, _meter: Meter) -> Settings {
            Settings {
                mode: Mode::Continue,
                seconds: 1.0,
                temperature: 1.0,
                top_k: 0,
                code_temperature: 1.0,
                code_top_k: 0,
                class: 0,
                rng_seed: 0,
                variations: 1,
                seed_source: SeedSource::Clip,
                tempo: 120.0,
            }
        }

        fn switches(&self) -> [bool; 2] {
            [false; 2]
        }

        fn variation(&self) -> usize {
            0
        }

        fn pin_bars(&self) -> f64 {
            0.0
        }

        fn patch_values(&self) -> BTreeMap<String, Value> {
            BTreeMap::new()
        }

        fn turns_to(&self, _values: &BTreeMap<String, Value>) -> Vec<Turned> {
            Vec::new()
        }

        fn plays_seed(&self) -> bool {
            true
        }

        fn stays_in_bars(&self) -> bool {
            false
        }

        fn level_match(&self) -> bool {
            false
        }

        fn values(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn an_open_editor_is_drawn_when_something_has_moved_and_only_then() {
        let session = Session::new();
        let controls = Arc::new(Knob(0.into()));
        session.attach(&controls);
        session.set_host_rate(48_000.0);
        let rung = |session: &Session| {
            session.feel_pulse();
            lock(&session.pulse).beats
        };
        session.link.set_playhead(Some(1));
        assert_eq!(rung(&session), 0, "nobody looks");
        session.watch();
        let mut beats = rung(&session);
        assert_eq!(beats, 1);
        let moves: [&dyn Fn(); 7] = [
            &|| session.link.set_playhead(Some(2)),
            &|| session.link.set_playhead(None),
            &|| session.link.set_auditioned(Some((7, 0))),
            &|| session.link.set_auditioned(Some((7, 64))),
            &|| session.link.add_missing(1),
            &|| session.link.set_meter(Meter { tempo: 90.0, beats_per_bar: 3.0 }),
            &|| controls.0.store(1, Ordering::Relaxed),
        ];
        for act in moves {
            act();
            beats += 1;
            assert_eq!(rung(&session), beats);
            assert_eq!(rung(&session), beats, "nothing has moved");
        }
        let ring = session.link.capture_ring(48_000);
        ring.written.store(64, Ordering::Release);
        assert_eq!(rung(&session), beats + 1);
        // What is dear to draw is drawn less often, and in the end as it stands.
        session.pause_pulse(Duration::from_millis(50));
        session.link.set_playhead(Some(9));
        assert_eq!(rung(&session), beats + 1);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(rung(&session), beats + 2);
        let beats = beats + 1;
        session.look_away();
        session.link.set_playhead(Some(3));
        assert_eq!(rung(&session), beats + 1);
    }
}
