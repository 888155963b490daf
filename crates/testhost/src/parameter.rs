//! Parameters as a host sees them.

use clack_host::utils::ClapId;

/// A parameter as the plugin declares it.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The number that events carry.
    pub id: ClapId,
    /// The name that a person sees.
    pub name: String,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The value of a new instance.
    pub default: f64,
    /// Whether it takes whole values only.
    pub stepped: bool,
    /// Whether a host may change it at all.
    pub writable: bool,
}

/// The number under which the plugin framework announces the parameter with a textual id: a rolling hash whose top bit
/// is left free, since VST3 hosts keep that half for themselves.
pub fn number_of(id: &str) -> u32 {
    id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) & !(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_hash_without_its_top_bit() {
        assert_eq!(number_of(""), 0);
        assert_eq!(number_of("ab"), 97 * 31 + 98);
        // 31-fold growth passes 32 bits at seven letters.
        assert_eq!(number_of("zzzzzzz"), 122_u32.wrapping_mul(917_087_137) & 0x7FFF_FFFF);
    }
}
