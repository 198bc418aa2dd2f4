//! Reads bytes field by field. Every length is checked before it is used, so
//! that hostile or damaged bytes end in an error and never in a panic.

/// Bytes that contradict themselves; the text says what was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

/// A place in borrowed bytes. Numbers are little-endian unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

const SHORT: Malformed = Malformed("it ends inside a field");

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes have not been read.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// An unsigned number of up to eight bytes.
    #[inline]
    pub fn uint(&mut self, width: usize) -> Result<u64, Malformed> {
        let mut wide = [0u8; 8];
        let taken = self.take(width)?;
        wide.get_mut(..width).ok_or(Malformed("a number has more than eight bytes"))?.copy_from_slice(taken);
        Ok(u64::from_le_bytes(wide))
    }

    /// An unsigned big-endian number of up to eight bytes.
    #[inline]
    pub fn uint_be(&mut self, width: usize) -> Result<u64, Malformed> {
        let taken = self.take(width)?;
        if width > 8 {
            return Err(Malformed("a number has more than eight bytes"));
        }
        Ok(taken.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// A length-encoded integer (MySQL manual, "Protocol::LengthEncodedInteger").
    pub fn packed(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            small @ 0..=250 => Ok(u64::from(small)),
            252 => self.uint(2),
            253 => self.uint(3),
            254 => self.uint(8),
            251 | 255 => Err(Malformed("a length-encoded integer starts with 251 or 255")),
        }
    }

    /// A length-encoded integer that counts something in memory.
    pub fn packed_len(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.packed()?).map_err(|_| Malformed("a length exceeds the address space"))
    }

    /// Bytes with a length-encoded length before them.
    pub fn packed_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.packed_len()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests;
