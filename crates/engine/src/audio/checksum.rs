//! The checksum of a FLAC's sound, computed beside the decoder: it takes half as long as decoding does.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Blocks that the checksum may be behind.
const BEHIND: usize = 4;
/// Samples of a block: so many that waking the other thread costs nothing beside them.
const BLOCK: usize = 1 << 14;
/// More bits do not fit into an f32.
const MOST_BITS: u32 = 24;

/// Takes in what is decoded and compares its MD5 with the one that the stream names (RFC 9639, section 8.2).
pub(super) struct Checksum {
    named: [u8; 16],
    /// Open until the last block has come.
    blocks: Option<SyncSender<Vec<f32>>>,
    /// What is to be sent next.
    block: Vec<f32>,
    /// Blocks that are done with, to be filled again.
    used: Receiver<Vec<f32>>,
    thread: Option<JoinHandle<[u8; 16]>>,
}

impl Checksum {
    /// For samples of so many bits; `None` where the stream names no checksum, or its samples cannot be had back from f32, or
    /// the system starts no thread.
    pub(super) fn new(named: [u8; 16], bits: u32) -> Option<Self> {
        if named == [0; 16] || bits > MOST_BITS {
            return None;
        }
        let (blocks, decoded) = sync_channel::<Vec<f32>>(BEHIND);
        let (done, used) = sync_channel(BEHIND);
        let run = move || {
            let (mut md5, mut bytes) = (md5::Context::new(), Vec::new());
            for block in decoded {
                pack(&block, bits, &mut bytes);
                md5.consume(&bytes);
                let _ = done.try_send(block);
            }
            md5.finalize().0
        };
        let thread = std::thread::Builder::new().name("continuo-checksum".into()).spawn(run).ok()?;
        Some(Self { named, blocks: Some(blocks), block: Vec::new(), used, thread: Some(thread) })
    }

    /// Takes the next frames in, interleaved.
    pub(super) fn push(&mut self, frames: &[f32]) {
        self.block.extend_from_slice(frames);
        if self.block.len() >= BLOCK {
            self.send();
        }
    }

    fn send(&mut self) {
        let mut next = self.used.try_recv().unwrap_or_default();
        next.clear();
        let block = std::mem::replace(&mut self.block, next);
        if let Some(blocks) = &self.blocks {
            // Whoever is gone has panicked, and then the checksum will not come out.
            let _ = blocks.send(block);
        }
    }

    /// Whether all that was taken in has the checksum that the stream names.
    pub(super) fn comes_out(mut self) -> bool {
        self.send();
        self.blocks = None;
        self.thread.take().and_then(|thread| thread.join().ok()) == Some(self.named)
    }
}

impl Drop for Checksum {
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Samples as the whole numbers that they were, little-endian, in as few bytes as `bits` need.
fn pack(frames: &[f32], bits: u32, bytes: &mut Vec<u8>) {
    let full_scale = (1_u32 << (bits - 1)) as f32;
    bytes.clear();
    match bits.div_ceil(8) {
        1 => bytes.extend(frames.iter().map(|&x| (x * full_scale) as i8 as u8)),
        2 => {
            bytes.resize(2 * frames.len(), 0);
            for (to, &x) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(frames) {
                *to = ((x * full_scale) as i16).to_le_bytes();
            }
        }
        _ => {
            bytes.resize(3 * frames.len(), 0);
            for (to, &x) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(frames) {
                let [low, middle, high, _] = ((x * full_scale) as i32).to_le_bytes();
                *to = [low, middle, high];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_the_bytes_that_they_were() {
        let packed = |frames: &[f32], bits| {
            let mut bytes = Vec::new();
            pack(frames, bits, &mut bytes);
            bytes
        };
        assert_eq!(packed(&[-1.0, 0.0, 127.0 / 128.0, -1.0 / 128.0], 8), [0x80, 0, 0x7f, 0xff]);
        assert_eq!(packed(&[-1.0, 32_767.0 / 32_768.0, -2.0 / 32_768.0], 16), [0, 0x80, 0xff, 0x7f, 0xfe, 0xff]);
        assert_eq!(packed(&[-1.0, 1.0 / 8_388_608.0], 24), [0, 0, 0x80, 1, 0, 0]);
        // Twelve bits lie in two bytes, with their sign.
        assert_eq!(packed(&[-1.0, 2_047.0 / 2_048.0], 12), [0x00, 0xf8, 0xff, 0x07]);
    }

    #[test]
    fn a_checksum_comes_out_or_does_not() {
        let frames: Vec<f32> = (0..200_000).map(|at| (at % 4_096 - 2_048) as f32 / 32_768.0).collect();
        let mut bytes = Vec::new();
        pack(&frames, 16, &mut bytes);
        let named = md5::compute(&bytes).0;
        for (named, right) in [(named, true), ([7; 16], false)] {
            let mut checksum = Checksum::new(named, 16).unwrap();
            frames.chunks(777).for_each(|part| checksum.push(part));
            assert_eq!(checksum.comes_out(), right);
        }
        assert!(Checksum::new([0; 16], 16).is_none() && Checksum::new(named, 32).is_none());
        drop(Checksum::new(named, 16));
    }
}
