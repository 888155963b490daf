//! What is believed of a file.

use std::ops::RangeInclusive;

/// Sample rates that are believed.
pub const RATES_HZ: RangeInclusive<u32> = 1_000..=768_000;
/// Most channels that are believed.
pub const MAX_CHANNELS: usize = 32;
/// Largest sample that is believed, 60 dB above full scale: floats may pass 1.0 somewhat, but not like this.
pub const MAX_LEVEL: f32 = 1_000.0;
