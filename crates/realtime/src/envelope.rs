//! The course of a note's level while its key is down: attack, decay, sustain. (Its release is a fade of the head's.)

/// How a note's level goes, in frames of straight lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Envelope {
    /// Frames from silence to full level; 0 begins at full level.
    pub(crate) attack: u32,
    /// Frames from full level to `sustain`.
    pub(crate) decay: u32,
    /// Level until the key is released, 0..=1.
    pub(crate) sustain: f32,
}

/// Where a note stands in its envelope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contour {
    value: f32,
    target: f32,
    step: f32,
    left: u32,
    /// Level and frames of the line after this one.
    next: Option<(f32, u32)>,
}

impl Contour {
    pub(crate) const FULL: Self = Self { value: 1.0, target: 1.0, step: 0.0, left: 0, next: None };

    pub(crate) fn new(envelope: Envelope) -> Self {
        let sustain = if envelope.sustain.is_nan() { 1.0 } else { envelope.sustain.clamp(0.0, 1.0) };
        let mut contour = Self { next: Some((sustain, envelope.decay)), ..Self::FULL };
        if envelope.attack > 0 {
            contour.value = 0.0;
            contour.go(1.0, envelope.attack);
        }
        contour
    }

    /// The level for the next frame.
    #[inline]
    pub(crate) fn advance(&mut self) -> f32 {
        if self.left == 0
            && let Some((level, frames)) = self.next.take()
        {
            self.go(level, frames);
        }
        if self.left > 0 {
            self.left -= 1;
            self.value = if self.left == 0 { self.target } else { self.value + self.step };
        }
        self.value
    }

    /// Whether its level stays as it is from here on.
    #[inline]
    pub(crate) fn rests(&self) -> bool {
        self.left == 0 && self.next.is_none()
    }

    /// The level that it has come to.
    #[inline]
    pub(crate) fn level(&self) -> f32 {
        self.value
    }

    /// Stays where it is: what ends a note takes over from here.
    pub(crate) fn freeze(&mut self) {
        self.left = 0;
        self.next = None;
    }

    /// Whether it has come to silence for good.
    pub(crate) fn is_spent(&self) -> bool {
        self.value == 0.0 && self.rests()
    }

    fn go(&mut self, level: f32, frames: u32) {
        // A step would click; with nothing to change there is none.
        let frames = if level.to_bits() == self.value.to_bits() { 0 } else { frames.max(1) };
        (self.target, self.left) = (level, frames);
        if frames > 0 {
            self.step = (level - self.value) / frames as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_falls_and_stays() {
        let mut contour = Contour::new(Envelope { attack: 10, decay: 20, sustain: 0.25 });
        let levels: std::vec::Vec<f32> = (0..50).map(|_| contour.advance()).collect();
        assert!(levels[..10].is_sorted_by(|a, b| a < b) && levels[9] == 1.0);
        assert!(levels[9..30].is_sorted_by(|a, b| a > b) && levels[29..].iter().all(|level| *level == 0.25));
        assert!(levels.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.11));
        assert!(!contour.is_spent());
    }

    #[test]
    fn the_full_one_is_full_and_one_without_sustain_ends() {
        let mut full = Contour::new(Envelope { attack: 0, decay: 240, sustain: 1.0 });
        assert!((0..100).all(|_| full.advance().to_bits() == 1.0_f32.to_bits()));
        let mut short = Contour::new(Envelope { attack: 5, decay: 5, sustain: 0.0 });
        let spent: std::vec::Vec<bool> = (0..12).map(|_| (short.advance(), short.is_spent()).1).collect();
        assert_eq!(spent.iter().position(|spent| *spent), Some(9));
        let mut held = Contour::new(Envelope { attack: 10, decay: 5, sustain: 0.0 });
        let level = (0..4).map(|_| held.advance()).last().unwrap();
        held.freeze();
        assert!((0..9).all(|_| held.advance() == level));
    }
}
