//! The form of recordings: whole numbers of 16 or 24 bits, as files have them.
//!
//! Each number's distance to the one before, modulo 2^16 or 2^24, in bytes: all low ones, then all higher ones. For three
//! recordings of 16 bits at 48 kHz zstd makes 9.7 to 10.0 bits per value of it, and 12.9 to 13.7 of the shuffled form.

use super::error::{PackError, room};

/// The number of `width` bytes that is `value`, if that is exact to the last bit. (−0 is not: a whole number has no sign then.)
fn whole(value: f32, width: usize) -> Option<i32> {
    let scale = scale(width);
    let number = (f64::from(value) * scale).round();
    let fits = number >= -scale && number < scale;
    (fits && from_whole(number as i32, width).to_bits() == value.to_bits()).then_some(number as i32)
}

fn from_whole(number: i32, width: usize) -> f32 {
    (f64::from(number) / scale(width)) as f32
}

/// Full scale of a number of `width` bytes.
fn scale(width: usize) -> f64 {
    f64::from(1_i32 << (8 * width - 1))
}

/// The distances, channels one after the other; `None` if the values are no whole numbers of 16 or 24 bits, or there is none.
pub(super) fn write(channels: &[Vec<f32>]) -> Option<Vec<u8>> {
    let values = || channels.iter().flatten().copied();
    let count = values().count();
    let width = [2, 3].into_iter().find(|width| values().all(|value| whole(value, *width).is_some()))?;
    if count == 0 {
        return None;
    }
    let mut bytes = vec![0; width * count];
    let mut before = 0;
    for (index, number) in values().filter_map(|value| whole(value, width)).enumerate() {
        let distance = number.wrapping_sub(before).to_le_bytes();
        for (plane, byte) in distance.into_iter().take(width).enumerate() {
            bytes[plane * count + index] = byte;
        }
        before = number;
    }
    Some(bytes)
}

/// The `values` values.
pub(super) fn read(bytes: &[u8], values: usize) -> Result<Vec<f32>, PackError> {
    let width = [2, 3].into_iter().find(|width| Some(bytes.len()) == values.checked_mul(*width));
    let width = width.ok_or_else(|| PackError::Unpack("its numbers have no possible length".to_owned()))?;
    let unused = 8 * (4 - width) as u32;
    let mut read = room(values)?;
    let mut number = 0_i32;
    read.extend((0..values).map(|index| {
        let mut distance = [0; 4];
        for (plane, byte) in distance.iter_mut().take(width).enumerate() {
            *byte = bytes[plane * values + index];
        }
        // Only the lowest bytes count; shifting up and down again brings the sign with them.
        number = (number.wrapping_add(i32::from_le_bytes(distance)) << unused) >> unused;
        from_whole(number, width)
    }));
    Ok(read)
}
