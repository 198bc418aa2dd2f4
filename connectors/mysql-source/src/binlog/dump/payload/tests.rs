use std::io::Write as _;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::binlog::event::kind;
use crate::damage::{damaged, damages, memory_of};

/// What is kept besides an event: the buffer, one step, and an event in both while it moves.
const MEMORY_BASE: u64 = 3 * BUFFER_BYTES as u64;

/// An event without a checksum.
fn event(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut event = vec![0; HEADER_LEN];
    event[4] = kind;
    event[9..13].copy_from_slice(&u32::try_from(HEADER_LEN + body.len()).unwrap().to_le_bytes());
    event.extend_from_slice(body);
    event
}

fn packed(number: usize) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(small) if small < 251 => vec![small],
        _ => [&[254][..], &(number as u64).to_le_bytes()].concat(),
    }
}

fn field(number: u64, value: usize) -> Vec<u8> {
    let value = packed(value);
    [packed(number as usize), packed(value.len()), value].concat()
}

fn zipped(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

/// A compressed transaction as it is in a packet, with what it says of its lengths.
struct Packet {
    payload: Vec<u8>,
    size: usize,
    uncompressed_size: Option<usize>,
    compression: u64,
}

impl Packet {
    fn of(plain: &[u8]) -> Self {
        let payload = zipped(plain);
        Self { size: payload.len(), uncompressed_size: Some(plain.len()), payload, compression: ZSTD }
    }

    fn plain(plain: &[u8]) -> Self {
        let payload = plain.to_vec();
        Self { size: payload.len(), uncompressed_size: None, payload, compression: NONE }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = field(COMPRESSION, self.compression as usize);
        body.extend(self.uncompressed_size.map(|size| field(UNCOMPRESSED_SIZE, size)).unwrap_or_default());
        body.extend(field(SIZE, self.size));
        body.push(0);
        body.extend_from_slice(&self.payload);
        body.extend_from_slice(&[0; CHECKSUM_LEN]);
        let mut packet = vec![0];
        packet.extend(event(kind::TRANSACTION_PAYLOAD, &body));
        sealed(packet)
    }
}

/// With the right checksum at its end.
fn sealed(mut packet: Vec<u8>) -> Vec<u8> {
    if let Some(at) = packet.len().checked_sub(CHECKSUM_LEN).filter(|at| *at > 0) {
        let checksum = crc32fast::hash(&packet[1..at]).to_le_bytes();
        packet[at..].copy_from_slice(&checksum);
    }
    packet
}

/// What comes of a packet that arrives in parts of these lengths, again and again; the bodies of the events, and
/// how it ended.
fn in_parts(packet: &[u8], lengths: &[usize]) -> (Vec<Vec<u8>>, Result<bool, Malformed>) {
    let mut payload = Payload::default();
    let mut events = Vec::new();
    let ended = take(&mut payload, packet, lengths, |frame| events.push(frame.body().to_vec()));
    (events, ended)
}

/// The same, without keeping any. Answers whether it ended with its last event.
fn take(
    payload: &mut Payload,
    packet: &[u8],
    lengths: &[usize],
    mut each: impl FnMut(Frame),
) -> Result<bool, Malformed> {
    let start = packet.get(1..packet.len().min(1 + START_LEN)).unwrap_or_default();
    payload.begin_in_parts(start, Some(CRC32))?;
    let mut rest = Bytes::copy_from_slice(packet);
    let mut lengths = lengths.iter().copied().cycle();
    let mut last = false;
    loop {
        match payload.step()? {
            Step::Event(frame) => {
                last = frame.home == crate::binlog::frame::Home::Payload { last: true };
                each(frame);
            }
            Step::Over => return Ok(last && rest.is_empty()),
            Step::Hungry if rest.is_empty() => return Err(SHORT),
            Step::Hungry => {
                let length = lengths.next().unwrap().clamp(1, rest.len());
                payload.feed(rest.split_to(length))?;
            }
        }
    }
}

fn whole(packet: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let frame = Frame::read(Bytes::copy_from_slice(&packet[1..]), &mut Some(CRC32))?;
    let mut payload = Payload::default();
    payload.begin_whole(&frame)?;
    let mut events = Vec::new();
    loop {
        match payload.step()? {
            Step::Event(frame) => events.push(frame.body().to_vec()),
            Step::Over => return Ok(events),
            Step::Hungry => return Err(SHORT),
        }
    }
}

fn joined(bodies: &[Vec<u8>]) -> Vec<u8> {
    bodies.iter().flat_map(|body| event(kind::WRITE_ROWS, body)).collect()
}

fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let body = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..100),
        1 => (0..100_000usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    prop::collection::vec(body, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_come_as_they_were_in_parts_of_any_size(
        bodies in bodies(),
        lengths in prop::collection::vec(1..5_000usize, 1..10),
        compressed in any::<bool>(),
        cut in any::<Index>(),
    ) {
        let plain = joined(&bodies);
        let mut packet = if compressed { Packet::of(&plain) } else { Packet::plain(&plain) };
        prop_assert_eq!(whole(&packet.bytes()), Ok(bodies.clone()));
        prop_assert_eq!(in_parts(&packet.bytes(), &lengths), (bodies.clone(), Ok(true)));
        // The compressor may have begun anew in the middle.
        if compressed {
            let (one, two) = plain.split_at(cut.index(plain.len()));
            packet.payload = [zipped(one), zipped(two)].concat();
            packet.size = packet.payload.len();
            prop_assert_eq!(in_parts(&packet.bytes(), &lengths), (bodies, Ok(true)));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_payloads(
        bodies in bodies(),
        lengths in prop::collection::vec(1..5_000usize, 1..10),
        wrong in damages(),
        behind_the_checksum in any::<bool>(),
    ) {
        let packet = Packet::of(&joined(&bodies)).bytes();
        let bytes = damaged(&packet, &wrong);
        let bytes = if behind_the_checksum { sealed(bytes) } else { bytes };
        let longest = bodies.iter().map(Vec::len).max().unwrap_or(0);
        let mut ended = Ok(false);
        let taken = memory_of(|| ended = take(&mut Payload::default(), &bytes, &lengths, drop));
        // Damage may make one event of all.
        let most = MEMORY_BASE + bytes.len() as u64 + 2 * joined(&bodies).len().max(longest) as u64;
        prop_assert!(taken <= most, "{taken} bytes of memory for {}", bytes.len());
        // The byte before the event is nobody's.
        if !behind_the_checksum && bytes.get(1..) != packet.get(1..) {
            prop_assert!(ended != Ok(true), "damage was taken for a whole transaction");
        }
        if let Some(event) = bytes.get(1..) {
            let event = Bytes::copy_from_slice(event);
            if let Ok(frame) = Frame::read(event, &mut Some(CRC32)) {
                let _ = Payload::default().begin_whole(&frame);
            }
        }
    }
}

/// How a packet ends whose lengths are not what it says.
fn ends(change: impl FnOnce(&mut Packet)) -> [Result<bool, Malformed>; 2] {
    let mut packet = Packet::of(&joined(&[vec![1; 3_000], vec![2; 500]]));
    change(&mut packet);
    let whole = whole(&packet.bytes()).map(|events| events.len() == 2);
    [in_parts(&packet.bytes(), &[64]).1, whole]
}

#[test]
fn what_it_says_of_itself_must_be_so() {
    assert_eq!(ends(|_| {}), [Ok(true); 2]);
    let plain = joined(&[vec![1; 3_000], vec![2; 500]]).len();
    let wrong: [fn(&mut Packet, usize); 9] = [
        |packet, plain| packet.uncompressed_size = Some(plain + 1),
        |packet, plain| packet.uncompressed_size = Some(plain - 1),
        // Where the first event ends.
        |packet, _| packet.uncompressed_size = Some(3_000 + HEADER_LEN),
        |packet, _| packet.uncompressed_size = Some(usize::MAX),
        |packet, _| packet.uncompressed_size = Some(0),
        |packet, _| packet.uncompressed_size = None,
        |packet, _| packet.compression = 1,
        |packet, _| {
            packet.payload.truncate(packet.payload.len() - 1);
            packet.size -= 1;
        },
        // All is unpacked, and only the compressor's own checksum is cut short.
        |packet, _| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(&joined(&[vec![1; 3_000], vec![2; 500]])).unwrap();
            packet.payload = encoder.finish().unwrap();
            packet.payload.pop();
            packet.size = packet.payload.len();
        },
    ];
    for (index, wrong) in wrong.into_iter().enumerate() {
        for end in ends(|packet| wrong(packet, plain)) {
            assert!(end.is_err(), "{index}: {end:?}");
        }
    }
    for end in ends(|packet| packet.size += 1) {
        assert!(end.is_err());
    }
    for end in ends(|packet| packet.payload.extend(zipped(&[9; 100]))) {
        assert!(end.is_err());
    }
}

#[test]
fn the_last_event_waits_for_the_checksum() {
    let bodies = vec![vec![1; 300], vec![2; 300], vec![3; 8]];
    let mut packet = Packet::of(&joined(&bodies)).bytes();
    *packet.last_mut().unwrap() ^= 1;
    assert_eq!(in_parts(&packet, &[usize::MAX]), (bodies[..2].to_vec(), Err(WRONG_CHECKSUM)));
    *packet.last_mut().unwrap() ^= 1;
    let short = &packet[..packet.len() - 1];
    assert_eq!(in_parts(short, &[usize::MAX]), (bodies[..2].to_vec(), Err(SHORT)));
    packet.push(0);
    assert_eq!(in_parts(&packet, &[usize::MAX]).1, Err(LONG));
    // Without checksums there is nothing to wait for.
    let mut payload = Payload::default();
    let mut packet = Packet::of(&joined(&bodies)).bytes();
    packet.truncate(packet.len() - CHECKSUM_LEN);
    let size = u32::try_from(packet.len() - 1).unwrap().to_le_bytes();
    packet[1 + 9..1 + 13].copy_from_slice(&size);
    payload.begin_in_parts(&packet[1..1 + START_LEN], None).unwrap();
    assert!(matches!(payload.step(), Ok(Step::Hungry)));
    payload.feed(Bytes::from(packet)).unwrap();
    for _ in 0..3 {
        assert!(matches!(payload.step(), Ok(Step::Event(_))));
    }
    assert!(matches!(payload.step(), Ok(Step::Over)));
}

#[test]
fn memory_is_that_of_an_event_and_not_of_the_transaction() {
    const SMALL: usize = 8 << 10;
    const LARGE: usize = 6 << 20;
    let small = event(kind::WRITE_ROWS, &[7; SMALL]).repeat(4_000);
    let packet = Packet::of(&small).bytes();
    let mut payload = Payload::default();
    let mut events = 0;
    let taken = memory_of(|| assert_eq!(take(&mut payload, &packet, &[900], |_| events += 1), Ok(true)));
    assert_eq!(events, 4_000);
    assert!(taken <= MEMORY_BASE + packet.len() as u64, "{taken} bytes of memory for small events");
    // A large one is gone when it is done.
    let large = [event(kind::WRITE_ROWS, &vec![7; LARGE]), event(kind::XID, &[0; 8])].concat();
    let packet = Packet::of(&large).bytes();
    let taken = memory_of(|| assert_eq!(take(&mut payload, &packet, &[900], drop), Ok(true)));
    assert!(taken <= 3 * LARGE as u64 + MEMORY_BASE, "{taken} bytes of memory for a large event");
    assert!(payload.unpacked.capacity() <= BUFFER_BYTES, "{}", payload.unpacked.capacity());
}
