//! Steinberg's container for a preset, `.vstpreset`: a header that names the class, chunks, and a list of them. Numbers are
//! little-endian.
//!
//! ```text
//! "VST3"  version  class id in 32 hexadecimal digits  place of the list  | chunks … |  "List"  count  (id, place, bytes) …
//! ```
//!
//! The plugin's tests read this file too, so it needs nothing but the standard library.

/// The version of the container.
const VERSION: i32 = 1;
/// Bytes before the first chunk.
const HEADER: usize = 4 + 4 + 32 + 8;
/// The chunk that holds what `IComponent::setState` is given.
const COMPONENT: &[u8; 4] = b"Comp";

/// A preset of a class whose component's state is `state`.
pub fn write(class_id: &str, state: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + state.len() + 28);
    bytes.extend(b"VST3");
    bytes.extend(VERSION.to_le_bytes());
    let mut id = class_id.as_bytes().to_vec();
    id.resize(32, b'0');
    bytes.extend(id);
    bytes.extend(((HEADER + state.len()) as i64).to_le_bytes());
    bytes.extend(state);
    bytes.extend(b"List");
    bytes.extend(1_i32.to_le_bytes());
    bytes.extend(COMPONENT);
    bytes.extend((HEADER as i64).to_le_bytes());
    bytes.extend((state.len() as i64).to_le_bytes());
    bytes
}

/// The class of a preset, and its component's state; nothing of what is no preset.
pub fn read(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = |from: usize, count: usize| bytes.get(from..from.checked_add(count)?);
    let place = |from: usize| usize::try_from(i64::from_le_bytes(at(from, 8)?.try_into().ok()?)).ok();
    if at(0, 4)? != b"VST3" {
        return None;
    }
    let class = std::str::from_utf8(at(8, 32)?).ok()?;
    let list = place(40)?;
    if at(list, 4)? != b"List" {
        return None;
    }
    let count = i32::from_le_bytes(at(list + 4, 4)?.try_into().ok()?);
    for entry in 0..usize::try_from(count).ok()? {
        let entry = list + 8 + entry.checked_mul(20)?;
        if at(entry, 4)? == COMPONENT {
            return Some((class, at(place(entry + 4)?, place(entry + 12)?)?));
        }
    }
    None
}
