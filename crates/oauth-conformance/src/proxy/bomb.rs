//! A gzip bomb by hand: what it decodes to is a thousand times its size.

/// How many blanks it decodes to: more than any client may read of a token answer.
const BLANKS: usize = 4 * 1024 * 1024;

/// The longest match of DEFLATE.
const MATCH: usize = 258;

/// A gzip member (RFC 1952) of one block with fixed Huffman codes (RFC 1951 §3.2.6). Its checksum
/// is not right: who reads up to there has read it all.
pub(super) fn gzip_bomb() -> Vec<u8> {
    let mut bits = Bits(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], 0);
    // The last block, fixed codes; a blank, then that blank again and again.
    bits.push(0b110, 3);
    bits.push(0x30 + u32::from(b' '), 8);
    for _ in 0..BLANKS / MATCH {
        bits.push(0b1100_0101, 8);
        bits.push(0, 5);
    }
    bits.push(0, 7);
    let mut bytes = bits.0;
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// Bytes, and how many bits of the last one are taken. Codes go in from their highest bit on.
struct Bits(Vec<u8>, u32);

impl Bits {
    fn push(&mut self, code: u32, length: u32) {
        for shift in (0..length).rev() {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
                self.1 = 0;
            }
            if let Some(last) = self.0.last_mut()
                && code >> shift & 1 == 1
            {
                *last |= 1 << self.1;
            }
            self.1 += 1;
        }
    }
}
