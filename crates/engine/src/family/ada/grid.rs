//! The pieces of codes over which a modulator runs.

use std::ops::Range;

/// Codes of the first piece behind the seam, at most: the first frame is to be heard soon.
const SOON: i64 = 32;
/// Codes of a piece, at least and at most.
const FEWEST: usize = 16;
const MOST: usize = 512;
/// Values that a piece may hold (16 MB), where that leaves it the fewest codes.
const MOST_VALUES: usize = 1 << 22;

/// Cuts codes, counted from the seam, into pieces. Each piece is as long as a modulator looks ahead or so, since what it looks at to both
/// sides is computed again for every piece; behind the seam, where codes must be drawn first, pieces begin short and grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    length: i64,
    first: i64,
}

impl Grid {
    /// For a modulator that looks so many codes ahead and tells so many values about each.
    pub fn new(ahead: usize, values: usize) -> Self {
        let room = (MOST_VALUES / values.max(1)).max(FEWEST);
        // A power of two, at most as large as there is room for.
        let most = MOST.min(1 << room.ilog2());
        let length = ahead.next_power_of_two().clamp(FEWEST, most) as i64;
        Self { length, first: length.min(SOON) }
    }

    /// Codes of a piece, at most.
    pub fn length(self) -> usize {
        self.length as usize
    }

    /// The piece that a code is in.
    pub fn piece(self, code: i64) -> Range<i64> {
        let Self { length, first } = self;
        if (0..first).contains(&code) {
            return 0..first;
        }
        if (first..length).contains(&code) {
            // From each power of two to the next.
            let from = 1 << code.ilog2();
            return from..2 * from;
        }
        let from = code.div_euclid(length) * length;
        from..from + length
    }

    /// The first code that is told about only when codes behind the seam are known, where the modulator looks so many ahead.
    pub fn first_open(self, ahead: usize) -> i64 {
        (-(ahead as i64)).div_euclid(self.length) * self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_codes_and_grow_behind_the_seam() {
        for (ahead, values, length) in
            [(0, 10, 16), (3, 10, 16), (32, 10, 32), (510, 4096, 512), (510, 1 << 20, 16), (9000, 1, 512)]
        {
            let grid = Grid::new(ahead, values);
            assert_eq!(grid.length(), length);
            let mut code = -3 * length as i64;
            while code < 5 * length as i64 {
                let piece = grid.piece(code);
                assert_eq!(piece.start, code, "a piece begins where the one before ends");
                assert!(piece.clone().all(|code| grid.piece(code) == piece));
                assert!((1..=length).contains(&piece.clone().count()));
                code = piece.end;
            }
            assert!(grid.piece(0).end <= SOON);
            // The piece before the first open one needs no code behind the seam, and the first open one does.
            let open = grid.first_open(ahead);
            assert!(grid.piece(open - 1).end + ahead as i64 <= 0);
            assert!(ahead == 0 || grid.piece(open).end + ahead as i64 > 0);
        }
    }
}
