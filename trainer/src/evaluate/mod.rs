//! What a sound is like, in numbers.

pub mod sound;
pub mod spectrum;

pub use sound::{Listening, listen};
