//! A reading head: one position that moves through one take, with its fades.

use crate::course::nearest;
use crate::curve::quarter;
use crate::envelope::Contour;
use crate::gain::SmoothedGain;
use crate::kernel::half_width;
use crate::pitch::Pitch;
use crate::view::{Frame, TakeView};
use crate::window::{CHUNK, Window};

/// Which audio a head reads. The plugin turns it into a [`TakeView`] for each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Which of the plugin's take slots.
    pub slot: u8,
    /// Which variation of the take.
    pub variation: u8,
    /// Whether the seed clip comes first.
    pub with_seed: bool,
    /// Whether the continuation is brought to the seed clip's level.
    pub matched: bool,
}

/// Fade lengths in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fades {
    /// Against clicks: jumps, stops, stealing, missing frames, the take's end.
    pub(crate) declick: u32,
    /// After a note's end.
    pub(crate) release: u32,
}

impl Fades {
    /// None to speak of.
    pub(crate) const NONE: Self = Self { declick: 1, release: 1 };

    pub(crate) const fn at(rate_hz: u32) -> Self {
        // 5 ms and 60 ms.
        Self {
            declick: if rate_hz < 400 { 2 } else { rate_hz / 200 },
            release: if rate_hz < 100 { 6 } else { rate_hz / 50 * 3 },
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) source: Source,
    /// The take's frame that is read next.
    pub(crate) position: i64,
    /// How fast it reads.
    pub(crate) pitch: Pitch,
    level: f32,
    /// How its level goes while its key is down.
    contour: Contour,
    /// Left and right: where a note's own volume and place are.
    sides: [SmoothedGain; 2],
    /// Fade steps that are open, 0..=declick. It rises by one per frame and never exceeds the frames that are left to read,
    /// so it closes in time before the take's end and before frames that are not there yet.
    open: u32,
    /// Frames left of a fade-out, and its whole length.
    closing: Option<(u32, u32)>,
    /// Whether that fade keeps the power together with what fades in; else it is a straight line.
    evenly: bool,
    /// Frames done of a fade-in that keeps the power together with what fades out, and its whole length.
    opening: Option<(u32, u32)>,
    /// A frame of the take before which it fades out, and over how many frames of the take.
    pub(crate) end: Option<(i64, u32)>,
    /// Whether a frame of it was heard.
    heard: bool,
}

impl Head {
    /// A head at `position`. A `soft` one fades in, because the take is in the middle of a sound there.
    pub(crate) fn new(source: Source, position: i64, level: f32, soft: bool, fades: Fades) -> Self {
        Self {
            source,
            position,
            pitch: Pitch::PLAIN,
            level,
            contour: Contour::FULL,
            sides: [SmoothedGain::new(1.0, fades.declick); 2],
            open: if soft { 0 } else { fades.declick },
            closing: None,
            evenly: false,
            opening: None,
            end: None,
            heard: false,
        }
    }

    /// The same with a pitch and an envelope of its own.
    pub(crate) fn shaped(self, pitch: Pitch, contour: Contour) -> Self {
        Self { pitch, contour, ..self }
    }

    /// Changes the level of left and right; at once if nothing was heard of it yet.
    pub(crate) fn set_sides(&mut self, sides: [f32; 2]) {
        for (side, level) in self.sides.iter_mut().zip(sides) {
            side.set(level);
            if !self.heard {
                side.settle();
            }
        }
    }

    /// Fades out over `frames`, or goes on with a fade-out that ends sooner.
    pub(crate) fn close(&mut self, frames: u32) {
        let frames = frames.max(1);
        self.contour.freeze();
        self.closing = Some(match self.closing {
            // From the present level on, so that a shorter fade takes over without a step.
            Some((left, whole)) if left > frames => {
                self.level *= self.closing_gain(left, whole);
                self.evenly = false;
                (frames, frames)
            }
            Some(closing) => closing,
            None => (frames, frames),
        });
    }

    /// Fades out over `whole` frames, of which `done` are over, as another fades in by [`Head::open_evenly`].
    pub(crate) fn close_evenly(&mut self, done: u32, whole: u32) {
        self.closing = Some((whole.saturating_sub(done), whole.max(1)));
        self.evenly = true;
    }

    /// Fades in over `whole` frames, of which `done` are over.
    pub(crate) fn open_evenly(&mut self, done: u32, whole: u32) {
        self.opening = (done < whole).then_some((done, whole));
    }

    /// Whether it has come to its full level and stays there for now.
    pub(crate) fn is_open(&self) -> bool {
        self.opening.is_none() && self.closing.is_none()
    }

    /// Turns it up or down by a factor from the next frame on.
    pub(crate) fn turn(&mut self, factor: f32) {
        self.level *= factor;
    }

    /// Goes to the frame of the take that is nearest to a place.
    pub(crate) fn go_to(&mut self, place: f64) {
        self.position = nearest(place) as i64;
    }

    /// Where it stands, in frames of the take.
    pub(crate) fn place(&self) -> f64 {
        self.position as f64 + self.pitch.part()
    }

    /// Whether a frame of it was heard: what was not need not fade out.
    pub(crate) fn was_heard(&self) -> bool {
        self.heard
    }

    pub(crate) fn closing_frames(&self) -> Option<u32> {
        self.closing.map(|(left, _)| left)
    }

    /// The end of what the next `frames` frames of output read at most.
    pub(crate) fn needs(&self, frames: i64) -> i64 {
        if self.pitch.stays_plain() {
            return self.position + frames;
        }
        let reach = half_width(self.pitch.most()) as i64 + 1;
        self.position.saturating_add(self.pitch.ahead(frames)).saturating_add(reach)
    }

    /// Adds its frames to `left` and `right`; `false` when it has nothing more to say. Counts missing frames.
    pub(crate) fn mix(
        &mut self,
        view: &TakeView<'_>,
        left: &mut [f32],
        right: &mut [f32],
        fades: Fades,
        missing: &mut u64,
    ) -> bool {
        if !self.pitch.stays_plain() {
            return self.mix_between(view, left, right, fades, missing);
        }
        let ready = view.ready() as i64;
        for (left, right) in left.chunks_mut(CHUNK).zip(right.chunks_mut(CHUNK)) {
            let count = left.len();
            if self.position >= 0
                && let Some(gains) = self.run(count, ready, fades)
            {
                let mut frames = [[0.0; CHUNK]; 2];
                let [a, b] = &mut frames;
                view.copy(self.position, [&mut a[..count], &mut b[..count]]);
                add(left, right, &frames, &gains);
                self.heard = true;
                self.position += count as i64;
                continue;
            }
            for (l, r) in left.iter_mut().zip(right) {
                let readable = self.readable(ready - self.position, fades);
                let Some(gains) = self.gains(readable, fades) else { return false };
                match view.frame(self.position) {
                    Frame::Ready([a, b]) => {
                        self.heard = true;
                        *l += a * gains[0];
                        *r += b * gains[1];
                    }
                    Frame::Missing => *missing += 1,
                    Frame::Outside => return false,
                }
                self.position += 1;
            }
        }
        self.goes_on()
    }

    /// The same where frames of output lie between frames of the take. Each frame comes out the same however many are asked
    /// for at once.
    fn mix_between(
        &mut self,
        view: &TakeView<'_>,
        mut left: &mut [f32],
        mut right: &mut [f32],
        fades: Fades,
        missing: &mut u64,
    ) -> bool {
        let (frames, ready) = (view.frames() as i64, view.ready() as i64);
        while !left.is_empty() {
            let mut window = Window::new(view, self.position, &self.pitch, left.len());
            let count = window.count.min(left.len());
            let ([l, more_left], [r, more_right]) = (cut(left, count), cut(right, count));
            (left, right) = (more_left, more_right);
            // A frame is there once all are that the kernel takes in; after a whole take comes silence.
            let end = |reach: usize| if ready == frames { frames } else { ready - reach as i64 };
            for (left, right) in l.chunks_mut(CHUNK).zip(r.chunks_mut(CHUNK)) {
                let count = left.len();
                let reach = window.reach(&self.pitch);
                let read = window.read(self.position, &self.pitch, count);
                if let Some(gains) = self.run(count, end(reach), fades) {
                    add(left, right, read, &gains);
                    self.heard = true;
                    self.position += self.pitch.run(count);
                    continue;
                }
                let [a, b] = *read;
                for ((l, r), (a, b)) in left.iter_mut().zip(right).zip(a.iter().zip(&b)) {
                    let end = end(window.reach(&self.pitch));
                    let readable = self.readable(end - self.position, fades);
                    let Some(gains) = self.gains(readable, fades) else { return false };
                    if self.position >= frames {
                        return false;
                    }
                    if self.position < end {
                        self.heard = true;
                        *l += a * gains[0];
                        *r += b * gains[1];
                    } else {
                        *missing += 1;
                    }
                    self.position += self.pitch.advance();
                }
            }
        }
        self.goes_on()
    }

    /// Left's and right's factors for the next `count` frames of output, [`CHUNK`] at most, where the take can be read up to `end`:
    /// the same to the bit as by [`Head::gains`] frame by frame, in a fraction of the time. `None`, and nothing has changed, where
    /// something has to be asked of each frame: at the take's edges, where it fades in, at the end of a fade, while the pitch moves.
    fn run(&mut self, count: usize, end: i64, fades: Fades) -> Option<[[f32; CHUNK]; 2]> {
        let count = count.min(CHUNK);
        let mut pitch = self.pitch;
        if !pitch.rests() || count == 0 {
            return None;
        }
        let last = self.position + pitch.run(count - 1);
        let alike = self.opening.is_none()
            && self.open >= fades.declick
            && self.closing.is_none_or(|(left, _)| left as usize >= count)
            && self.end.is_none_or(|(end, frames)| end - last >= i64::from(frames))
            && pitch.frames_to(end - last, fades.declick) >= fades.declick;
        if !alike {
            return None;
        }
        let mut gains = [0.0; CHUNK];
        if self.contour.rests() {
            gains = [self.level * self.contour.level(); CHUNK];
        } else {
            for gain in &mut gains[..count] {
                *gain = self.level * self.contour.advance();
            }
        }
        if let Some((left, whole)) = self.closing {
            for (gain, left) in gains[..count].iter_mut().zip((0..=left).rev()) {
                *gain *= self.closing_gain(left, whole);
            }
            self.closing = Some((left - count as u32, whole));
        }
        let mut both = [gains; 2];
        for (gains, side) in both.iter_mut().zip(&mut self.sides) {
            if side.rests() {
                let level = side.advance();
                for gain in gains {
                    *gain *= level;
                }
            } else {
                for gain in &mut gains[..count] {
                    *gain *= side.advance();
                }
            }
        }
        Some(both)
    }

    /// How many frames of output are left to read where `ahead` frames of the take are, as far as a fade in time needs to know.
    fn readable(&self, ahead: i64, fades: Fades) -> u32 {
        match self.closing {
            // It is silent by then.
            Some((left, _)) if self.evenly && self.pitch.frames_to(ahead, left) >= left => fades.declick,
            _ => self.pitch.frames_to(ahead, fades.declick),
        }
    }

    fn closing_gain(&self, left: u32, whole: u32) -> f32 {
        if self.evenly {
            quarter((2 * u64::from(left)).saturating_sub(1), 2 * u64::from(whole))
        } else {
            left as f32 / whole as f32
        }
    }

    /// Left's and right's factors for the next frame, of which `readable` are left to read; `None` once it has faded out.
    #[inline]
    fn gains(&mut self, readable: u32, fades: Fades) -> Option<[f32; 2]> {
        self.open = (self.open + 1).min(readable);
        let mut gain = self.level * self.contour.advance();
        if self.open < fades.declick {
            gain *= self.open as f32 / fades.declick as f32;
        }
        if let Some((end, frames)) = self.end {
            let left = (end - self.position).max(0);
            if left < i64::from(frames) {
                gain *= quarter(left.unsigned_abs(), u64::from(frames));
            }
        }
        if let Some((done, whole)) = self.opening {
            gain *= quarter(2 * u64::from(done) + 1, 2 * u64::from(whole));
            self.opening = (done + 1 < whole).then_some((done + 1, whole));
        }
        if let Some((remaining, whole)) = self.closing {
            if remaining == 0 {
                return None;
            }
            gain *= self.closing_gain(remaining, whole);
            self.closing = Some((remaining - 1, whole));
        }
        Some([0, 1].map(|side| gain * self.sides[side].advance()))
    }

    fn goes_on(&self) -> bool {
        self.closing.is_none_or(|(remaining, _)| remaining > 0) && !self.contour.is_spent()
    }
}

/// Adds what was read, by its gains.
fn add(left: &mut [f32], right: &mut [f32], read: &[[f32; CHUNK]; 2], gains: &[[f32; CHUNK]; 2]) {
    for (out, (frames, gains)) in [left, right].into_iter().zip(read.iter().zip(gains)) {
        for (out, (frame, gain)) in out.iter_mut().zip(frames.iter().zip(gains)) {
            *out += frame * gain;
        }
    }
}

fn cut(frames: &mut [f32], at: usize) -> [&mut [f32]; 2] {
    let (these, others) = frames.split_at_mut(at);
    [these, others]
}

#[cfg(test)]
mod tests;
