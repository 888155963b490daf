//! Recording the sidechain into a ring that another thread reads.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Writes stereo frames into a ring; the newest audio wins.
#[derive(Debug, Clone, Copy)]
pub struct CaptureWriter<'a> {
    left: &'a [AtomicU32],
    right: &'a [AtomicU32],
    written: &'a AtomicUsize,
}

impl<'a> CaptureWriter<'a> {
    /// A writer into two channels of the same length; `written` counts frames since the capture began.
    pub fn new(left: &'a [AtomicU32], right: &'a [AtomicU32], written: &'a AtomicUsize) -> Self {
        Self { left, right, written }
    }

    /// Forgets what was captured.
    pub fn begin(&self) {
        self.written.store(0, Ordering::Release);
    }

    /// Appends frames; the shorter channel decides how many.
    pub fn write(&self, left: &[f32], right: &[f32]) {
        let capacity = self.left.len().min(self.right.len());
        if capacity == 0 {
            return;
        }
        let mut written = self.written.load(Ordering::Relaxed);
        for (l, r) in left.iter().zip(right) {
            let index = written % capacity;
            self.left[index].store(l.to_bits(), Ordering::Relaxed);
            self.right[index].store(r.to_bits(), Ordering::Relaxed);
            written += 1;
        }
        self.written.store(written, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_newest_frames_win() {
        let ring: Vec<AtomicU32> = (0..8).map(|_| AtomicU32::new(0)).collect();
        let other: Vec<AtomicU32> = (0..8).map(|_| AtomicU32::new(0)).collect();
        let written = AtomicUsize::new(99);
        let writer = CaptureWriter::new(&ring, &other, &written);
        writer.begin();
        let frames: Vec<f32> = (0..11_u8).map(f32::from).collect();
        for piece in frames.chunks(3) {
            writer.write(piece, piece);
        }
        assert_eq!(written.load(Ordering::Acquire), 11);
        for (index, frame) in (3..11_u8).map(|frame| (usize::from(frame) % 8, f32::from(frame))) {
            assert_eq!(f32::from_bits(ring[index].load(Ordering::Relaxed)), frame);
        }
    }
}
