//! One level for many keys.
//!
//! Up to full scale nothing is changed. What several keys together would have beyond it is turned down in that very frame, and
//! comes back in a straight line. Nothing looks ahead, so nothing comes late. A key alone is never touched, also where the
//! take itself goes beyond full scale: the ceiling is then what the loudest key reaches by itself.

/// Seconds in which the gain would come back from silence.
const RECOVERY_SECONDS: f32 = 0.5;

/// Full scale.
const CEILING: f32 = 1.0;

/// The gain of all keys together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limiter {
    gain: f32,
    recovery: f32,
}

impl Limiter {
    pub(crate) const fn new(rate_hz: u32) -> Self {
        Self { gain: 1.0, recovery: 1.0 / (RECOVERY_SECONDS * if rate_hz > 2 { rate_hz as f32 } else { 2.0 }) }
    }

    /// Comes back at once, which nobody hears where nothing sounds.
    pub(crate) fn settle(&mut self) {
        self.gain = 1.0;
    }

    /// Whether it turns nothing down.
    pub(crate) fn rests(self) -> bool {
        self.gain >= 1.0
    }

    /// The factor for a frame whose louder side is `peak`, when the loudest of the keys is `loudest` by itself.
    #[inline]
    pub(crate) fn advance(&mut self, peak: f32, loudest: f32) -> f32 {
        self.gain = (self.gain + self.recovery).min(1.0);
        let ceiling = loudest.max(CEILING);
        if peak * self.gain > ceiling {
            self.gain = ceiling / peak;
        }
        self.gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_the_ceiling_and_what_is_below_passes_untouched() {
        let mut limiter = Limiter::new(1_000);
        for frame in 0..500 {
            assert_eq!(limiter.advance(frame as f32 / 499.0, 0.1), 1.0);
            // A key alone, however loud.
            assert_eq!(limiter.advance(3.0, 3.0), 1.0);
        }
        for frame in 0..500_u16 {
            let peak = 1.0 + f32::from(frame % 7);
            assert!(peak * limiter.advance(peak, 0.5) <= 1.0 + 1e-6);
        }
        let back: std::vec::Vec<f32> = (0..500).map(|_| limiter.advance(0.1, 0.1)).collect();
        assert!(back.is_sorted() && back[499] == 1.0 && back.windows(2).all(|pair| pair[1] - pair[0] < 0.0021));
    }
}
