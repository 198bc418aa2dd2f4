//! Which partition a key belongs to: Kafka's default, so that other producers
//! and consumers agree.
//!
//! MurmurHash2, 32 bits, seed `0x9747b28c`, sign bit cleared, modulo the number
//! of partitions (Apache Kafka, `Utils.murmur2`, `BuiltInPartitioner.partitionForKey`).
//! The key is the bare Avro datum: with the framing's schema id in it, a key would
//! move when its schema is registered anew.

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// The partition of a key; 0 for rows without one, whose topics have one partition.
pub fn partition(key_datum: Option<&[u8]>, partitions: i32) -> i32 {
    match key_datum {
        Some(key) if partitions > 1 => (murmur2(key).cast_signed() & i32::MAX) % partitions,
        _ => 0,
    }
}

fn murmur2(data: &[u8]) -> u32 {
    // Java's lengths have 32 bits; longer keys than that do not fit a record.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    let mut h = SEED ^ length;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests;
