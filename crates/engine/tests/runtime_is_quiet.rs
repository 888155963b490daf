//! The library that ships with the plugin sends nothing to anybody.

#![allow(clippy::unwrap_used)]

mod common;

/// Where ONNX Runtime sends events to, in the versions that do.
const HOST: &str = "events.data.microsoft.com";

#[test]
fn the_library_knows_no_place_to_send_events_to() {
    let library = std::fs::read(common::runtime_path()).unwrap();
    // As a test of the search itself: what every version holds.
    assert!(holds(&library, b"OrtGetApiBase"));
    let wide: Vec<u8> = HOST.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!holds(&library, HOST.as_bytes()) && !holds(&library, &wide), "take a version without telemetry");
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
