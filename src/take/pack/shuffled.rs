//! The form of any values: all first bytes, then all second bytes, … of their little-endian form.
//!
//! It was the only one, so a saved sound that names no form has it.

use super::error::{PackError, room};

/// The bytes of all values, channels one after the other.
pub(super) fn write(channels: &[Vec<f32>]) -> Vec<u8> {
    let values: usize = channels.iter().map(Vec::len).sum();
    let mut bytes = vec![0; values * 4];
    for (index, value) in channels.iter().flatten().enumerate() {
        for (plane, byte) in value.to_le_bytes().into_iter().enumerate() {
            bytes[plane * values + index] = byte;
        }
    }
    bytes
}

/// The `values` values.
pub(super) fn read(bytes: &[u8], values: usize) -> Result<Vec<f32>, PackError> {
    if bytes.len() != 4 * values {
        let announced = 4 * values;
        return Err(PackError::Unpack(format!("{announced} bytes were announced, but there are {}", bytes.len())));
    }
    let mut read = room(values)?;
    let value = |index| f32::from_le_bytes(std::array::from_fn(|plane| bytes[plane * values + index]));
    read.extend((0..values).map(value));
    Ok(read)
}
