//! Which AAC a stream holds. Symphonia decodes the low-complexity profile; of HE-AAC it would give the lower half of the
//! spectrum in silence, so that is refused, also where nothing but the packets tells it.

/// Packets that are looked at.
const LOOKED_AT: usize = 24;

/// The name of the AAC that an `AudioSpecificConfig` describes, if it is not the one that is read.
pub(super) fn refusal(config: &[u8]) -> Option<String> {
    let mut bits = Bits { bytes: config, at: 0 };
    let object = bits.object_type()?;
    bits.rate_index()?;
    let channels = bits.take(4)?;
    let name = match object {
        2 => "",
        1 => "AAC Main",
        3 => "AAC SSR",
        4 => "AAC LTP",
        5 => "HE-AAC",
        29 => "HE-AAC v2",
        23 => "AAC-LD",
        39 => "AAC-ELD",
        42 => "xHE-AAC (USAC)",
        _ => "an MPEG-4 codec that is not AAC-LC",
    };
    if !name.is_empty() {
        return Some(name.into());
    }
    let short_frames = bits.take(1)? == 1;
    // What comes behind the frame length: a core coder's delay, if told, and one more flag.
    if bits.take(1)? == 1 {
        bits.take(14)?;
    }
    bits.take(1)?;
    if short_frames {
        return Some("AAC with frames of 960".into());
    }
    if channels > 2 {
        return Some(format!("AAC with {} channels", if channels == 7 { 8 } else { channels }));
    }
    // Behind the configuration, where old decoders do not look.
    let extended =
        channels > 0 && bits.take(11) == Some(0x2b7) && bits.object_type() == Some(5) && bits.take(1) == Some(1);
    extended.then(|| "HE-AAC".into())
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for at in self.at..self.at + count {
            value = value << 1 | bit(self.bytes, at)?;
        }
        self.at += count;
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            object => Some(object),
        }
    }

    fn rate_index(&mut self) -> Option<u32> {
        match self.take(4)? {
            15 => self.take(24),
            index => Some(index),
        }
    }
}

fn bit(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at / 8).map(|byte| u32::from(byte >> (7 - at % 8) & 1))
}

/// Whether a stream's packets carry what HE-AAC adds, by looking at several of them.
#[derive(Debug, Default)]
pub(super) struct Extension {
    looked_at: usize,
    found: usize,
}

impl Extension {
    /// Looks at a packet. `Some` once it is known.
    pub(super) fn look(&mut self, packet: &[u8]) -> Option<bool> {
        self.looked_at += 1;
        self.found += usize::from(ends_in_extension(packet));
        (self.looked_at >= LOOKED_AT).then(|| self.is_there())
    }

    /// What the packets so far tell. By chance, a few in a hundred packets look as if; of HE-AAC, every one does.
    pub(super) fn is_there(&self) -> bool {
        self.looked_at > 0 && self.found * 4 >= self.looked_at * 3
    }
}

/// Most elements behind the one that is looked for: encoders fill the packet up with one or two.
const MOST_BEHIND: usize = 3;

/// Whether one of the last elements of an AAC packet is a fill element with a spectral band replication in it.
///
/// To walk to that element from the front one would have to decode the packet. But it is known where it ends: it is
/// followed by nothing but padding, three ones, the end mark, and zeros up to a whole byte.
fn ends_in_extension(packet: &[u8]) -> bool {
    let Some(last) = (0..packet.len() * 8).rev().take(16).find(|&at| bit(packet, at) == Some(1)) else { return false };
    let Some(end) = last.checked_sub(2) else { return false };
    (end..=last).all(|at| bit(packet, at) == Some(1)) && extension_before(packet, end, MOST_BEHIND)
}

/// Whether an element with the extension ends at bit `end`, or one of padding before which it does.
fn extension_before(packet: &[u8], end: usize, behind: usize) -> bool {
    // A fill element of `count` bytes: 3 bits of name, 4 or 12 of length, and the content, which begins with its kind.
    (0..=269_usize.min(end / 8)).any(|count| {
        let head = if count < 15 { 7 } else { 15 };
        let Some(at) = end.checked_sub(8 * count + head) else { return false };
        let mut bits = Bits { bytes: packet, at };
        let named = bits.take(3) == Some(6);
        let length = match bits.take(4) {
            Some(15) => bits.take(8).map(|more| more as usize + 14),
            short => short.map(|length| length as usize),
        };
        if !named || length != Some(count) || bits.at != end - 8 * count {
            return false;
        }
        let kind = if count == 0 { Some(0) } else { bits.take(4) };
        match kind {
            Some(13 | 14) => true,
            Some(0 | 1) => behind > 0 && extension_before(packet, at, behind - 1),
            _ => false,
        }
    })
}
