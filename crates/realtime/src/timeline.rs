//! Following the host's transport.
//!
//! While the transport runs on, frames are counted: tempo changes and rounding in the host's reports then move nothing
//! that already sounds. When it jumps (start, loop, seek), and all the time before the pin is reached, the offset comes
//! from the host's position and present tempo, so that the take starts at the pin's own frame.

use crate::course::Beat;

/// The host's transport at the start of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transport {
    /// Whether it runs.
    pub playing: bool,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Position in quarter notes; negative in a pre-roll.
    pub beats: Option<f64>,
    /// Position in seconds.
    pub seconds: Option<f64>,
    /// Position in frames.
    pub frames: Option<i64>,
}

/// Where a take stands at the start of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cue {
    /// The transport stands still.
    Stopped,
    /// The take's frame at the block's first frame; negative before the pin. `jumped` when this does not follow from the
    /// block before.
    At {
        /// Frame of the take.
        frame: i64,
        /// Whether playback came here by a jump.
        jumped: bool,
    },
}

/// Where the next block starts if the transport runs on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    frame: i64,
    pin: f64,
    transport: Transport,
    tolerance_beats: f64,
}

/// Turns a host's reports into frames of a take that is pinned to a musical position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timeline {
    expected: Option<Expected>,
    /// Quarter notes from the pin to the last block's first frame, frames per quarter note and the tempo there.
    beat: [f64; 3],
}

/// Offsets beyond this are outside every take; it keeps conversions in range whatever a host reports.
const FAR: f64 = (1_u64 << 52) as f64;

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Timeline {
    /// A timeline that has seen nothing.
    pub const fn new() -> Self {
        Self { expected: None, beat: [0.0, 24_000.0, 120.0] }
    }

    /// Forgets the past: the next block counts as a jump.
    pub fn reset(&mut self) {
        self.expected = None;
    }

    /// Where the song stood at the first frame of the block that [`Timeline::advance`] was asked about last, in bars of
    /// `per_bar` quarter notes.
    pub fn beat(&self, per_bar: f64) -> Beat {
        let [since_pin, frames, tempo] = self.beat;
        Beat { since_pin, frames, tempo, per_bar }
    }

    /// The same where the block before goes on and the host has said nothing new. `None` if nothing is known of it.
    pub fn go_on(&mut self, pin: f64, rate_hz: f64, frames: usize) -> Option<Cue> {
        let expected = self.expected?;
        Some(self.advance(&expected.transport, pin, rate_hz, frames))
    }

    /// Where the take stands at the start of a block of `frames` frames at `rate_hz`, pinned at `pin` quarter notes.
    pub fn advance(&mut self, transport: &Transport, pin: f64, rate_hz: f64, frames: usize) -> Cue {
        if !transport.playing {
            self.expected = None;
            return Cue::Stopped;
        }
        let tempo = if transport.tempo.is_finite() && transport.tempo > 0.0 { transport.tempo } else { 120.0 };
        let frames_per_beat = 60.0 / tempo * rate_hz;
        let position = position_in_beats(transport, tempo, rate_hz);
        let reported = position.map(|beats| to_frame((beats - pin) * frames_per_beat));
        let follows = self.expected.filter(|expected| expected.is_met(transport, rate_hz));
        let (frame, jumped) = match (follows, reported) {
            // The take sounds (or has ended): count on. A pin that was moved is a jump.
            (Some(expected), _) if expected.frame >= 0 && expected.pin.to_bits() == pin.to_bits() => {
                (expected.frame, false)
            }
            // The pin lay in this very gap between two reports: the take starts with its first frame, not a later one.
            (Some(expected), Some(frame))
                if expected.frame < 0 && frame > 0 && expected.pin.to_bits() == pin.to_bits() =>
            {
                if frame <= frames as i64 { (0, false) } else { (frame, true) }
            }
            (Some(_), Some(frame)) => (frame, frame > 0),
            (Some(expected), None) => (expected.frame, false),
            (None, Some(frame)) => (frame, true),
            // A host without any position: the song starts when the transport does.
            (None, None) => (to_frame(-pin * frames_per_beat), true),
        };
        let since_pin = position.map_or(frame as f64 / frames_per_beat, |beats| beats - pin);
        self.beat = [since_pin, frames_per_beat, tempo];
        let seconds = frames as f64 / rate_hz;
        self.expected = Some(Expected {
            frame: frame + frames as i64,
            pin,
            transport: Transport {
                playing: true,
                tempo,
                beats: transport.beats.map(|beats| beats + seconds / 60.0 * tempo),
                seconds: transport.seconds.map(|at| at + seconds),
                frames: transport.frames.map(|at| at.saturating_add(frames as i64)),
            },
            // A tempo that glides within a block makes the report differ from the sum; a jump is a larger matter.
            tolerance_beats: 0.25 * seconds / 60.0 * tempo + 2.0 / frames_per_beat,
        });
        Cue::At { frame, jumped }
    }
}

impl Expected {
    /// Whether the transport runs on. The most exact of the positions that the host reports decides.
    fn is_met(&self, now: &Transport, rate_hz: f64) -> bool {
        match (self.transport.frames, now.frames, self.transport.seconds, now.seconds, self.transport.beats, now.beats)
        {
            // A host may report any two positions: their difference need not fit.
            (Some(expected), Some(now), ..) => expected.abs_diff(now) <= 1,
            (_, _, Some(expected), Some(now), ..) => (expected - now).abs() * rate_hz < 2.0,
            (_, _, _, _, Some(expected), Some(now)) => (expected - now).abs() < self.tolerance_beats,
            _ => true,
        }
    }
}

fn position_in_beats(transport: &Transport, tempo: f64, rate_hz: f64) -> Option<f64> {
    transport
        .beats
        .or_else(|| transport.seconds.map(|seconds| seconds / 60.0 * tempo))
        .or_else(|| transport.frames.map(|frames| frames as f64 / rate_hz / 60.0 * tempo))
        .filter(|beats| beats.is_finite())
}

/// The nearest frame; halves go away from zero. (`f64::round` is not in `core`.)
fn to_frame(position: f64) -> i64 {
    let position = if position.is_nan() { 0.0 } else { position.clamp(-FAR, FAR) };
    if position < 0.0 { -((0.5 - position) as i64) } else { (position + 0.5) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A host that reports everything, at a constant tempo.
    fn report(at: i64, tempo: f64, rate_hz: f64) -> Transport {
        let seconds = at as f64 / rate_hz;
        Transport {
            playing: true,
            tempo,
            beats: Some(seconds / 60.0 * tempo),
            seconds: Some(seconds),
            frames: Some(at),
        }
    }

    fn only_beats(transport: Transport) -> Transport {
        Transport { seconds: None, frames: None, ..transport }
    }

    #[test]
    fn bar_two_starts_on_its_frame_at_every_rate_and_block_size() {
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            for block in [32_usize, 33, 64, 480, 512, 1024, 4096] {
                for start in [-48_000_i64, 0, 1_000] {
                    let mut timeline = Timeline::new();
                    let mut at = start;
                    let found = loop {
                        let transport = report(at, 120.0, rate_hz);
                        let Cue::At { frame, .. } = timeline.advance(&transport, 4.0, rate_hz, block) else { panic!() };
                        if frame + block as i64 > 0 {
                            break at - frame;
                        }
                        at += block as i64;
                    };
                    assert_eq!(found, (2.0 * rate_hz) as i64);
                }
            }
        }
    }

    #[test]
    fn a_tempo_change_before_the_pin_moves_its_frame_and_one_after_it_does_not() {
        // 120 to beat 2 (1 s), then 60: beat 4 comes at 3 s.
        let (rate_hz, block) = (48_000.0, 480);
        let mut timeline = Timeline::new();
        let mut sounding = None;
        for index in 0..600_i64 {
            let at = index * 480;
            let seconds = at as f64 / rate_hz;
            let (tempo, beats) = if seconds < 1.0 { (120.0, seconds * 2.0) } else { (60.0, 2.0 + (seconds - 1.0)) };
            let (tempo, beats) = if seconds < 4.0 { (tempo, beats) } else { (90.0, 5.0 + (seconds - 4.0) * 1.5) };
            let transport = Transport { playing: true, tempo, beats: Some(beats), seconds: None, frames: None };
            let Cue::At { frame, jumped } = timeline.advance(&transport, 4.0, rate_hz, block) else { panic!() };
            if frame >= 0 {
                assert_eq!(at - frame, 144_000);
                assert!(!jumped);
                sounding = Some(frame);
            }
        }
        assert!(sounding > Some(100_000));
    }

    #[test]
    fn loops_and_seeks_are_jumps_in_every_kind_of_report() {
        for strip in [|t| t, only_beats] {
            let mut timeline = Timeline::new();
            let go =
                |timeline: &mut Timeline, at| timeline.advance(&strip(report(at, 120.0, 48_000.0)), 0.0, 48_000.0, 512);
            assert_eq!(go(&mut timeline, 96_000), Cue::At { frame: 96_000, jumped: true });
            assert_eq!(go(&mut timeline, 96_512), Cue::At { frame: 96_512, jumped: false });
            assert_eq!(go(&mut timeline, 48_000), Cue::At { frame: 48_000, jumped: true });
            assert_eq!(go(&mut timeline, 1_000_000), Cue::At { frame: 1_000_000, jumped: true });
            assert_eq!(go(&mut timeline, -1_000), Cue::At { frame: -1_000, jumped: true });
            assert_eq!(go(&mut timeline, -488), Cue::At { frame: -488, jumped: false });
            assert_eq!(go(&mut timeline, 24), Cue::At { frame: 24, jumped: false });
        }
    }

    #[test]
    fn a_block_that_is_cut_goes_on_by_itself() {
        for pin in [0.0, 0.25, 7.5] {
            let (mut whole, mut parts) = (Timeline::new(), Timeline::new());
            assert_eq!(parts.go_on(pin, 48_000.0, 64), None);
            for block in 0..400 {
                let now = report(block * 512, 97.0, 48_000.0);
                let Cue::At { frame, .. } = whole.advance(&now, pin, 48_000.0, 512) else { panic!("stopped") };
                let mut at = 0;
                for part in [100, 1, 411] {
                    let cue = if at == 0 {
                        parts.advance(&now, pin, 48_000.0, part)
                    } else {
                        parts.go_on(pin, 48_000.0, part).unwrap()
                    };
                    // Before the pin a part's frame is rounded once more.
                    let Cue::At { frame: found, .. } = cue else { panic!("stopped") };
                    assert!(found == frame + at || (frame < 0 && (found - frame - at).abs() <= 1), "{found}, {frame}");
                    at += part as i64;
                }
            }
            // A pin that is moved within the block is moved at once.
            let Some(Cue::At { frame, jumped: true }) = parts.go_on(1.0, 48_000.0, 64) else { panic!("no jump") };
            assert!((frame as f64 - (400.0 * 512.0 - 60.0 / 97.0 * 48_000.0)).abs() <= 1.0, "{frame}");
        }
    }

    #[test]
    fn nonsense_from_a_host_is_survived() {
        let mut timeline = Timeline::new();
        for value in [f64::NAN, f64::INFINITY, f64::MIN, 1e300, -0.0] {
            for tempo in [f64::NAN, 0.0, -1.0, 1e-300, 1e300] {
                let transport = Transport {
                    playing: true,
                    tempo,
                    beats: Some(value),
                    seconds: Some(value),
                    frames: Some(i64::MAX),
                };
                timeline.advance(&transport, 4.0, 48_000.0, 512);
                timeline.advance(&Transport { beats: None, ..transport }, value, 48_000.0, 512);
            }
        }
    }

    #[test]
    fn positions_whose_sum_or_difference_overflows_are_jumps() {
        let mut timeline = Timeline::new();
        let at = |frames| Transport { playing: true, tempo: 120.0, beats: None, seconds: None, frames: Some(frames) };
        let far = FAR as i64;
        for (position, frame, jumped) in [
            (i64::MAX, far, true),
            // The block would have ended beyond the last number there is; staying there is going on.
            (i64::MAX, far + 512, false),
            (i64::MIN, -far, true),
            (i64::MAX, far, true),
            (i64::MIN + 1, -far, true),
            (0, 0, true),
            (i64::MIN, -far, true),
        ] {
            let cue = timeline.advance(&at(position), 0.0, 48_000.0, 512);
            assert_eq!(cue, Cue::At { frame, jumped }, "{position}");
        }
    }

    proptest! {
        /// However the host cuts time into blocks, the take's frame at each instant is the same.
        #[test]
        fn block_sizes_do_not_matter(
            blocks in proptest::collection::vec(1_usize..5_000, 1..60),
            tempo in 20.0_f64..300.0,
            pin in -8.0_f64..32.0,
            start in -100_000_i64..100_000,
            rate in prop_oneof![Just(44_100.0), Just(48_000.0), Just(96_000.0)],
            beats_only: bool,
        ) {
            let strip = |transport| if beats_only { only_beats(transport) } else { transport };
            let mut whole = Timeline::new();
            let total: usize = blocks.iter().sum();
            let Cue::At { frame: first, .. } = whole.advance(&strip(report(start, tempo, rate)), pin, rate, total) else {
                return Err(TestCaseError::fail("stopped"));
            };
            let mut timeline = Timeline::new();
            let mut at = 0_i64;
            for block in blocks {
                let Cue::At { frame, .. } = timeline.advance(&strip(report(start + at, tempo, rate)), pin, rate, block) else {
                    return Err(TestCaseError::fail("stopped"));
                };
                // Before the pin each report is rounded anew; a half-frame position may fall either way by the last bit.
                let exact = (start + at) as f64 - pin * 60.0 / tempo * rate;
                let tie = (exact - exact.floor() - 0.5).abs() < 1e-6;
                prop_assert!(frame == first + at || tie, "{frame} {first} {at}");
                at += block as i64;
            }
        }
    }
}
