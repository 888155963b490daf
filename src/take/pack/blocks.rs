//! Blocks of a zstd frame that stand on their own, so that they can be made once and put into any frame.
//!
//! A state is one zstd frame, of which readers take no second. Its blocks lean on those before: on their distances, tables
//! and bytes. These here lean on nothing and leave nothing behind that others would lean on: bytes as they are, and base64
//! in Huffman codes of six bits a character, which is what base64 is made of. So they are as short as what was encoded.
//! (RFC 8878, 3.1.1.)

/// What a frame of such blocks begins with: zstd's mark, no checksum, no length, a window of one block.
pub const FRAME: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];

/// Most bytes that a block unpacks to.
const BLOCK: usize = 128 << 10;

/// A shorter block of base64 is not worth its table.
const SHORT: usize = 1 << 10;

/// The characters of base64 in the order of their codes, which is ASCII's.
const ALPHABET: &[u8; 64] = b"+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Not a character of base64.
const NONE: u8 = 64;

/// The code of each byte.
const CODES: [u8; 256] = {
    let mut codes = [NONE; 256];
    let mut code = 0;
    while code < 64 {
        codes[ALPHABET[code] as usize] = code as u8;
        code += 1;
    }
    codes
};

/// The Huffman table of [`ALPHABET`]: weight 1 for each of its characters and 0 for all others, two to a byte. The weight of
/// the last character, `z`, is not written: it is what is left, which is 1.
const TABLE: [u8; 62] = {
    let mut table = [0; 62];
    // So many weights are there, one for each byte below `z`.
    table[0] = 127 + b'z';
    let mut code = 0;
    while code < 63 {
        let byte = ALPHABET[code] as usize;
        table[1 + byte / 2] |= if byte.is_multiple_of(2) { 0x10 } else { 0x01 };
        code += 1;
    }
    table
};

/// What a block is.
#[derive(Clone, Copy)]
enum Kind {
    Raw = 0,
    Compressed = 2,
}

/// Blocks that unpack to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    bytes: Vec<u8>,
    text_bytes: usize,
}

impl Blocks {
    /// Blocks of base64; `None` if there is anything else in the text, such as quotation marks that JSON writes otherwise.
    pub fn of_base64(text: &str) -> Option<Self> {
        let whole = text.trim_end_matches('=').as_bytes();
        let padding = &text.as_bytes()[whole.len()..];
        if padding.len() > 2 || whole.iter().any(|byte| CODES[usize::from(*byte)] == NONE) {
            return None;
        }
        let mut bytes = Vec::with_capacity(whole.len() / 4 * 3 + whole.len() / BLOCK * 128 + 2 * SHORT);
        let mut chunks = whole.chunks(BLOCK).peekable();
        while let Some(chunk) = chunks.next_if(|chunk| chunk.len() >= SHORT) {
            write_base64(chunk, &mut bytes);
        }
        let rest = [chunks.next().unwrap_or_default(), padding].concat();
        write_raw(&rest, false, &mut bytes);
        Some(Self { bytes, text_bytes: text.len() })
    }

    /// Blocks of any bytes as they are. With `last`, they end their frame.
    pub fn raw(text: &[u8], last: bool) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 3 * (text.len() / BLOCK + 1));
        write_raw(text, last, &mut bytes);
        Self { bytes, text_bytes: text.len() }
    }

    /// The blocks.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes that they unpack to.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }
}

fn write_header(kind: Kind, size: usize, last: bool, target: &mut Vec<u8>) {
    let header = ((size as u32) << 3) | ((kind as u32) << 1) | u32::from(last);
    target.extend(&header.to_le_bytes()[..3]);
}

fn write_raw(text: &[u8], last: bool, target: &mut Vec<u8>) {
    let mut chunks = text.chunks(BLOCK).peekable();
    if last && chunks.peek().is_none() {
        write_header(Kind::Raw, 0, true, target);
    }
    while let Some(chunk) = chunks.next() {
        write_header(Kind::Raw, chunk.len(), last && chunks.peek().is_none(), target);
        target.extend(chunk);
    }
}

/// A compressed block of literals in four streams, without sequences.
fn write_base64(text: &[u8], target: &mut Vec<u8>) {
    let mut streams = Vec::with_capacity(text.len() / 4 * 3 + 4);
    let mut ends = [0; 4];
    for (part, end) in text.chunks(text.len().div_ceil(4)).zip(&mut ends) {
        write_stream(part, &mut streams);
        *end = streams.len();
    }
    let literals = TABLE.len() + 6 + streams.len();
    // The literals' header (compressed, four streams, both sizes in 18 bits), and the byte for "no sequences" at the end.
    write_header(Kind::Compressed, 5 + literals + 1, false, target);
    let header = 2 | (3 << 2) | ((text.len() as u64) << 4) | ((literals as u64) << 22);
    target.extend(&header.to_le_bytes()[..5]);
    target.extend(TABLE);
    let mut begin = 0;
    for end in &ends[..3] {
        target.extend(((end - begin) as u16).to_le_bytes());
        begin = *end;
    }
    target.extend(streams);
    target.push(0);
}

/// A stream of codes. It is read from its end, where a bit shows where it begins, so the last character comes first.
fn write_stream(text: &[u8], target: &mut Vec<u8>) {
    let mut mark = [1].as_slice();
    for eight in text.rchunks(8) {
        let codes = eight.iter().fold(0_u64, |codes, byte| (codes << 6) | u64::from(CODES[usize::from(*byte)]));
        if eight.len() == 8 {
            target.extend(&codes.to_le_bytes()[..6]);
        } else {
            // The mark stands in the bit above the first code's.
            let bits = 6 * eight.len();
            target.extend(&(codes | (1 << bits)).to_le_bytes()[..=bits / 8]);
            mark = &[];
        }
    }
    target.extend(mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> String {
        let mut number = length as u32;
        let mut draw = || {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(ALPHABET[(number >> 26) as usize])
        };
        (0..length).map(|_| draw()).collect()
    }

    /// A frame as whoever reads states unpacks it.
    fn unpack(parts: &[&Blocks]) -> Vec<u8> {
        let frame: Vec<u8> = FRAME.into_iter().chain(parts.iter().flat_map(|part| part.bytes().to_vec())).collect();
        // What comes behind a frame is no part of it.
        let more = [frame.as_slice(), b"more"].concat();
        let mut read = Vec::new();
        let mut decoder = zstd::stream::read::Decoder::with_buffer(more.as_slice()).unwrap().single_frame();
        std::io::Read::read_to_end(&mut decoder, &mut read).unwrap();
        assert_eq!(zstd::decode_all(frame.as_slice()).unwrap(), read);
        read
    }

    #[test]
    fn base64_of_any_length_comes_back_and_is_as_short_as_its_bytes() {
        let end = Blocks::raw(b"\"}", true);
        let lengths = (0..70).chain(SHORT - 9..SHORT + 9).chain([40_000, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + SHORT]);
        for (length, padding) in lengths.zip(["", "=", "=="].into_iter().cycle()) {
            let text = text(length) + padding;
            let blocks = Blocks::of_base64(&text).unwrap();
            assert_eq!(blocks.text_bytes(), text.len());
            let whole = unpack(&[&Blocks::raw(b"{\"a\":\"", false), &blocks, &end]);
            assert_eq!(String::from_utf8(whole).unwrap(), format!("{{\"a\":\"{text}\"}}"));
        }
        let text = text(1 << 20);
        assert!(Blocks::of_base64(&text).unwrap().bytes().len() < (text.len() / 4 * 3) * 1_002 / 1_000);
    }

    #[test]
    fn each_character_comes_back() {
        let all: String = ALPHABET.iter().map(|byte| char::from(*byte)).collect();
        for shift in 0..64 {
            let text = (all[shift..].to_owned() + &all[..shift]).repeat(16);
            let blocks = Blocks::of_base64(&text).unwrap();
            assert!(blocks.bytes().len() < text.len());
            assert_eq!(unpack(&[&blocks, &Blocks::raw(b"", true)]), text.as_bytes());
        }
    }

    #[test]
    fn blocks_stand_anywhere_and_any_number_of_times() {
        let (one, two) = (text(5_000), text(300_000));
        let [a, b] = [&one, &two].map(|text| Blocks::of_base64(text).unwrap());
        let long = vec![b' '; 2 * BLOCK + 5];
        let [gap, end] = [false, true].map(|last| Blocks::raw(&long, last));
        let gap_text = String::from_utf8(long).unwrap();
        let whole = unpack(&[&b, &a, &gap, &a, &b, &b, &gap, &a, &end]);
        let wanted = [&two, &one, &gap_text, &one, &two, &two, &gap_text, &one, &gap_text].map(String::as_str).concat();
        assert!(whole == wanted.as_bytes());
    }

    #[test]
    fn what_is_no_base64_is_left_to_others() {
        for odd in ["a\"b", "a\\b", "ä", "a b", "a=b", "a===", "-_", "\n"] {
            assert_eq!(Blocks::of_base64(odd), None, "{odd}");
            assert_eq!(Blocks::of_base64(&(text(BLOCK) + odd)), None, "{odd}");
        }
    }
}
