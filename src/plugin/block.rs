//! Where in a host's block a call of `process()` stands.
//!
//! So that a parameter acts on its own frame, the framework cuts a block where one changes, and calls `process()` for each
//! part. What it says of the transport in the later parts is made up from the block's beginning: bars as if the song had one
//! signature, and positions that are too far on once the host has moved the transport within the block. So the entries tell
//! here, on the audio thread, where a block begins, and the audio counts on from there.

use std::cell::Cell;

/// How many moves of the transport within one block are remembered; hosts that tell of any tell of one.
const MOVES: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Whether a block is being processed of which somebody has told.
    told: bool,
    /// Frames of it that were processed.
    done: u32,
    /// Frames at which the host has moved the transport.
    moves: [Option<u32>; MOVES],
}

const NONE: Block = Block { told: false, done: 0, moves: [None; MOVES] };

thread_local! {
    static BLOCK: Cell<Block> = const { Cell::new(NONE) };
}

/// A part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its beginning, or a block that nobody has told of.
    First,
    /// What follows a cut.
    Later {
        /// The block's frame at which the host moved the transport last, if it did.
        moved: Option<u32>,
    },
}

/// Processes a block of which the framework makes parts; the host moves the transport at the frames `moves`.
pub(super) fn within<T>(moves: impl Iterator<Item = u32>, process: impl FnOnce() -> T) -> T {
    let mut block = Block { told: true, ..NONE };
    for (place, at) in block.moves.iter_mut().zip(moves.filter(|at| *at > 0)) {
        *place = Some(at);
    }
    BLOCK.set(block);
    let result = process();
    BLOCK.set(NONE);
    result
}

/// Which part the next `frames` frames are.
pub(super) fn part(frames: usize) -> Part {
    let block = BLOCK.get();
    BLOCK.set(Block { done: block.done.saturating_add(frames as u32), ..block });
    if !block.told || block.done == 0 {
        return Part::First;
    }
    Part::Later { moved: block.moves.into_iter().flatten().filter(|at| *at <= block.done).max() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_moves_count_from_their_frame() {
        assert_eq!([part(64), part(64)], [Part::First; 2], "nobody has told of a block");
        for _ in 0..2 {
            within([0, 30].into_iter(), || {
                assert_eq!(part(20), Part::First);
                assert_eq!(part(10), Part::Later { moved: None });
                assert_eq!(part(5), Part::Later { moved: Some(30) });
                assert_eq!(part(5), Part::Later { moved: Some(30) });
            });
        }
        assert_eq!(part(64), Part::First);
    }
}
