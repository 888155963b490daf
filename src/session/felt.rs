//! The pulse of a session: what moves in it without anybody saying so. See [`Session::feel_pulse`](super::Session::feel_pulse).

use std::time::{Duration, Instant};

use super::capture::Capture;

/// What has moved since somebody last looked.
#[derive(Debug, PartialEq)]
pub(super) struct Pulse {
    /// Where playback stands, which take is played to the user, and where in it.
    pub(super) heads: [u64; 3],
    /// Bits of the song's position, while an arrangement plays.
    pub(super) song: Option<u64>,
    pub(super) missing: u64,
    /// What becomes of the sidechain.
    pub(super) capture: Capture,
    /// Frames that came in from it.
    pub(super) captured: usize,
    /// Tempo, beats per bar and rate, as bits.
    pub(super) meter: [u64; 3],
    /// See [`Controls::values`](crate::settings::Controls::values).
    pub(super) values: u64,
}

/// The pulse as it was felt last.
#[derive(Debug, Default)]
pub(super) struct Felt {
    pub(super) last: Option<Pulse>,
    /// When it had changed last.
    pub(super) at: Option<Instant>,
    /// How long an editor is left alone after that.
    pub(super) pause: Duration,
    /// How often it had changed.
    pub(super) beats: u64,
}
