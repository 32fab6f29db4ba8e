//! CRC-32, as in zlib, gzip and PNG, so that every language has it.

/// Tables for eight bytes at a time.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xedb8_8320 * (value & 1));
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of all bytes so far.
#[derive(Clone, Copy)]
pub(super) struct Checksum(u32);

impl Checksum {
    pub fn new() -> Self {
        Checksum(!0)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<8>();
        let mut state = self.0;
        for block in blocks {
            let word = u64::from_le_bytes(*block) ^ u64::from(state);
            state = 0;
            for (place, byte) in word.to_le_bytes().into_iter().enumerate() {
                state ^= TABLES[7 - place][byte as usize];
            }
        }
        for &byte in rest {
            state = (state >> 8) ^ TABLES[0][((state ^ u32::from(byte)) & 0xff) as usize];
        }
        self.0 = state;
    }

    pub fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> u32 {
        let mut checksum = Checksum::new();
        parts.iter().for_each(|part| checksum.add(part));
        checksum.value()
    }

    /// The check value of the catalogue of parametrised CRCs, and another that
    /// zlib gives.
    #[test]
    fn is_the_crc_of_zlib() {
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[b"123456789"]), 0xcbf4_3926);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(of(&[text]), 0x414f_a339);
    }

    #[test]
    fn does_not_depend_on_the_parts() {
        let bytes: Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(37)).collect();
        for cut in 0..100 {
            assert_eq!(of(&[&bytes[..cut], &bytes[cut..]]), of(&[&bytes]));
        }
    }
}
