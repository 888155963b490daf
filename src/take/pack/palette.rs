//! The form of few values: each one once, then which of them comes when.
//!
//! What a model draws has at most 256 values, the codes of its signal. A byte says how many there are, less one; then they
//! stand as the bits that they have, from the lowest to the highest; then a byte per value says how far its place is from
//! the place of the one before, modulo 256. Neighbours in audio are near each other, so the distances are small: of three recordings at 16 kHz in µ-law of 256
//! levels, zstd makes 5.9 bits per value of the distances and 7.3 of the places.

use super::error::{PackError, room};

/// Most values that differ.
const MOST: usize = 256;

/// Most bytes that `values` values come to.
pub(super) fn most_bytes(values: usize) -> usize {
    1 + 4 * MOST + values
}

/// Slots of the table that finds a value's place; four times as many as there are values at most.
const SLOTS: usize = 4 * MOST;

/// Places of values by their bits.
struct Places {
    /// Bits and place, or none.
    slots: [Option<(u32, u8)>; SLOTS],
    /// The bits of all that are in it.
    known: Vec<u32>,
}

impl Places {
    fn slot(&self, bits: u32) -> usize {
        // The high bits of a product depend on all bits of its factors.
        let mut slot = (bits.wrapping_mul(0x9e37_79b1) >> 22) as usize;
        while self.slots[slot].is_some_and(|(taken, _)| taken != bits) {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    /// The values of `channels`, unless there are too many.
    fn of(channels: &[Vec<f32>]) -> Option<Self> {
        let mut places = Self { slots: [None; SLOTS], known: Vec::new() };
        for bits in channels.iter().flatten().map(|value| value.to_bits()) {
            let slot = places.slot(bits);
            if places.slots[slot].is_none() {
                if places.known.len() == MOST {
                    return None;
                }
                places.known.push(bits);
                places.slots[slot] = Some((bits, 0));
            }
        }
        places.known.sort_by(|a, b| f32::from_bits(*a).total_cmp(&f32::from_bits(*b)));
        for place in 0..places.known.len() {
            let bits = places.known[place];
            let slot = places.slot(bits);
            places.slots[slot] = Some((bits, place as u8));
        }
        Some(places)
    }

    fn place(&self, bits: u32) -> u8 {
        self.slots[self.slot(bits)].map_or(0, |(_, place)| place)
    }
}

/// The palette and the distances, channels one after the other; `None` if there are too many values that differ, or so few
/// values that the palette would not pay. What comes is shorter than the values themselves.
pub(super) fn write(channels: &[Vec<f32>]) -> Option<Vec<u8>> {
    let places = Places::of(channels)?;
    let values: usize = channels.iter().map(Vec::len).sum();
    let length = 1 + 4 * places.known.len() + values;
    let last = places.known.len().checked_sub(1).filter(|_| length < 4 * values)?;
    let mut bytes = Vec::with_capacity(length);
    bytes.push(last as u8);
    bytes.extend(places.known.iter().flat_map(|bits| bits.to_le_bytes()));
    let mut before = 0;
    for value in channels.iter().flatten() {
        let place = places.place(value.to_bits());
        bytes.push(place.wrapping_sub(before));
        before = place;
    }
    Some(bytes)
}

/// The `values` values.
pub(super) fn read(bytes: &[u8], values: usize) -> Result<Vec<f32>, PackError> {
    let damaged = |what: &str| PackError::Unpack(what.to_owned());
    let (last, rest) = bytes.split_first().ok_or_else(|| damaged("it is empty"))?;
    let (palette, distances) =
        rest.split_at_checked(4 * (usize::from(*last) + 1)).ok_or_else(|| damaged("its palette breaks off"))?;
    if distances.len() != values {
        return Err(PackError::Unpack(format!("{values} values were announced, but there are {}", distances.len())));
    }
    let palette: Vec<f32> =
        palette.chunks_exact(4).map(|bits| f32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]])).collect();
    let mut read = room(values)?;
    let mut place = 0_u8;
    for distance in distances {
        place = place.wrapping_add(*distance);
        read.push(*palette.get(usize::from(place)).ok_or_else(|| damaged("it has a value outside of its palette"))?);
    }
    Ok(read)
}
