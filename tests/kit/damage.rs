//! What may happen to bytes on their way, for tests of whatever reads some. Each crate's tests include
//! this file.

use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that happens to bytes.
#[derive(Clone, Debug)]
pub enum Damage {
    /// They end early.
    Cut(Index),
    /// A bit is another.
    Flip(Index, u8),
    /// A byte is another.
    Set(Index, u8),
    /// Something that is large as a length, in whichever form, stands in place of bytes.
    Long(Index, &'static [u8]),
    /// Some of them come once more, at another place.
    Again(Index, Index, u8),
    /// Some are not there.
    Gone(Index, u8),
}

/// Numbers at the edges of 16, 24, 32 and 64 bits, length-encoded and variable ones.
const LONG: [&[u8]; 10] = [
    &[0xff, 0xff],
    &[0xff, 0x7f],
    &[0xfd, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    &[0x00, 0x00, 0x00, 0x40],
];

/// Up to five things.
pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<Index>;
    let one = prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), prop::sample::select(&LONG[..])).prop_map(|(at, long)| Damage::Long(at, long)),
        (at(), at(), 1..40u8).prop_map(|(from, to, length)| Damage::Again(from, to, length)),
        (at(), 1..10u8).prop_map(|(at, length)| Damage::Gone(at, length)),
    ];
    prop::collection::vec(one, 1..=5)
}

/// The bytes after all of it.
pub fn damaged(whole: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let end = bytes.len();
        match damage {
            Damage::Cut(at) => bytes.truncate(at.index(end)),
            Damage::Flip(at, bit) => bytes[at.index(end)] ^= 1 << bit,
            Damage::Set(at, byte) => bytes[at.index(end)] = *byte,
            Damage::Long(at, long) => {
                let at = at.index(end);
                bytes.splice(at..(at + long.len()).min(end), long.iter().copied());
            }
            Damage::Again(from, to, length) => {
                let from = from.index(end);
                let again = bytes[from..(from + usize::from(*length)).min(end)].to_vec();
                let to = to.index(end);
                bytes.splice(to..to, again);
            }
            Damage::Gone(at, length) => {
                let at = at.index(end);
                bytes.drain(at..(at + usize::from(*length)).min(end));
            }
        }
    }
    bytes
}

/// What reading `bytes` took of memory at its height, in bytes, as this thread asked for it.
pub fn memory_of(read: impl FnOnce()) -> u64 {
    let mut outcome = Ok(());
    // The counter does not survive a panic on its way.
    let read = std::panic::AssertUnwindSafe(read);
    let counted = allocation_counter::measure(|| outcome = std::panic::catch_unwind(read));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    counted.bytes_max
}
