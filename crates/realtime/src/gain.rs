//! Level changes without clicks.

/// A gain that moves to its target in a straight line, a fixed number of frames after each change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothedGain {
    current: f32,
    target: f32,
    step: f32,
    left: u32,
    frames: u32,
}

impl SmoothedGain {
    /// A gain that stands at `gain` and takes `frames` frames for each change.
    pub const fn new(gain: f32, frames: u32) -> Self {
        Self { current: gain, target: gain, step: 0.0, left: 0, frames }
    }

    /// Moves towards `gain` from here on. Naming the present target again changes nothing, so that it does not matter how
    /// often (how large a block apart) a host names it.
    pub fn set(&mut self, gain: f32) {
        if gain.to_bits() == self.target.to_bits() {
            return;
        }
        self.target = gain;
        self.left = self.frames;
        if self.left == 0 {
            self.current = gain;
        } else {
            self.step = (gain - self.current) / self.left as f32;
        }
    }

    /// Jumps to the target.
    pub fn settle(&mut self) {
        self.current = self.target;
        self.left = 0;
    }

    /// Whether it stands at its target.
    #[inline]
    pub(crate) fn rests(&self) -> bool {
        self.left == 0
    }

    /// The gain for the next frame.
    #[inline]
    pub fn advance(&mut self) -> f32 {
        if self.left > 0 {
            self.left -= 1;
            // Landing exactly on the target keeps unity gain bit-transparent.
            self.current = if self.left == 0 { self.target } else { self.current + self.step };
        }
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrives_exactly_and_never_overshoots() {
        let mut gain = SmoothedGain::new(1.0, 100);
        gain.set(0.3);
        let mut last = 1.0;
        for _ in 0..100 {
            gain.set(0.3);
            let now = gain.advance();
            assert!(now < last && now >= 0.3);
            last = now;
        }
        assert_eq!(last, 0.3);
        assert_eq!(gain.advance(), 0.3);
    }
}
