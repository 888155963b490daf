//! How the parameters have the pinned take go through the song.

use continuo_realtime::{AtEnd, Course};

use crate::params::{self, TempoMode, TimelineParams};
use crate::take::play::PlayTake;

/// The course of a take, of which the seed clip is played if `with_seed`.
pub(super) fn course(params: &TimelineParams, take: &PlayTake, with_seed: bool) -> Course {
    let seed = if with_seed { take.seed_frames() } else { 0 };
    let frames = |seconds: f32| (f64::from(seconds.max(0.0)) * f64::from(take.rate_hz) + 0.5) as u32;
    let looped = |from: usize| AtEnd::Loop {
        from: from as i64,
        crossfade: frames(params.loop_crossfade.value() / 1e3),
        whole_bars: params.loop_bars.value(),
    };
    let at_end = match params.at_end.value() {
        params::AtEnd::Stop => AtEnd::Stop,
        params::AtEnd::Fade => AtEnd::Fade { frames: frames(params.end_fade.value()) },
        params::AtEnd::Loop => looped(0),
        params::AtEnd::LoopFromSeam => looped(seed),
    };
    // A take of before its tempo was kept can only keep its length.
    let tempo = take.tempo.filter(|_| params.tempo.value() == TempoMode::StayInBars);
    Course { frames: (seed + take.frames()) as i64, at_end, tempo }
}
