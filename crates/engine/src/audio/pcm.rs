//! Samples that stand for themselves: integers, floats, A-law and µ-law.

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Integers of 1 to 8 bytes, their valid bits in the top: full scale is the container's.
    Int {
        /// Bytes per sample.
        bytes: usize,
        /// Silence is the middle of the range and not zero.
        unsigned: bool,
        /// The byte order.
        big_endian: bool,
    },
    /// Floats of 4 or 8 bytes.
    Float {
        /// Bytes per sample.
        bytes: usize,
        /// The byte order.
        big_endian: bool,
    },
    /// ITU-T G.711 A-law.
    ALaw,
    /// ITU-T G.711 µ-law.
    MuLaw,
}

impl Encoding {
    /// Bytes per sample.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Int { bytes, .. } | Self::Float { bytes, .. } => bytes,
            Self::ALaw | Self::MuLaw => 1,
        }
    }

    /// Appends every whole sample of `bytes` at full scale 1.0.
    pub(super) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let samples = bytes.chunks_exact(self.bytes());
        match self {
            Self::Int { bytes, unsigned, big_endian } => {
                let bits = 8 * bytes as u32;
                let middle = if unsigned { i64::MIN } else { 0 };
                let scale = (-f64::from(bits - 1)).exp2();
                out.extend(samples.map(|sample| {
                    // Shifted to the top of 64 bits, where every container has its sign in one place.
                    let top = (unsigned_value(sample, big_endian) << (64 - bits)) as i64;
                    (((top ^ middle) >> (64 - bits)) as f64 * scale) as f32
                }));
            }
            Self::Float { bytes: 4, big_endian } => {
                out.extend(samples.map(|sample| f32::from_bits(unsigned_value(sample, big_endian) as u32)));
            }
            Self::Float { big_endian, .. } => {
                out.extend(samples.map(|sample| f64::from_bits(unsigned_value(sample, big_endian)) as f32));
            }
            Self::ALaw => out.extend(bytes.iter().map(|&code| f32::from(a_law(code)) / 32_768.0)),
            Self::MuLaw => out.extend(bytes.iter().map(|&code| f32::from(mu_law(code)) / 32_768.0)),
        }
    }
}

fn unsigned_value(sample: &[u8], big_endian: bool) -> u64 {
    let join = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
    if big_endian { sample.iter().fold(0, join) } else { sample.iter().rev().fold(0, join) }
}

/// A-law to 16 bits: a sign, a segment of 3 bits and a step of 4, every other bit inverted.
fn a_law(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
    let size = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -size } else { size }
}

/// µ-law to 16 bits: a sign, a segment of 3 bits and a step of 4, all inverted, with a bias of 132.
fn mu_law(code: u8) -> i16 {
    let code = !code;
    let size = (((i16::from(code & 15) << 3) + 0x84) << (code >> 4 & 7)) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        encoding.decode(bytes, &mut out);
        out
    }

    #[test]
    fn integers_have_their_valid_bits_in_the_top() {
        let int = |bytes, unsigned, big_endian| Encoding::Int { bytes, unsigned, big_endian };
        assert_eq!(decoded(int(1, true, false), &[0, 128, 192, 255]), [-1.0, 0.0, 0.5, 127.0 / 128.0]);
        assert_eq!(decoded(int(1, false, true), &[0x80, 0, 0x40]), [-1.0, 0.0, 0.5]);
        assert_eq!(decoded(int(2, false, false), &[0, 0x80, 1, 0, 9]), [-1.0, 1.0 / 32_768.0]);
        assert_eq!(decoded(int(3, false, false), &[0, 0, 0x40, 0xff, 0xff, 0xff]), [0.5, -1.0 / 8_388_608.0]);
        assert_eq!(decoded(int(4, false, true), &[0xc0, 0, 0, 0]), [-0.5]);
    }

    #[test]
    fn companded_codes_are_those_of_the_standard() {
        // The ends of both scales and their smallest steps, from G.711's tables (13 and 14 bits, moved to the top of 16).
        assert_eq!([a_law(0xd5), a_law(0x55), a_law(0xaa), a_law(0x2a)], [8, -8, 32_256, -32_256]);
        assert_eq!([mu_law(0xff), mu_law(0x7f), mu_law(0x80), mu_law(0x00)], [0, 0, 32_124, -32_124]);
    }
}
