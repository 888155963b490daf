//! Everything that `process()` may call: reading takes, following the host's transport, voices, fades, gain, capture.
//!
//! `no_std`, no dependencies, no allocation, no locks, no IO. Audio lies in slices of [`AtomicU32`](core::sync::atomic::AtomicU32)
//! that hold `f32` bits, since another thread may still be writing a take while it plays. The plugin owns the memory and
//! hands out views for one block at a time.
//!
//! Everything counts frames of the host's rate, and nothing here depends on how the host cuts time into blocks: the same
//! events at the same frames give the same output bit for bit.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::float_cmp))]

#[cfg(test)]
extern crate std;

mod arm;
mod capture;
mod channels;
mod course;
mod curve;
mod envelope;
mod gain;
mod gate;
mod head;
mod kernel;
mod keys;
mod limiter;
mod musical;
mod pinned;
mod pitch;
mod placement;
mod player;
mod pressed;
mod sine;
mod strip;
mod tails;
mod timeline;
mod view;
mod voices;
mod window;

pub use arm::{Arm, Armed, Pass, Recording};
pub use capture::CaptureWriter;
pub use course::{AtEnd, Beat, Course, Every};
pub use gain::SmoothedGain;
pub use head::Source;
pub use keys::KeySettings;
pub use musical::{BarClock, pin_beats};
pub use placement::{PLACEMENTS, Placement};
pub use player::{Player, Playing};
pub use timeline::{Cue, Timeline, Transport};
pub use view::{Frame, Segment, TakeView};
pub use voices::{Note, VOICES};
