//! One knob for how daring a model is: from its own temperature and top-k down to the tame and up to as far as stays music.
//!
//! In the middle the two numbers are what they are: what suits the model, written into its package, or what the user has set.

/// Above this, models make noise: the factory's piano reaches full scale all the time from 1.2 on, with a spectrum that is
/// ever flatter (0.04 at 1.2, 0.16 at 1.5, where a recording has below 0.001).
pub const MOST_TEMPERATURE: f32 = 1.2;

/// Part of the temperature that is left at the tame end.
const TAMEST: f32 = 0.5;
/// What it is multiplied with at the wild end.
const WILDEST: f32 = 1.15;
/// Part of the top-k that is left at the tame end.
const FEWEST: f32 = 0.25;

/// Temperature and top-k at a wildness from 0 to 1; 0.5 leaves both as they are. A top-k that is off stays off.
pub fn settings(wildness: f32, temperature: f32, top_k: u32) -> (f32, u32) {
    let wildness = wildness.clamp(0.0, 1.0);
    let between = |least: f32, most: f32| {
        if wildness < 0.5 {
            least + (1.0 - least) * 2.0 * wildness
        } else {
            1.0 + (most - 1.0) * (2.0 * wildness - 1.0)
        }
    };
    // What the user has set beyond is the user's.
    let most = MOST_TEMPERATURE.max(temperature);
    let scaled = (temperature * between(TAMEST, WILDEST)).min(most);
    let kept = if top_k == 0 { 0 } else { ((top_k as f32 * between(FEWEST, 2.0)).round() as u32).max(1) };
    (scaled, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_changes_nothing_and_the_ends_stay_safe() {
        for temperature in [0.0, 0.3, 0.9, 1.0, 1.2] {
            for top_k in [0, 1, 40, 64, 256] {
                assert_eq!(settings(0.5, temperature, top_k), (temperature, top_k));
            }
        }
        assert_eq!(settings(0.0, 1.0, 64), (0.5, 16));
        assert_eq!(settings(1.0, 1.0, 64), (1.15, 128));
        assert_eq!(settings(1.0, 1.1, 0), (MOST_TEMPERATURE, 0));
        assert_eq!(settings(0.0, 1.0, 1), (0.5, 1));
        assert_eq!(settings(7.0, 0.0, 3), (0.0, 6));
    }

    #[test]
    fn wilder_is_never_tamer() {
        let all: Vec<(f32, u32)> = (0..=100).map(|percent| settings(percent as f32 / 100.0, 1.0, 64)).collect();
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
    }
}
