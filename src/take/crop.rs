//! A part of a take as a take of its own.

use std::sync::Arc;

use continuo_engine::audio::Clip;

use super::{Recipe, Take};

/// Shortest continuation that is left of a take, in seconds.
pub const SHORTEST_SECONDS: f64 = 0.05;

/// A variation of a take from one second to another, counted from its seed clip's first frame: exactly the frames that lie there. What
/// is left of the seed clip stays the seed clip. `None` where less than [`SHORTEST_SECONDS`] of the continuation would be left, or
/// there is no such variation.
pub fn crop(take: &Take, variation: usize, begin_seconds: f64, end_seconds: f64) -> Option<Take> {
    let whole = take.variations.get(variation)?;
    let seed_seconds = take.seed.as_ref().map_or(0.0, |clip| clip.seconds());
    let begin = frame(whole, begin_seconds - seed_seconds);
    let end = frame(whole, end_seconds - seed_seconds);
    let shortest = (SHORTEST_SECONDS * f64::from(whole.sample_rate_hz)).ceil() as usize;
    if end < begin.saturating_add(shortest) {
        return None;
    }
    let part = part(whole, begin, end);
    let seed = take.seed.as_ref().and_then(|clip| {
        let first = frame(clip, begin_seconds);
        match first {
            0 => Some(Arc::clone(clip)),
            first if first < clip.frames() => Some(Arc::new(self::part(clip, first, clip.frames()))),
            _ => None,
        }
    });
    let recipe =
        Recipe { variations: 1, frames: part.frames() as u64, bits_per_frame: Vec::new(), ..take.recipe.clone() };
    Some(Take { recipe, seed, variations: vec![Arc::new(part)] })
}

/// The frame at a second of a clip, within it.
fn frame(clip: &Clip, seconds: f64) -> usize {
    let frame = (seconds * f64::from(clip.sample_rate_hz)).round();
    frame.clamp(0.0, clip.frames() as f64) as usize
}

fn part(clip: &Clip, begin: usize, end: usize) -> Clip {
    let channels = clip.channels.iter().map(|channel| channel[begin..end].to_vec()).collect();
    Clip { sample_rate_hz: clip.sample_rate_hz, channels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::tests::{stereo_take, take};

    #[test]
    fn what_is_left_are_the_frames_that_lay_there() {
        for take in [take(), stereo_take()] {
            let rate = f64::from(take.recipe.model_rate_hz);
            let seed = take.seed.as_ref().unwrap();
            let (seed_seconds, frames) = (seed.seconds(), take.variations[1].frames());

            let before = crop(&take, 1, 0.0, seed_seconds + 1_000.0 / rate).unwrap();
            assert_eq!((before.variations.len(), before.recipe.variations, before.recipe.frames), (1, 1, 1_000));
            assert_eq!(before.variations[0].channels[0], take.variations[1].channels[0][..1_000]);
            assert!(Arc::ptr_eq(before.seed.as_ref().unwrap(), seed));

            let after = crop(&take, 0, seed_seconds + 500.0 / rate, f64::INFINITY).unwrap();
            assert_eq!(after.seed, None);
            for (channel, whole) in after.variations[0].channels.iter().zip(&take.variations[0].channels) {
                assert_eq!(channel[..], whole[500..]);
            }
            assert_eq!(after.recipe.frames, frames as u64 - 500);
            assert_eq!(after.recipe.seed_name, take.recipe.seed_name, "it still is a part of what went on from that");

            let from_seed = crop(&take, 0, seed_seconds / 2.0, f64::INFINITY).unwrap();
            let first = (seed.frames() as f64 / 2.0).round() as usize;
            assert_eq!(from_seed.seed.as_ref().unwrap().channels[0], seed.channels[0][first..]);
            assert_eq!(from_seed.variations[0], take.variations[0]);
        }
    }

    #[test]
    fn nothing_is_left_of_a_part_without_a_continuation() {
        let take = take();
        let seed_seconds = take.seed.as_ref().unwrap().seconds();
        assert_eq!(crop(&take, 0, 0.0, seed_seconds + 0.04), None);
        assert_eq!(crop(&take, 0, f64::INFINITY, f64::INFINITY), None);
        assert_eq!(crop(&take, 0, seed_seconds + 0.1, seed_seconds), None);
        assert_eq!(crop(&take, 7, 0.0, f64::INFINITY), None);
    }
}
